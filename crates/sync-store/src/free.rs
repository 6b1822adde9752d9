//! How much room the disk of a directory has.

use std::path::Path;

/// What is free for this process; none where the system does not say.
#[cfg(unix)]
pub(crate) fn bytes_of(directory: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(directory).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
pub(crate) fn bytes_of(_directory: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_some_and_one_that_is_not_there_does_not_say() {
        let directory = tempfile::tempdir().expect("a place");
        assert!(bytes_of(directory.path()).is_some());
        assert_eq!(bytes_of(&directory.path().join("gone")), None);
    }
}
