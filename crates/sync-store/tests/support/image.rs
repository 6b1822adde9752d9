//! The files of a directory at one moment, and what a crash on the way to a later one leaves of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::Numbers;

/// What a disk writes as a whole, mostly.
const SECTOR: usize = 512;

/// Written and synced by itself, once everything else is.
const SEAL: &str = "seal";

/// Files by their path within the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    files: BTreeMap<PathBuf, Vec<u8>>,
    directories: BTreeSet<PathBuf>,
}

/// A sector of a file that differs.
type Place = (PathBuf, usize);

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

    /// What there may be if the power goes while `next` is being written: the sectors of the seal only
    /// after all others; of the others any, or the first ones; the last of them in part.
    pub(crate) fn torn(&self, next: &Self, numbers: &mut Numbers) -> Self {
        let (seal, mut rest): (Vec<Place>, Vec<Place>) = self
            .changed(next)
            .into_iter()
            .partition(|(path, _)| path.as_os_str() == SEAL);
        let any = numbers.below(2) == 0;
        if any {
            shuffle(&mut rest, numbers);
        }
        rest.extend(seal);
        let kept = usize::try_from(numbers.below(rest.len() as u64 + 1)).unwrap();
        let mut left = self.clone();
        left.directories.extend(next.directories.iter().cloned());
        // The length of a file is written apart.
        if numbers.below(2) == 0 {
            for (path, file) in &mut left.files {
                let new = next.files.get(path).map_or(0, Vec::len);
                file.resize(file.len().max(new), 0);
            }
        }
        for place in &rest[..kept] {
            left.copy(next, place, SECTOR);
        }
        if let Some(place) = rest.get(kept) {
            let part = usize::try_from(numbers.below(SECTOR as u64)).unwrap();
            left.copy(next, place, part);
        }
        left
    }

    /// The first bytes of a sector. A file grows as far as it is written.
    fn copy(&mut self, next: &Self, (path, sector): &Place, bytes: usize) {
        let new = &next.files[path];
        let file = self.files.entry(path.clone()).or_default();
        let from = (sector * SECTOR).min(new.len());
        let to = (from + bytes).min(new.len());
        if file.len() < to {
            file.resize(to, 0);
        }
        file[from..to].copy_from_slice(&new[from..to]);
    }

    /// In the order of files and places.
    fn changed(&self, next: &Self) -> Vec<Place> {
        let mut changed = Vec::new();
        for (path, new) in &next.files {
            let old = self.files.get(path).map(Vec::as_slice).unwrap_or_default();
            for (sector, bytes) in new.chunks(SECTOR).enumerate() {
                let from = (sector * SECTOR).min(old.len());
                let to = (from + bytes.len()).min(old.len());
                if old[from..to] != *bytes {
                    changed.push((path.clone(), sector));
                }
            }
        }
        changed
    }
}

fn shuffle(places: &mut [Place], numbers: &mut Numbers) {
    for last in (1..places.len()).rev() {
        let other = usize::try_from(numbers.below(last as u64 + 1)).unwrap();
        places.swap(last, other);
    }
}
