//! Whether the disk takes what is written, says so once it has it, and gives it back.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::report::Check;
use crate::exit::Code;

const WHAT: &str = "disk";

/// What is written: a few pages, so that it is more than a name.
const BYTES: usize = 64 << 10;

/// What a commit of a few rows adds.
const STEP_BYTES: usize = 4 << 10;

/// How often that is waited for: the middle one counts.
const STEPS: usize = 9;

/// A write that waits for the disk takes as long at least; a hub that does so is felt.
const SLOW: Duration = Duration::from_millis(100);

pub(super) fn look(directory: &Path) -> Check {
    judge(&directory.display().to_string(), try_out(directory))
}

/// Writes to a file that has no name, so that nothing is left of it whatever becomes of this process. How
/// long the disk takes to have a small write.
fn try_out(directory: &Path) -> io::Result<Duration> {
    let mut file = tempfile::tempfile_in(directory)?;
    let written: Vec<u8> = (0..BYTES + STEPS * STEP_BYTES)
        .map(|at| u8::try_from(at % 251).unwrap_or_default())
        .collect();
    let (first, rest) = written.split_at(BYTES);
    file.write_all(first)?;
    file.sync_all()?;
    let mut took = Vec::with_capacity(STEPS);
    for step in rest.chunks(STEP_BYTES) {
        file.write_all(step)?;
        let began = Instant::now();
        file.sync_data()?;
        took.push(began.elapsed());
    }
    let mut read = Vec::with_capacity(written.len());
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut read)?;
    if read != written {
        return Err(io::Error::other(
            "it gives back other bytes than it was given",
        ));
    }
    if cfg!(unix) {
        File::open(directory)?.sync_all()?;
    }
    took.sort_unstable();
    Ok(took[STEPS / 2])
}

fn judge(name: &str, tried: io::Result<Duration>) -> Check {
    match tried {
        Err(error) => Check::fail(
            WHAT,
            Code::Data,
            format!(
                "a file in {name} cannot be written and made durable: {error}; have the directory opened to \
                 this user, see to the disk, or choose another directory with --data"
            ),
        ),
        Ok(took) => {
            let message = format!(
                "written, fsynced and read back in {name}; the disk has a small write after {} µs",
                took.as_micros()
            );
            if took <= SLOW {
                return Check::ok(WHAT, message);
            }
            let advice = "each write that waits for the disk takes that long: choose a faster disk";
            Check::warn(WHAT, format!("{message}: {advice}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn a_disk_that_refuses_fails_and_one_that_takes_long_is_to_be_looked_at() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        for (tried, verdict, words) in [
            (Ok(Duration::from_micros(800)), Verdict::Ok, "800 µs"),
            (Ok(SLOW), Verdict::Ok, "100000 µs"),
            (Ok(SLOW * 2), Verdict::Warn, "a faster disk"),
            (Err(denied()), Verdict::Fail, "choose another directory"),
        ] {
            let check = judge("place", tried);
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.message.contains(words), "{check:?}");
        }
    }

    #[test]
    fn nothing_is_left_of_the_attempt() {
        let place = tempfile::tempdir().unwrap();
        try_out(place.path()).unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        assert!(try_out(&place.path().join("missing")).is_err());
    }
}
