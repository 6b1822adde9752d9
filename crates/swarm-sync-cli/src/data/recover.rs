//! `--recover`: a damaged directory is moved aside, and a new one takes its place with what can be relied
//! on from it.
//!
//! ```text
//! build ─► DIR.recovered ─► DIR moved aside ─► DIR.recovered becomes DIR
//!  crash: nothing happened   │         crash: --recover goes on here
//!                            └ crash: built again
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use swarm_sync::keeping::{Owner, Rescue, Taken, hold};
use swarm_sync::{Found, StoreError, SwarmId, look};
use tokio::task::spawn_blocking;

use super::scratch::Scratch;
use super::{aside, open};
use crate::cli::StoreKind;
use crate::exit::{Code, Failure};
use crate::output;

/// What a new directory is called until the damaged one is out of its way.
const BUILT: &str = ".recovered";

/// Brings `directory` into a state that a node can start from; false if it was in one already, and left as
/// it is.
pub(super) async fn recover(
    directory: &Path,
    kind: Option<StoreKind>,
    owner: &Owner,
) -> Result<bool, Failure> {
    let built = aside::beside(directory, BUILT);
    if !directory.exists() && built.exists() {
        put_in_place(&built, directory)?;
        let place = directory.display();
        output::complain(&format!(
            "the recovery of {place} was interrupted, and is done now"
        ));
        return Ok(true);
    }
    if look(directory)? == Found::Nothing {
        return Ok(false);
    }
    // What a link names is damaged, not the link.
    let directory = &fs::canonicalize(directory)
        .map_err(|e| failed(directory, "finding out where it is", &e))?;
    let built = aside::beside(directory, BUILT);
    let work = Scratch::beside(directory)
        .map_err(|e| failed(directory, "making a directory beside it", &e))?
        .ok_or_else(|| StoreError::InUse {
            path: directory.display().to_string(),
        })?;
    let copy = work.join("copy");
    fs::create_dir(&copy).map_err(|e| failed(&copy, "making it", &e))?;
    let (path, whose) = (directory.to_owned(), owner.clone());
    let read = spawn_blocking(move || Rescue::of(path, copy, &whose)).await;
    let rescue = read.map_err(|e| Failure::new(Code::Data, "store", e.to_string()))??;
    let Some(damage) = rescue.inspection().refused.clone() else {
        let place = directory.display();
        tracing::warn!("--recover: {place} is not damaged, and stays as it is");
        return Ok(false);
    };
    let _held = hold(directory)?;
    let engine = match (kind, rescue.inspection().engine.as_str()) {
        (Some(kind), _) => kind,
        (None, "redb") => StoreKind::Redb,
        (None, _) => StoreKind::Sled,
    };
    let taken = build(rescue, engine, &work.join("new"), &built).await?;
    let moved = move_aside(directory)?;
    put_in_place(&built, directory)?;
    output::complain(&told(directory, &moved, owner, &damage, &taken));
    Ok(true)
}

/// Refuses to start anew in place of a directory whose recovery was interrupted, unless that is to go on.
pub(super) fn refuse_unfinished(
    directory: &Path,
    owner: &Owner,
    recovers: bool,
) -> Result<(), Failure> {
    let built = aside::beside(directory, BUILT);
    if recovers || directory.exists() || !built.exists() {
        return Ok(());
    }
    let (place, built) = (directory.display(), built.display());
    let message = format!(
        "the recovery of {place} was interrupted, what it made is {built}; finish it with `swarm-sync {} --recover`",
        command(owner)
    );
    Err(Failure::new(Code::Data, "unfinished", message))
}

/// What is to be done about a damaged directory.
pub(super) fn refusal(path: &str, row: &str, reason: &str, owner: &Owner) -> Failure {
    let (command, from) = (command(owner), source(owner));
    let message = format!(
        "{path}: row {row} is damaged: {reason}; `swarm-sync doctor {path}` says what can be read, and \
         `swarm-sync {command} --recover` moves the directory aside, takes from it what can be relied on and \
         gets the rest from {from}"
    );
    Failure::new(Code::Data, "corrupt", message)
}

fn command(owner: &Owner) -> &'static str {
    match owner {
        Owner::Hub => "serve",
        Owner::Agent(_) => "agent",
    }
}

fn source(owner: &Owner) -> &'static str {
    match owner {
        Owner::Hub => "the agents as they connect",
        Owner::Agent(_) => "the hub",
    }
}

/// Fills a new directory; it has its name once it is whole.
async fn build(
    rescue: Rescue,
    engine: StoreKind,
    new: &Path,
    built: &Path,
) -> Result<BTreeMap<SwarmId, Taken>, Failure> {
    let store = open(new, Some(engine))?;
    let filled = rescue.finish(&*store).await;
    store.close().await?;
    let taken = filled?;
    if built.exists() {
        // It was made of the directory that is still there, and no node ran on it.
        fs::remove_dir_all(built).map_err(|e| failed(built, "removing what was left", &e))?;
    }
    put_in_place(new, built)?;
    Ok(taken)
}

fn move_aside(directory: &Path) -> Result<PathBuf, Failure> {
    let Some(free) = aside::free(directory, SystemTime::now()) else {
        let error = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(failed(directory, "finding a name beside it", &error));
    };
    put_in_place(directory, &free)?;
    Ok(free)
}

fn put_in_place(from: &Path, to: &Path) -> Result<(), Failure> {
    let rename = || -> io::Result<()> {
        fs::rename(from, to)?;
        if cfg!(unix) {
            File::open(parent(to))?.sync_all()?;
        }
        Ok(())
    };
    rename().map_err(|e| failed(from, "renaming it", &e))
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

fn failed(path: &Path, doing: &str, error: &io::Error) -> Failure {
    let message = format!("{}: {doing} failed: {error}", path.display());
    Failure::new(Code::Data, "store", message)
}

/// What was done, for whoever has to know.
fn told(
    directory: &Path,
    moved: &Path,
    owner: &Owner,
    damage: &StoreError,
    taken: &BTreeMap<SwarmId, Taken>,
) -> String {
    let (directory, moved) = (directory.display(), moved.display());
    let why = match damage {
        StoreError::Corrupt { row, reason, .. } => format!("row {row}: {reason}"),
        other => other.to_string(),
    };
    let taken: Vec<String> = taken.iter().map(|(s, t)| counted(s, t, owner)).collect();
    let taken = if taken.is_empty() {
        "nothing".to_owned()
    } else {
        taken.join("; ")
    };
    let rest = match owner {
        Owner::Hub => {
            "the rest comes from the agents as they connect, claims are granted again in an hour, and history \
             and votes under way are gone"
        }
        Owner::Agent(_) => "the rest comes from the hub",
    };
    format!(
        "{directory} was damaged ({why}) and is now {moved}, as it was; taken from it: {taken}; {rest}"
    )
}

fn counted(swarm: &SwarmId, taken: &Taken, owner: &Owner) -> String {
    let Taken {
        keys,
        waiting,
        others,
        ..
    } = *taken;
    let waiting = match owner {
        Owner::Hub => String::new(),
        Owner::Agent(_) => format!(" {waiting} writes that waited for the hub,"),
    };
    format!("of the swarm {swarm} {keys} keys,{waiting} {others} other rows")
}
