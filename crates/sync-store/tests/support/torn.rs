//! What a crash on the way from one image to a later one may leave, of a store whose writes nobody sees.

use std::path::PathBuf;

use crate::common::Numbers;
use crate::image::Image;

/// What a disk writes as a whole, mostly.
const SECTOR: usize = 512;

/// Written and synced by itself, once everything else is.
const SEAL: &str = "seal";

/// A sector of a file that differs.
type Place = (PathBuf, usize);

impl Image {
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
