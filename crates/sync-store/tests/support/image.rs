//! The files of a directory at one moment.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses a part; helpers fail by panicking, as tests do"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Files by their path within the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) directories: BTreeSet<PathBuf>,
}

impl Image {
    pub(crate) fn read(directory: &Path) -> Self {
        let mut image = Self {
            files: BTreeMap::new(),
            directories: BTreeSet::new(),
        };
        image.read_below(directory, Path::new(""));
        image
    }

    fn read_below(&mut self, root: &Path, below: &Path) {
        for entry in fs::read_dir(root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let path = below.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                self.read_below(root, &path);
                self.directories.insert(path);
            } else {
                self.files.insert(path, fs::read(entry.path()).unwrap());
            }
        }
    }

    pub(crate) fn write(&self, directory: &Path) {
        for path in &self.directories {
            fs::create_dir_all(directory.join(path)).unwrap();
        }
        for (path, bytes) in &self.files {
            fs::write(directory.join(path), bytes).unwrap();
        }
    }
}
