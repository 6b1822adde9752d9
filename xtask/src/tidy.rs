//! The conventions no compiler checks. Every violation is listed, not only the first.

mod bad_input;
mod docs;
mod files;
mod invariants;
mod layers;

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::shell::output;

/// What is wrong, one line each.
pub(crate) type Findings = Vec<String>;

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let tracked = tracked(root)?;
    let mut findings = Findings::new();
    layers::check(root, &mut findings)?;
    files::check(root, &tracked, &mut findings)?;
    docs::check(root, &tracked, &mut findings)?;
    invariants::check(root, &tracked, &mut findings)?;
    if findings.is_empty() {
        eprintln!("tidy: {} files, nothing to say", tracked.len());
        return Ok(());
    }
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    bail!("{} findings", findings.len())
}

/// Files that are, or would be, in the repository.
pub(crate) fn tracked(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut git = std::process::Command::new("git");
    git.current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others"])
        .arg("--exclude-standard");
    let listed = output(git)?;
    let mut files: Vec<PathBuf> = listed.split_terminator('\0').map(PathBuf::from).collect();
    files.retain(|file| root.join(file).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}
