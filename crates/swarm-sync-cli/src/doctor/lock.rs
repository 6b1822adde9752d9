//! Who has the directory open. The lock is not tried, as a node that starts at that moment would be refused:
//! the system's list of locks tells.

use std::path::Path;

use super::report::Check;

/// Looks at a directory that is there; nothing where the system keeps no such list, or there is no lock.
#[cfg(target_os = "linux")]
pub(super) fn look(directory: &Path) -> Option<Check> {
    use std::os::unix::fs::MetadataExt;

    let found = std::fs::metadata(swarm_sync::lock_file(directory)).ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let (major, minor) = (
        rustix::fs::major(found.dev()),
        rustix::fs::minor(found.dev()),
    );
    let file = format!("{major:02x}:{minor:02x}:{}", found.ino());
    let what = "in use";
    Some(match holder(&locks, &file) {
        Some(process) => Check::ok(
            what,
            format!("process {process} has it open; another node needs another directory"),
        ),
        None => Check::ok(what, "no process here has it open"),
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn look(_directory: &Path) -> Option<Check> {
    None
}

/// The process that holds the lock on `file`, which is written as the list has it. Those that only wait for
/// one have an arrow before the rest.
#[cfg(target_os = "linux")]
fn holder<'a>(locks: &'a str, file: &str) -> Option<&'a str> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, _, process, locked, ..] if locked == file => Some(process),
            _ => None,
        }
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_among_others() {
        let locks = "\
1: POSIX  ADVISORY  WRITE 11 fe:00:7 0 EOF
2: FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF
3: FLOCK  ADVISORY  WRITE 13 fe:00:7 0 EOF
3: -> FLOCK  ADVISORY  WRITE 14 fe:00:7 0 EOF
nonsense
";
        assert_eq!(holder(locks, "fe:00:7"), Some("13"));
        assert_eq!(holder(locks, "fe:00:77"), Some("12"));
        assert_eq!(holder(locks, "fd:00:7"), None);
        assert_eq!(holder("", "fe:00:7"), None);
    }
}
