//! Real input: the history of this repository, and one of a crowd, each replayed as a swarm and
//! compared with git by the program itself.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::shell::{cargo, output, run as finish};

const COMMITS: u64 = 2_000;
const AUTHORS: u64 = 500;

/// A replay within these bounds does not hold the history, however long that is: per replica with its
/// store, for a few hundred keys that hundreds wrote to, and for everything else.
const REPLICA_BYTES_MAX: u64 = 2 << 20;
const PROGRAM_BYTES_MAX: u64 = 64 << 20;

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    replay(root, root, &["--agents", "5"])?;
    replay(root, root, &["--agents", "5", "--offline-every", "3"])?;
    let crowd = root.join("target/replay");
    if crowd.exists() {
        fs::remove_dir_all(&crowd)?;
    }
    generate(&crowd)?;
    for more in [&[][..], &["--offline-every", "3"]] {
        let facts = replay(root, &crowd, more)?;
        ensure!(facts["commits"] == COMMITS && facts["agents"] == AUTHORS);
        if let Some(bytes) = facts["peak_memory_bytes"].as_u64() {
            let limit = AUTHORS * REPLICA_BYTES_MAX + PROGRAM_BYTES_MAX;
            ensure!(bytes <= limit, "{bytes} bytes of memory, over {limit}");
        }
    }
    Ok(())
}

/// Replays and returns the facts but for their lists, which it prints.
fn replay(root: &Path, repository: &Path, more: &[&str]) -> anyhow::Result<Value> {
    let mut command = cargo(root, &["run", "--release", "--", "replay", "--json"]);
    command.arg(repository).args(more);
    let printed = output(command)?;
    let mut facts: Value = serde_json::from_str(&printed)?;
    ensure!(facts["ok"] == true, "a replay says {facts}");
    if let Some(facts) = facts.as_object_mut() {
        facts.retain(|_, fact| !fact.is_array());
    }
    eprintln!("{facts}");
    Ok(facts)
}

/// A bare repository in which most write to files of a few, and all to some.
fn generate(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    finish(git(directory, &["init", "--quiet", "--bare"]))?;
    finish(git(directory, &["symbolic-ref", "HEAD", "refs/heads/main"]))?;
    let mut import = git(directory, &["fast-import", "--quiet"]);
    let mut child = import.stdin(Stdio::piped()).spawn().context("git")?;
    let mut pipe = child.stdin.take().context("git takes a history")?;
    pipe.write_all(history().as_bytes())?;
    drop(pipe);
    ensure!(child.wait()?.success(), "`git fast-import` failed");
    Ok(())
}

/// Runs git on what is in `directory`. Within a hook, `GIT_DIR` and its like name the repository that was
/// committed to: it would be that one whose history is made up.
fn git(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"GIT_") {
            command.env_remove(name);
        }
    }
    command.arg("-C").arg(directory).args(words);
    command
}

/// A stream for `git fast-import`, the same each time.
fn history() -> String {
    let mut state = 7_u64;
    // Knuth's constants; the low bits of such a sequence repeat soon, so the high ones count.
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % limit
    };
    let mut stream = String::new();
    for commit in 0..COMMITS {
        // Everybody writes once, then whoever comes.
        let author = if commit < AUTHORS {
            commit
        } else {
            below(AUTHORS)
        };
        let time = 1_700_000_000 + commit;
        let _ = write!(
            stream,
            "commit refs/heads/main\n\
             committer author-{author} <author-{author}@example.org> {time} +0000\ndata 0\n"
        );
        for _ in 0..=below(3) {
            let path = if below(4) > 0 {
                format!("own/{}", author % 200)
            } else {
                format!("shared/{}", below(50))
            };
            let _ = if below(10) > 0 {
                let content = format!("content {commit}");
                let bytes = content.len();
                write!(stream, "M 100644 inline {path}\ndata {bytes}\n{content}\n")
            } else {
                writeln!(stream, "D {path}")
            };
        }
    }
    stream
}
