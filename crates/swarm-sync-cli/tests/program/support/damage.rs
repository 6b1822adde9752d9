//! Damage to the files of a stopped node.

use std::path::{Path, PathBuf};

/// The file with the rows, whichever engine keeps them.
pub(crate) fn database(directory: &Path) -> PathBuf {
    let files = ["db", "rows.redb"].map(|name| directory.join(name));
    let found = files.into_iter().find(|file| file.exists());
    found.expect("it is a store")
}

/// Flips a bit wherever `text` stands among the rows.
pub(crate) fn flip(directory: &Path, text: &str) {
    let file = database(directory);
    let mut bytes = std::fs::read(&file).expect("readable");
    let wanted = text.as_bytes();
    let places: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(wanted))
        .collect();
    assert!(!places.is_empty(), "{text} is not in {}", file.display());
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(&file, bytes).expect("writable");
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
