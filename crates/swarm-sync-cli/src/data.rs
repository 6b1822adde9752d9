//! Where a node keeps its state.

mod aside;
mod recover;
mod scratch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use swarm_sync::keeping::Owner;
use swarm_sync::{
    Found, MemoryStore, RedbStore, SledStore, StartError, Store, StoreError, SwarmId, look,
};

use crate::cli::{DataArgs, StoreKind};
use crate::exit::{Code, Failure};
use crate::output::shorten;

/// Under this directory of the working directory, unless `SWARM_SYNC_DATA` names another.
const DEFAULT_BASE: &str = "swarm-sync-data";

/// Longer than any path in use, if not than any that is possible.
const PATH_BYTES_MAX: usize = 1_024;

/// A node's store and where it is.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) store: Arc<dyn Store>,
    /// None if it is in memory.
    pub(crate) directory: Option<PathBuf>,
    /// The directory was damaged, and is a new one now.
    pub(crate) recovered: bool,
}

impl Data {
    /// Opens what `args` say for `owner`; `place` is the node's own part of the base directory.
    pub(crate) async fn open(
        args: &DataArgs,
        place: &[&str],
        owner: &Owner,
    ) -> Result<Self, Failure> {
        if args.memory {
            return Ok(Self {
                store: Arc::new(MemoryStore::new()),
                directory: None,
                recovered: false,
            });
        }
        let directory = match &args.data {
            Some(directory) => directory.clone(),
            None => default_directory(place)?,
        };
        recover::refuse_unfinished(&directory, owner, args.recover)?;
        let recovered = args.recover && recover::recover(&directory, args.store, owner).await?;
        let (path, kind) = (directory.clone(), args.store);
        let opened = tokio::task::spawn_blocking(move || open(&path, kind)).await;
        let store = opened.map_err(|e| Failure::new(Code::Data, "store", e.to_string()))?;
        let store = store.map_err(|e| not_opened(e, owner))?;
        warn_if_others_may_read(&directory);
        Ok(Self {
            store,
            directory: Some(directory),
            recovered,
        })
    }

    /// Refuses a directory that holds other swarms only. The store keeps swarms apart, so that it
    /// would work; but a swarm's name mistyped once would leave the writes that wait for the right
    /// one's hub where nobody looks for them.
    pub(crate) async fn refuse_other_swarms(&self, swarm: &SwarmId) -> Result<(), Failure> {
        let held = self.store.swarms().await?;
        if held.is_empty() || held.contains(swarm) {
            return Ok(());
        }
        let held: Vec<_> = held.iter().map(SwarmId::as_str).collect();
        let message = format!(
            "{} holds the state of the swarm {}, not of {swarm}; choose another directory with \
             --data, or the swarm with --swarm",
            self.describe(),
            shorten(&held.join(", "))
        );
        Err(Failure::new(Code::Data, "unusable", message))
    }

    /// Why a node did not start from here.
    pub(crate) fn explain(&self, error: StartError) -> Failure {
        match error {
            StartError::Row(error) => {
                let directory = self.describe();
                let message = format!("{directory}: {error}; choose another directory with --data");
                Failure::new(Code::Data, "unusable", message)
            }
            other => other.into(),
        }
    }

    /// For messages to people.
    pub(crate) fn describe(&self) -> String {
        match &self.directory {
            Some(directory) => directory.display().to_string(),
            None => "memory".to_owned(),
        }
    }
}

/// Opens a directory as what it is, or as what it is said to be.
pub(crate) fn open(path: &Path, kind: Option<StoreKind>) -> Result<Arc<dyn Store>, StoreError> {
    let kind = match (kind, look(path)) {
        (Some(kind), _) => kind,
        (None, Ok(Found::Store { engine, .. })) if engine == "redb" => StoreKind::Redb,
        // What is wrong is said by opening it.
        (None, _) => StoreKind::Sled,
    };
    Ok(match kind {
        StoreKind::Sled => Arc::new(SledStore::open(path)?),
        StoreKind::Redb => Arc::new(RedbStore::open(path)?),
    })
}

/// The files in it are as private as the directory is. One that is made here is its owner's alone; one that
/// was there is not ours to change.
fn warn_if_others_may_read(directory: &Path) {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(directory) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
        if mode & 0o077 > 0 {
            let directory = directory.display();
            tracing::warn!(
                "others than its owner may read the state in {directory} (mode {mode:03o}): chmod 700 {directory}"
            );
        }
    }
    let _ = directory;
}

fn not_opened(error: StoreError, owner: &Owner) -> Failure {
    if let StoreError::Corrupt { path, row, reason } = &error {
        return recover::refusal(path, row, reason, owner);
    }
    let StoreError::Io {
        path,
        doing,
        reason,
    } = &error
    else {
        return error.into();
    };
    // Whoever needs a path to find something gets it whole, unless it is noise.
    let path = match path.len() {
        0..=PATH_BYTES_MAX => path.clone(),
        _ => shorten(path),
    };
    let message = format!("{path}: {doing} failed: {reason} (--data chooses another directory)");
    Failure::new(Code::Data, "store", message)
}

/// Where a node keeps its state unless told otherwise.
pub(crate) fn default_directory(place: &[&str]) -> Result<PathBuf, Failure> {
    let base = std::env::var_os("SWARM_SYNC_DATA").filter(|base| !base.is_empty());
    let mut directory = base.map_or_else(|| Path::new(DEFAULT_BASE).to_owned(), PathBuf::from);
    for name in place {
        if name.bytes().all(|b| b == b'.') {
            let name = shorten(name);
            let message = format!("{name:?} cannot name a directory; choose one with --data DIR");
            return Err(Failure::new(Code::Usage, "config", message));
        }
        // On some systems a colon means something else in a path.
        directory.push(name.replace(':', "%3A"));
    }
    Ok(directory)
}
