//! How much room is left.

use std::path::Path;

use super::report::Check;

/// Below it a node takes no new writes, unless told otherwise.
#[cfg(unix)]
const LEAST: u64 = swarm_sync::KEEP_FREE;

/// Below it there is time to see to it.
#[cfg(unix)]
const LITTLE: u64 = 1 << 30;

/// Looks at the filesystem of a directory; nothing where the system does not tell.
#[cfg(unix)]
pub(super) fn look(directory: &Path) -> Option<Check> {
    let found = rustix::fs::statvfs(directory).ok()?;
    let name = directory.display().to_string();
    Some(judge(&name, found.f_bavail.saturating_mul(found.f_frsize)))
}

#[cfg(not(unix))]
pub(super) fn look(_directory: &Path) -> Option<Check> {
    None
}

#[cfg(unix)]
fn judge(name: &str, free: u64) -> Check {
    let what = "space";
    let mib = free >> 20;
    let message = format!("{mib} MiB are free in {name}");
    let advice = "a node refuses new writes when its disk is nearly full, and stops when it is full; make room, or choose another directory with --data";
    match free {
        0..LEAST => Check::fail(
            what,
            crate::exit::Code::Data,
            format!("{message}: {advice}"),
        ),
        LEAST..LITTLE => Check::warn(what, format!("{message}: {advice}")),
        _ => Check::ok(what, message),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    /// Bad input, row 21.
    #[test]
    fn little_room_is_said_before_there_is_none() {
        for (free, verdict) in [
            (0, Verdict::Fail),
            (LEAST - 1, Verdict::Fail),
            (LEAST, Verdict::Warn),
            (LITTLE - 1, Verdict::Warn),
            (LITTLE, Verdict::Ok),
            (u64::MAX, Verdict::Ok),
        ] {
            assert_eq!(judge("place", free).verdict, verdict, "{free}");
        }
    }
}
