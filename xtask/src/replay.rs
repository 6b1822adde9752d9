//! Real input: the history of this repository, one of a crowd and one of many paths, each replayed as a
//! swarm and compared with git by the program itself.

mod history;
mod memory;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::shell::{cargo, git, output, run as finish};

use self::history::History;

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    replay(root, root, &["--agents", "5"])?;
    replay(root, root, &["--agents", "5", "--offline-every", "3"])?;
    let crowd = history::crowd();
    let directory = generate(root, "crowd", &crowd)?;
    for more in [&[][..], &["--offline-every", "3"]] {
        check(&crowd, &replay(root, &directory, more)?)?;
    }
    let wide = history::wide();
    let directory = generate(root, "wide", &wide)?;
    check(&wide, &replay(root, &directory, &[])?)
}

/// Whether it was this history, and in no more memory than its state explains.
fn check(history: &History, facts: &Value) -> anyhow::Result<()> {
    ensure!(facts["commits"] == history.commits && facts["agents"] == history.size.agents);
    if let Some(bytes) = facts["peak_memory_bytes"].as_u64() {
        let limit = memory::limit(&history.size);
        eprintln!("{bytes} bytes of memory, of at most {limit}");
        ensure!(bytes <= limit, "{bytes} bytes of memory, over {limit}");
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

/// A bare repository with this history, in the place of an earlier one.
fn generate(root: &Path, name: &str, history: &History) -> anyhow::Result<PathBuf> {
    let directory = root.join("target/replay").join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    finish(git(&directory, &["init", "--quiet", "--bare"]))?;
    finish(git(
        &directory,
        &["symbolic-ref", "HEAD", "refs/heads/main"],
    ))?;
    let mut import = git(&directory, &["fast-import", "--quiet"]);
    let mut child = import.stdin(Stdio::piped()).spawn().context("git")?;
    let mut pipe = child.stdin.take().context("git takes a history")?;
    pipe.write_all(history.stream.as_bytes())?;
    drop(pipe);
    ensure!(child.wait()?.success(), "`git fast-import` failed");
    Ok(directory)
}
