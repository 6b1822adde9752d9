//! `backup` and `restore`: a stopped node's state as one file, and back.

use std::path::{Path, PathBuf};

use serde_json::json;
use swarm_sync::keeping::{Owner, backup, restore};
use swarm_sync::{Found, SwarmId, look};
use tokio::task::spawn_blocking;

use crate::cli::{BackupArgs, RestoreArgs, StoreKind};
use crate::data::{self, default_directory};
use crate::exit::{Code, Failure};
use crate::output;

pub(crate) async fn back_up(args: BackupArgs) -> Result<(), Failure> {
    let directory = directory(args.data)?;
    if look(&directory)? == Found::Nothing {
        let message = format!(
            "{} holds nothing; name a node's directory with --data",
            directory.display()
        );
        return Err(Failure::new(Code::Data, "empty", message));
    }
    let store = opened(&directory, None).await?;
    let written = backup(&*store, &args.to).await;
    store.close().await?;
    let written = written?;
    let (to, from) = (args.to.display(), directory.display());
    if args.json {
        let object = json!({
            "ok": true,
            "file": to.to_string(),
            "data": from.to_string(),
            "rows": written.rows,
            "bytes": written.bytes,
            "swarms": written.swarms,
        });
        output::line(&object.to_string())?;
        return Ok(());
    }
    let (rows, bytes) = (written.rows, written.bytes);
    let swarms = names(&written.swarms);
    output::line(&format!(
        "{to}: {rows} rows of {from}, {swarms}, in {bytes} bytes, which were read again"
    ))?;
    Ok(())
}

pub(crate) async fn bring_back(args: RestoreArgs) -> Result<(), Failure> {
    let directory = directory(args.data)?;
    refuse_taken(&directory)?;
    let parent = directory.parent().filter(|p| !p.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    let failed = |doing: &'static str| {
        let directory = directory.display().to_string();
        move |e: std::io::Error| {
            let message = format!("{directory}: {doing} failed: {e}");
            Failure::new(Code::Data, "store", message)
        }
    };
    std::fs::create_dir_all(parent).map_err(failed("making what is above it"))?;
    let work = tempfile::Builder::new()
        .prefix(".restoring-")
        .tempdir_in(parent);
    let work = work.map_err(failed("making a directory beside it"))?;
    let new = work.path().join("new");
    let store = opened(&new, Some(args.store.unwrap_or(StoreKind::Sled))).await?;
    let restored = restore(&args.from, &*store).await;
    store.close().await?;
    let restored = restored?;
    // An empty directory gives way, anything else does not.
    std::fs::rename(&new, &directory).map_err(failed("giving it its name"))?;
    if cfg!(unix) {
        let synced = std::fs::File::open(parent).and_then(|parent| parent.sync_all());
        synced.map_err(failed("fsync"))?;
    }
    let (from, to) = (args.from.display(), directory.display());
    let owner = restored.owner.as_ref();
    if args.json {
        let object = json!({
            "ok": true,
            "file": from.to_string(),
            "data": to.to_string(),
            "rows": restored.rows,
            "owner": owner.map(ToString::to_string),
            "swarms": restored.swarms,
        });
        output::line(&object.to_string())?;
        return Ok(());
    }
    let rows = restored.rows;
    let (whose, next) = (whose(owner), next(owner));
    let swarms = names(&restored.swarms);
    output::line(&format!(
        "{to}: {rows} rows of {from}, the state of {whose}, {swarms}; {next}"
    ))?;
    Ok(())
}

fn whose(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| "nobody that is named".to_owned(), ToString::to_string)
}

/// What is not as it was, and what not to do.
fn next(owner: Option<&Owner>) -> &'static str {
    match owner {
        Some(Owner::Agent(_)) => {
            "it catches up when it starts, under a new incarnation; do not start the directory that it is a copy of \
             beside it"
        }
        _ => {
            "agents bring what they hold since when they connect, claims are granted again an hour after its start, \
             and what the hub alone knew since the backup is gone"
        }
    }
}

fn names(swarms: &[SwarmId]) -> String {
    let names: Vec<_> = swarms.iter().map(SwarmId::as_str).collect();
    let word = if names.len() == 1 { "swarm" } else { "swarms" };
    output::visible(&format!("{word} {}", names.join(", ")))
}

fn directory(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    named.map_or_else(|| default_directory(&["hub"]), Ok)
}

/// Nothing is restored over anything.
fn refuse_taken(directory: &Path) -> Result<(), Failure> {
    let mut there = match std::fs::read_dir(directory) {
        Ok(there) => there,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let message = format!("{} cannot be listed: {error}", directory.display());
            return Err(Failure::new(Code::Data, "store", message));
        }
    };
    if there.next().is_none() {
        return Ok(());
    }
    let message = format!(
        "{} is not empty, and nothing is restored over it; choose another directory with --data, or move this \
         one away",
        directory.display()
    );
    Err(Failure::new(Code::Data, "not-empty", message))
}

async fn opened(
    directory: &Path,
    kind: Option<StoreKind>,
) -> Result<std::sync::Arc<dyn swarm_sync::Store>, Failure> {
    let path = directory.to_owned();
    let opened = spawn_blocking(move || data::open(&path, kind)).await;
    let opened = opened.map_err(|e| Failure::new(Code::Data, "store", e.to_string()))?;
    Ok(opened?)
}
