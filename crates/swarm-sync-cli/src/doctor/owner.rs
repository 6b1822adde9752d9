//! Whose the directory is, and who else may enter it.

use std::path::Path;

use super::report::Check;

/// Looks at a directory that is there; nothing where the system knows no owners.
#[cfg(unix)]
pub(super) fn look(directory: &Path) -> Option<Check> {
    use std::os::unix::fs::MetadataExt;

    let found = std::fs::metadata(directory).ok()?;
    let own = rustix::process::geteuid().as_raw();
    let name = directory.display().to_string();
    Some(judge(&name, found.mode() & 0o777, found.uid(), own))
}

#[cfg(not(unix))]
pub(super) fn look(_directory: &Path) -> Option<Check> {
    None
}

#[cfg(unix)]
fn judge(name: &str, mode: u32, owner: u32, own: u32) -> Check {
    let what = "permissions";
    if owner != own {
        return Check::warn(
            what,
            format!(
                "{name} belongs to user {owner}, and this runs as user {own}: start the node as its owner, \
                 else files of two owners get mixed there"
            ),
        );
    }
    if mode & 0o077 > 0 {
        return Check::warn(
            what,
            format!(
                "others than the owner may enter {name} (mode {mode:03o}), and read what is in it: chmod 700 {name}"
            ),
        );
    }
    Check::ok(
        what,
        format!("{name} is its owner's alone (mode {mode:03o})"),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn a_directory_is_to_be_its_owners_alone() {
        for (mode, owner, own, verdict, words) in [
            (0o700, 1_000, 1_000, Verdict::Ok, "mode 700"),
            (0o500, 1_000, 1_000, Verdict::Ok, "mode 500"),
            (0o755, 1_000, 1_000, Verdict::Warn, "chmod 700 place"),
            (0o701, 1_000, 1_000, Verdict::Warn, "mode 701"),
            (0o700, 0, 1_000, Verdict::Warn, "belongs to user 0"),
            (0o700, 1_000, 0, Verdict::Warn, "runs as user 0"),
        ] {
            let check = judge("place", mode, owner, own);
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.message.contains(words), "{check:?}");
        }
    }
}
