//! Where a release is made: a copy of the repository beside the build, so that whatever fails or is interrupted has
//! touched nothing else.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::shell::cargo;

/// A place that one release at a time has for itself.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The release commit, as it is tagged.
    pub(crate) tree: PathBuf,
    /// The same, with the edits that packages need.
    pub(crate) packages: PathBuf,
    /// The archive and its checksum.
    pub(crate) dist: PathBuf,
    /// What is built, kept for the next run. Cargo looks for no workspace above `target/package`.
    target: PathBuf,
    /// Held, and given back by the system however the run ends.
    _lock: File,
}

impl Stage {
    /// Opens the place under the target directory of the repository, empty but for what was built.
    pub(crate) fn open(target: &Path) -> anyhow::Result<Self> {
        let directory = target.join("xtask-release");
        let at = || format!("{}", directory.display());
        fs::create_dir_all(&directory).with_context(at)?;
        let lock = File::create(directory.join("lock")).with_context(at)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another release is being made in {}; wait for its end",
                at()
            ),
            Err(TryLockError::Error(error)) => return Err(error).with_context(at),
        }
        let stage = Self {
            tree: directory.join("tree"),
            packages: directory.join("packages"),
            dist: directory.join("dist"),
            target: directory.join("target"),
            _lock: lock,
        };
        for left in [&stage.tree, &stage.packages, &stage.dist] {
            if left.exists() {
                fs::remove_dir_all(left).with_context(|| format!("{}", left.display()))?;
            }
        }
        fs::create_dir_all(&stage.dist).with_context(at)?;
        Ok(stage)
    }

    /// `cargo` in a directory of the stage, which builds here as well.
    pub(crate) fn cargo(&self, directory: &Path, words: &[&str]) -> Command {
        let mut command = cargo(directory, words);
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Where `cargo package` leaves a crate.
    pub(crate) fn package(&self, name: &str, version: &str) -> PathBuf {
        self.target
            .join("package")
            .join(format!("{name}-{version}.crate"))
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        self.target.join("release").join(file)
    }
}
