//! An acknowledgement comes after an fsync of what it acknowledges: seen by strace.
#![cfg(all(target_os = "linux", any(feature = "sled", feature = "redb")))]
#![allow(clippy::unwrap_used, reason = "helpers fail by panicking, as tests do")]

#[path = "support/common.rs"]
mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{CHILD_DIRECTORY, CHILD_ENGINE, Disk, batch, child, put, say, swarm};

const ACKS: usize = 6;

/// Not a test of its own: commits and says so.
#[tokio::test]
async fn committer() {
    let Some((disk, directory)) = Disk::of_child() else {
        return;
    };
    let store = disk.open(directory).unwrap();
    let s = swarm("s");
    for number in 0..ACKS {
        // Small, chunked, and through the redo log.
        let ops = match number % 3 {
            0 => vec![put("k", "v")],
            1 => vec![put("large", vec![1; 20_000])],
            _ => (0..200).map(|i| put([i], [i; 50])).collect(),
        };
        store.commit(vec![batch(&s, ops)]).await.unwrap();
        say(&format!("ack {number}"));
    }
    store.close().await.unwrap();
}

/// One finished system call.
#[derive(Debug)]
struct Call {
    name: String,
    /// The path or pipe that its first argument stands for.
    file: String,
    arguments: String,
    result: i64,
    /// Lines of the trace at which it began and ended.
    begun: usize,
    ended: usize,
}

impl Call {
    fn parse(text: &str, begun: usize, ended: usize) -> Option<Self> {
        let (name, rest) = text.split_once('(')?;
        let (arguments, result) = rest.rsplit_once(" = ")?;
        let (_, file) = arguments.split_once('<')?;
        let (file, _) = file.split_once('>')?;
        let result = result.split(' ').next()?.parse().ok()?;
        Some(Self {
            name: name.to_owned(),
            file: file.to_owned(),
            arguments: arguments.to_owned(),
            result,
            begun,
            ended,
        })
    }

    fn is_write_to(&self, file: &Path) -> bool {
        matches!(&*self.name, "write" | "pwrite64") && Path::new(&self.file) == file
    }

    fn is_sync_of(&self, file: &Path) -> bool {
        matches!(&*self.name, "fsync" | "fdatasync")
            && Path::new(&self.file) == file
            && self.result == 0
    }
}

/// The calls of a trace with `-f -y`, calls that another thread interrupted put together again.
fn parse(trace: &str) -> Vec<Call> {
    let mut unfinished: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, text)) = line.split_once(' ') else {
            continue;
        };
        let text = text.trim_start();
        if let Some(start) = text.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (at, start));
        } else if let Some(rest) = text.strip_prefix("<... ") {
            let (Some((begun, start)), Some((_, end))) =
                (unfinished.remove(thread), rest.split_once(" resumed>"))
            else {
                continue;
            };
            calls.extend(Call::parse(&format!("{start}{end}"), begun, at));
        } else {
            calls.extend(Call::parse(text, at, at));
        }
    }
    calls
}

/// The trace of `committer` on `directory`, or why there is none.
fn trace(disk: Disk, directory: &Path, output: &Path) -> Result<String, String> {
    let traced = child("committer", disk, directory);
    let result = Command::new("strace")
        .args(["-f", "-y", "-s", "64", "-e"])
        .arg("trace=fdatasync,fsync,pwrite64,write,sync_file_range")
        .arg("-o")
        .arg(output)
        .arg(traced.get_program())
        .args(traced.get_args())
        .env(CHILD_DIRECTORY, directory)
        .env(CHILD_ENGINE, disk.database())
        .output();
    match result {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err("strace is not installed".to_owned())
        }
        Err(e) => panic!("strace: {e}"),
        Ok(run) if run.status.success() => Ok(std::fs::read_to_string(output).unwrap()),
        Ok(run) => {
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            let not_permitted = said.to_lowercase().contains("ptrace");
            assert!(not_permitted, "the traced run failed: {said}");
            Err("strace is not permitted to trace".to_owned())
        }
    }
}

#[cfg(feature = "sled")]
#[test]
fn every_acknowledgement_follows_an_fsync() {
    check(Disk::Sled, &["conf"]);
}

#[cfg(feature = "redb")]
#[test]
fn every_acknowledgement_of_redb_follows_an_fsync() {
    check(Disk::Redb, &[]);
}

/// `others` are files of the engine beside its rows.
fn check(disk: Disk, others: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    // strace shows paths without symbolic links.
    let root = place.path().canonicalize().unwrap();
    let directory = root.join("store");
    let trace = match trace(disk, &directory, &root.join("trace")) {
        Ok(trace) => trace,
        Err(reason) => {
            let mut told = std::io::stderr();
            writeln!(told, "skipped: {reason}").unwrap();
            return;
        }
    };
    let calls = parse(&trace);
    let acks: Vec<&Call> = calls
        .iter()
        .filter(|call| call.name == "write" && call.arguments.contains("ack "))
        .collect();
    assert_eq!(acks.len(), ACKS, "acknowledgements in the trace:\n{trace}");
    let mut before = 0;
    for ack in acks {
        for file in [disk.database(), "seal"].map(|name| directory.join(name)) {
            let written = calls
                .iter()
                .rfind(|call| call.is_write_to(&file) && call.ended < ack.begun)
                .unwrap_or_else(|| panic!("no write to {}", file.display()));
            assert!(
                written.begun > before,
                "nothing was written to {} for {}",
                file.display(),
                ack.arguments
            );
            let synced = calls.iter().any(|call| {
                call.is_sync_of(&file) && call.begun > written.ended && call.ended < ack.begun
            });
            assert!(
                synced,
                "{} was not fsynced between its last write and {}",
                file.display(),
                ack.arguments
            );
        }
        before = ack.ended;
    }
    // What opening made must be durable before anything is acknowledged, the names included.
    for file in ["", disk.database(), "format"].iter().chain(others) {
        let file = directory.join(file);
        let is_format = |call: &Call| call.file.ends_with("format.new");
        let found = calls
            .iter()
            .any(|call| call.is_sync_of(&file) || is_format(call) && file.ends_with("format"));
        assert!(found, "{} was never fsynced", file.display());
    }
}
