//! A directory that no node runs on, from within: whose it is, how far it had got, and whether everything
//! that was acknowledged can be read.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value as Json, json};
use swarm_sync::keeping::{Census, Examined, Inspection, Owner, Sealed, examine};
use swarm_sync::{StoreError, SwarmId};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::report::{Check, Report};
use crate::exit::{Code, Failure};
use crate::output::shorten;
use crate::signals::Signals;

/// Damaged rows that are told one by one; with --json all that were named.
const SHOWN_MAX: usize = 8;

/// Attempts to remove a copy that is being made. Each fails only if a file was added during it.
const REMOVALS_MAX: usize = 100;

/// Looks at `directory`, of which a copy is opened.
pub(super) async fn look(directory: PathBuf) -> Result<Report, Failure> {
    let mut signals = Signals::listen()?;
    let scratch = scratch()?;
    let (path, place) = (directory.clone(), scratch.path().to_owned());
    let looked = tokio::select! {
        looked = spawn_blocking(move || examine(path, place)) => looked,
        () = signals.end() => {
            remove(&scratch);
            let message = "interrupted; the copy was removed, and the directory is as it was";
            return Err(Failure::new(Code::Failed, "interrupted", message));
        }
    };
    let looked = looked.map_err(|e| Failure::new(Code::Data, "store", e.to_string()))?;
    let mut report = Report::default();
    match looked {
        Ok(found) => {
            report.extend(checks(&directory, &found));
            report.add("store", facts(&found));
        }
        Err(error) => report.extend([refused(&directory, &error)]),
    }
    Ok(report)
}

/// Where the copy is: its owner's alone, as what it is of.
fn scratch() -> io::Result<TempDir> {
    let mut made = tempfile::Builder::new();
    made.prefix("swarm-sync-doctor-");
    #[cfg(unix)]
    made.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    made.tempdir()
}

/// Removes the copy while it is still being made: until nothing is put into it any more, which fails
/// once it is gone.
fn remove(scratch: &TempDir) {
    for _ in 0..REMOVALS_MAX {
        let removed = fs::remove_dir_all(scratch.path());
        if removed.is_ok_and(|()| !scratch.path().exists()) {
            return;
        }
    }
}

fn refused(directory: &Path, error: &StoreError) -> Check {
    let name = directory.display();
    match error {
        StoreError::InUse { .. } => Check::fail(
            "in use",
            Code::Data,
            format!(
                "a node runs on {name}; stop it to look inside, or look from outside with `swarm-sync doctor \
                 --data {name}`"
            ),
        ),
        other => Check::fail("data", Code::Data, other.to_string()),
    }
}

fn checks(directory: &Path, found: &Examined) -> Vec<Check> {
    let mut checks = vec![data(directory, &found.store), owner(found)];
    checks.extend(found.swarms.iter().map(|(s, census)| swarm(s, census)));
    checks.push(seal(&found.store));
    checks.extend(rows(&found.store));
    checks.push(verdict(directory, found));
    checks
}

fn data(directory: &Path, store: &Inspection) -> Check {
    let (name, engine) = (directory.display(), &store.engine);
    Check::ok(
        "data",
        format!("{name} holds a store of {engine}; no node runs on it"),
    )
}

fn owner(found: &Examined) -> Check {
    match found.owner() {
        Some(owner) => Check::ok("owner", format!("it is that of {owner}")),
        None if found.swarms.is_empty() && found.is_healthy() => {
            Check::ok("owner", "no swarm has been written to")
        }
        None => Check::warn("owner", "the row that says whose it is cannot be read"),
    }
}

fn swarm(name: &SwarmId, census: &Census) -> Check {
    let Census {
        keys,
        writes,
        members,
        waiting,
        receipts,
        memory,
        ..
    } = census;
    let at = match (census.cursor, census.epoch) {
        (Some(cursor), _) => {
            format!("at {}:{} of its hub", cursor.epoch, cursor.revision.get())
        }
        (None, Some(epoch)) => format!("revision {} in epoch {epoch}", census.revision.get()),
        (None, None) => "at no position".to_owned(),
    };
    let of = match census.owner {
        Some(Owner::Agent(_)) => format!("{waiting} writes wait for the hub"),
        _ => format!("{members} agents on the roster, {memory} values of the memory"),
    };
    let message =
        format!("{name}: {at}, {keys} keys with {writes} live writes, {of}, {receipts} receipts");
    match &census.first_unreadable {
        None => Check::ok("swarm", message),
        Some(first) => {
            let count = census.unreadable;
            let message = format!("{message}; {count} rows do not read as what they are: {first}");
            Check::fail("swarm", Code::Data, message)
        }
    }
}

fn seal(store: &Inspection) -> Check {
    let told = |sealed: Option<Sealed>| match sealed {
        Some(Sealed { number, rows, .. }) => format!("commit {number} over {rows} rows"),
        None => "nothing that can be read".to_owned(),
    };
    let [file, row] = store.sealed;
    let rows = store.rows;
    let message = format!(
        "the file says {}, the database {}; {rows} rows can be read",
        told(file),
        told(row)
    );
    if store.refused.is_none() {
        return Check::ok("seal", message);
    }
    let agree = row.is_some_and(|row| file.is_none_or(|file| file.number <= row.number));
    if agree && row.is_some_and(|row| row.rows == rows) {
        Check::ok("seal", message)
    } else {
        Check::fail("seal", Code::Data, message)
    }
}

fn rows(store: &Inspection) -> Vec<Check> {
    let what = "row";
    let shown = store.damaged.iter().take(SHOWN_MAX);
    let mut checks: Vec<Check> = shown
        .map(|damaged| {
            let (row, reason) = (&damaged.row, &damaged.reason);
            let message = format!("{} is damaged: {reason}", shorten(row));
            Check::fail(what, Code::Data, message)
        })
        .collect();
    let more = store.damaged_count.saturating_sub(checks.len() as u64);
    if more > 0 {
        let message = format!("{more} more are damaged; --json names 64");
        checks.push(Check::fail(what, Code::Data, message));
    }
    if let Some(unread) = &store.unread {
        let message = format!("what comes after these rows cannot be read: {unread}");
        checks.push(Check::fail(what, Code::Data, message));
    }
    if checks.is_empty() {
        let message = "every row that is there reads as it was written";
        checks.push(Check::ok(what, message));
    }
    checks
}

fn verdict(directory: &Path, found: &Examined) -> Check {
    let (what, name) = ("verdict", directory.display());
    if found.is_healthy() {
        let message = "a node can be started from it, and has all that was acknowledged";
        return Check::ok(what, message);
    }
    let why = match &found.store.refused {
        Some(StoreError::Corrupt { row, reason, .. }) => format!("row {row}: {reason}"),
        Some(other) => other.to_string(),
        None => "it opens, and rows in it do not read as what they are".to_owned(),
    };
    let command = match found.owner() {
        Some(Owner::Hub) => "`swarm-sync serve --recover`",
        Some(Owner::Agent(_)) => "`swarm-sync agent --recover`",
        None => "`swarm-sync serve --recover` or `swarm-sync agent --recover`",
    };
    let message = format!(
        "no node starts from it ({why}); restore a backup into another directory, or have {command} with --data \
         {name} move it aside, take what can be relied on and get the rest from the others"
    );
    Check::fail(what, Code::Data, message)
}

/// The same for programs.
fn facts(found: &Examined) -> Json {
    let store = &found.store;
    let sealed =
        |sealed: Option<Sealed>| sealed.map(|s| json!({"commit": s.number, "rows": s.rows}));
    let damaged: Vec<Json> = store
        .damaged
        .iter()
        .map(|damaged| json!({"row": damaged.row, "reason": damaged.reason}))
        .collect();
    let swarms: Vec<Json> = found.swarms.iter().map(|(s, c)| of_swarm(s, c)).collect();
    json!({
        "healthy": found.is_healthy(),
        "engine": store.engine,
        "owner": found.owner().map(ToString::to_string),
        "rows": store.rows,
        "sealed": {"file": sealed(store.sealed[0]), "database": sealed(store.sealed[1])},
        "damaged": store.damaged_count,
        "damaged_rows": damaged,
        "unread": store.unread,
        "refused": store.refused.as_ref().map(ToString::to_string),
        "swarms": swarms,
    })
}

fn of_swarm(name: &SwarmId, census: &Census) -> Json {
    json!({
        "swarm": name,
        "revision": census.revision,
        "epoch": census.epoch,
        "cursor": census.cursor.map(|at| format!("{}:{}", at.epoch, at.revision.get())),
        "keys": census.keys,
        "writes": census.writes,
        "members": census.members,
        "pending_writes": census.waiting,
        "receipts": census.receipts,
        "memory": census.memory,
        "unreadable": census.unreadable,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_copy_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = scratch().unwrap();
        let mode = scratch.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_copy_is_removed_while_it_is_being_made() {
        let scratch = scratch().unwrap();
        let place = scratch.path().to_owned();
        let (begun, begins) = std::sync::mpsc::channel();
        let copying = std::thread::spawn(move || {
            let mut files = 0;
            while fs::write(place.join(files.to_string()), "of the store").is_ok() {
                files += 1;
                let _ = begun.send(());
            }
            files
        });
        begins.recv().unwrap();
        remove(&scratch);
        assert!(copying.join().unwrap() > 0);
        assert!(!scratch.path().exists());
    }
}
