//! Damage to the files of a stopped node.

use std::path::{Path, PathBuf};

/// The file with the rows, whichever engine keeps them.
pub(crate) fn database(directory: &Path) -> PathBuf {
    let files = ["db", "rows.redb"].map(|name| directory.join(name));
    let found = files.into_iter().find(|file| file.exists());
    found.expect("it is a store")
}

/// Where `text` stands among the rows.
pub(crate) fn places(directory: &Path, text: &str) -> Vec<usize> {
    let file = database(directory);
    let bytes = std::fs::read(&file).expect("readable");
    let found = bytes.windows(text.len()).enumerate();
    let places: Vec<usize> = found
        .filter(|(_, window)| *window == text.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "{text} is not in {}", file.display());
    places
}

/// Flips a bit at one place.
pub(crate) fn flip_at(directory: &Path, place: usize) {
    let file = database(directory);
    let mut bytes = std::fs::read(&file).expect("readable");
    bytes[place] ^= 1;
    std::fs::write(&file, bytes).expect("writable");
}

/// Flips a bit wherever `text` stands among the rows.
pub(crate) fn flip(directory: &Path, text: &str) {
    for place in places(directory, text) {
        flip_at(directory, place);
    }
}

/// Names, contents and times of all files.
pub(crate) fn content(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("readable").path();
        let name = path.display().to_string();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            let changed = path.metadata().and_then(|told| told.modified());
            let name = format!("{name} {:?}", changed.ok());
            found.push((name, std::fs::read(&path).expect("readable")));
        }
    }
    found.sort();
    found
}
