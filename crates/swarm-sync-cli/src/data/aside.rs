//! A name beside a directory, with the time, for what is moved out of its way.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names that are tried for one second. More recoveries of one directory do not fit into it.
const TRIES_MAX: u32 = 100;

/// `path` with something behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    // A path may end with a separator, which is no part of the name.
    let plain: PathBuf = path.components().collect();
    let mut name: OsString = plain.into_os_string();
    name.push(suffix);
    name.into()
}

/// A free name for the damaged directory `path`; none if all that were tried are taken.
pub(super) fn free(path: &Path, now: SystemTime) -> Option<PathBuf> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = date(since);
    let tried = (1..=TRIES_MAX).map(|try_| match try_ {
        1 => beside(path, &format!(".damaged-{date}")),
        more => beside(path, &format!(".damaged-{date}-{more}")),
    });
    let mut free = tried.filter(|name| std::fs::symlink_metadata(name).is_err());
    free.next()
}

/// Seconds since 1970 as `2026-11-23T161500Z`: a colon means something else in some paths.
fn date(since: Duration) -> String {
    let secs = since.as_secs();
    let (day, second) = (secs / 86_400, secs % 86_400);
    // Days are counted from the first of March, so that a leap day is the last of its year.
    let days = day + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_leap_days_are_counted() {
        for (secs, expected) in [
            (0, "1970-01-01T000000Z"),
            (951_782_399, "2000-02-28T235959Z"),
            (951_782_400, "2000-02-29T000000Z"),
            (951_868_800, "2000-03-01T000000Z"),
            (1_767_225_600, "2026-01-01T000000Z"),
            (4_107_542_400, "2100-03-01T000000Z"),
        ] {
            assert_eq!(date(Duration::from_secs(secs)), expected);
        }
    }

    #[test]
    fn a_name_that_is_taken_is_not_used_again() {
        let place = tempfile::tempdir().unwrap();
        let hub = place.path().join("hub/");
        let first = free(&hub, UNIX_EPOCH).unwrap();
        assert_eq!(first, place.path().join("hub.damaged-1970-01-01T000000Z"));
        std::fs::create_dir(&first).unwrap();
        let second = free(&hub, UNIX_EPOCH).unwrap();
        assert_eq!(second, beside(&first, "-2"));
    }
}
