//! The backups that a hub makes of itself while it serves.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use swarm_sync::StateSynchronizer;
use swarm_sync::keeping::{BackedUp, KeepingError};
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::cli::ServeArgs;
use crate::exit::{Code, Failure};

/// After one that failed, unless the next is due sooner.
const RETRY: Duration = Duration::from_mins(1);

/// What a name is but for its digits. The order of the names is that of time.
const PREFIX: &str = "hub-";
const SUFFIX: &str = "Z.backup";

/// Where they are made, and when.
#[derive(Debug)]
pub(super) struct Backups {
    directory: PathBuf,
    every: Duration,
    kept: usize,
}

impl Backups {
    /// What `args` want, if they do. The directory is made if it is not there; `data` is the hub's own.
    pub(super) fn of(args: &ServeArgs, data: Option<&Path>) -> Result<Option<Self>, Failure> {
        let Some(directory) = args.backups.clone() else {
            return Ok(None);
        };
        let failed = |error: io::Error| {
            let message = format!(
                "{} cannot be used for backups: {error}; see to it, or choose another with --backups",
                directory.display()
            );
            Failure::new(Code::Data, "backups", message)
        };
        make(&directory).map_err(failed)?;
        names(&directory).map_err(failed)?;
        let within = |data: &Path| Ok(directory.canonicalize()?.starts_with(data.canonicalize()?));
        if data.map(within).transpose().map_err(failed)? == Some(true) {
            let message = format!(
                "{} is in the directory that is to be backed up, and would be lost with it; choose another \
                 with --backups, on another disk if there is one",
                directory.display()
            );
            return Err(Failure::new(Code::Usage, "config", message));
        }
        Ok(Some(Self {
            directory,
            every: args.backup_every,
            kept: args.backups_kept,
        }))
    }

    /// Makes one whenever one is due, and never ends.
    pub(super) async fn make(&self, hub: &StateSynchronizer) {
        let mut wait = self.until_due(SystemTime::now());
        loop {
            sleep(wait).await;
            wait = match self.make_one(hub).await {
                Ok((file, made)) => {
                    let (file, rows, bytes) = (file.display(), made.rows, made.bytes);
                    tracing::info!(%file, rows, bytes, "the hub was backed up");
                    self.every
                }
                // A new hub, to which nobody has written.
                Err(KeepingError::Nothing) => self.every.min(RETRY),
                Err(error) => {
                    tracing::error!(%error, "the hub could not be backed up; it will be tried again");
                    self.every.min(RETRY)
                }
            };
        }
    }

    /// Until the newest there is, of this run or one before, is as old as it may get.
    fn until_due(&self, now: SystemTime) -> Duration {
        let newest = names(&self.directory)
            .ok()
            .and_then(|mut names| names.pop());
        let made = newest.and_then(|name| {
            fs::metadata(self.directory.join(name))
                .ok()?
                .modified()
                .ok()
        });
        let Some(made) = made else {
            return Duration::ZERO;
        };
        // One of the future was made under a clock that was wrong.
        let age = now.duration_since(made).unwrap_or_default();
        self.every.saturating_sub(age)
    }

    /// Makes one, and removes what is too many by now.
    async fn make_one(&self, hub: &StateSynchronizer) -> Result<(PathBuf, BackedUp), KeepingError> {
        let file = self.directory.join(name(OffsetDateTime::now_utc()));
        let made = hub.backup(&file).await?;
        if let Err(error) = self.remove_oldest() {
            tracing::warn!(%error, "a backup that is too many could not be removed");
        }
        Ok((file, made))
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let names = names(&self.directory)?;
        let too_many = names.len().saturating_sub(self.kept);
        for name in &names[..too_many] {
            fs::remove_file(self.directory.join(name))?;
        }
        Ok(())
    }
}

fn name(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    format!(
        "{PREFIX}{:04}{:02}{:02}T{:02}{:02}{:02}{SUFFIX}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Whether a file is one of those that are made here. No other is ever removed.
fn is_ours(name: &str) -> bool {
    let digits = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    let parts = digits.and_then(|digits| digits.split_once('T'));
    let all = |part: &str, count| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    parts.is_some_and(|(date, time)| all(date, 8) && all(time, 6))
}

/// The backups there are, the oldest first.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        found.extend(
            name.to_str()
                .filter(|name| is_ours(name))
                .map(str::to_owned),
        );
    }
    found.sort();
    Ok(found)
}

/// Its owner's alone if it is made here: all of the state is in the files.
fn make(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backups(directory: &Path) -> Backups {
        Backups {
            directory: directory.to_owned(),
            every: Duration::from_hours(1),
            kept: 2,
        }
    }

    #[test]
    fn names_follow_time_and_nothing_else_is_taken_for_one() {
        let at = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        assert_eq!(name(at), "hub-20231114T221320Z.backup");
        assert!(is_ours(&name(at)));
        for other in [
            "hub-monday.backup",
            "hub-20231114T22132Z.backup",
            "hub-20231114T221320Z.backup.partial",
            "",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn the_newest_stay_and_so_does_what_is_not_ours() {
        let place = tempfile::tempdir().unwrap();
        let made = |name: &str| fs::write(place.path().join(name), "").unwrap();
        made("hub-20230101T000000Z.backup");
        made("hub-20240101T000000Z.backup");
        made("hub-20220101T000000Z.backup");
        made("hub-monday.backup");
        backups(place.path()).remove_oldest().unwrap();
        let mut left: Vec<_> = fs::read_dir(place.path())
            .unwrap()
            .map(|f| f.unwrap().file_name())
            .collect();
        left.sort();
        let left: Vec<_> = left.iter().filter_map(|name| name.to_str()).collect();
        assert_eq!(
            left,
            [
                "hub-20230101T000000Z.backup",
                "hub-20240101T000000Z.backup",
                "hub-monday.backup"
            ]
        );
    }

    #[test]
    fn one_is_due_when_the_newest_is_old_also_one_of_a_run_before() {
        let place = tempfile::tempdir().unwrap();
        let backups = backups(place.path());
        let now = SystemTime::now();
        assert_eq!(backups.until_due(now), Duration::ZERO);
        fs::write(place.path().join("hub-20240101T000000Z.backup"), "").unwrap();
        let wait = backups.until_due(now + Duration::from_mins(20));
        assert!(
            wait <= Duration::from_mins(40) && wait > Duration::from_mins(39),
            "{wait:?}"
        );
        assert_eq!(
            backups.until_due(now + Duration::from_hours(2)),
            Duration::ZERO
        );
        assert!(backups.until_due(now - Duration::from_hours(9)) <= Duration::from_hours(1));
    }
}
