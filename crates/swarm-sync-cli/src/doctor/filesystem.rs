//! Whether what is on the disk is still there tomorrow.

use std::path::Path;

use super::report::Check;
#[cfg(target_os = "linux")]
use crate::exit::Code;

/// What becomes of files there.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// They are memory.
    UntilRestart,
    /// They belong to a container's own layer.
    AsLongAsTheContainer,
    /// It is no place for files at all: what is in it the system makes up.
    Nothing,
    /// What fsync and locks are worth there is another machine's affair, or another program's.
    Elsewhere,
}

/// The kinds that are to be looked at, by the number that the system gives them.
#[cfg(target_os = "linux")]
const KINDS: [(u64, &str, Keeps); 14] = [
    (0x9fa0, "proc", Keeps::Nothing),
    (0x6265_6572, "sysfs", Keeps::Nothing),
    (0x6367_7270, "cgroup", Keeps::Nothing),
    (0x1cd1, "devpts", Keeps::Nothing),
    (0x0102_1994, "tmpfs", Keeps::UntilRestart),
    (0x8584_58f6, "ramfs", Keeps::UntilRestart),
    (0x794c_7630, "overlay", Keeps::AsLongAsTheContainer),
    (0x6969, "nfs", Keeps::Elsewhere),
    (0xff53_4d42, "cifs", Keeps::Elsewhere),
    (0xfe53_4d42, "smb", Keeps::Elsewhere),
    (0x0102_1997, "9p", Keeps::Elsewhere),
    (0x6573_5546, "fuse", Keeps::Elsewhere),
    (0x00c3_6400, "ceph", Keeps::Elsewhere),
    (0x5346_414f, "afs", Keeps::Elsewhere),
];

/// Looks at the filesystem of a directory; nothing where the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn look(directory: &Path) -> Option<Check> {
    let found = rustix::fs::statfs(directory).ok()?;
    // How wide the number is depends on the machine; the kinds need 32 bits.
    let kind = u64::try_from(found.f_type).unwrap_or_default() & 0xffff_ffff;
    Some(judge(&directory.display().to_string(), kind))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn look(_directory: &Path) -> Option<Check> {
    None
}

#[cfg(target_os = "linux")]
fn judge(name: &str, kind: u64) -> Check {
    let what = "filesystem";
    let Some((_, of_kind, keeps)) = KINDS.iter().find(|(number, ..)| *number == kind) else {
        let message =
            format!("{name} is on a local disk, as far as the system tells (type {kind:#x})");
        return Check::ok(what, message);
    };
    let warning = match keeps {
        Keeps::Nothing => {
            let message = format!(
                "{name} is {of_kind}, which holds what the system says of itself and no files of anybody: \
                 choose a directory on a disk with --data"
            );
            return Check::fail(what, Code::Data, message);
        }
        Keeps::UntilRestart => {
            "that is memory, and gone after a restart of the machine; choose a directory on a disk"
        }
        Keeps::AsLongAsTheContainer => {
            "in a container it is gone with the container; give it a volume for the data"
        }
        Keeps::Elsewhere => {
            "whether locks hold and what is fsynced stays is not this machine's to say; choose a local disk"
        }
    };
    Check::warn(what, format!("{name} is on {of_kind}: {warning}"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn what_does_not_last_is_to_be_looked_at() {
        for (kind, verdict, words) in [
            (0xef53, Verdict::Ok, "local disk"),
            (0x0102_1994, Verdict::Warn, "tmpfs: that is memory"),
            (0x794c_7630, Verdict::Warn, "with the container"),
            (0x6969, Verdict::Warn, "nfs: whether locks hold"),
            (0x9fa0, Verdict::Fail, "no files of anybody"),
        ] {
            let check = judge("place", kind);
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.message.contains(words), "{check:?}");
        }
    }
}
