//! The wish of the system that the process ends.

#[cfg(unix)]
mod guard;

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP, listened to from the moment this is made. From then on a second one
/// ends the process at once, and the first soon if nobody reads what it prints.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    heard: Heard,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        guard::start()?;
        Ok(Self {
            heard: Heard::listen()?,
        })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "the same face everywhere")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for any of them.
    #[cfg(unix)]
    pub(crate) async fn end(&mut self) {
        self.heard.next().await;
    }

    #[cfg(not(unix))]
    pub(crate) async fn end(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The signals as one runtime hears them.
#[cfg(unix)]
#[derive(Debug)]
struct Heard {
    interrupt: Signal,
    terminate: Signal,
    /// None if it is to go unheard.
    hang_up: Option<Signal>,
}

#[cfg(unix)]
impl Heard {
    /// Within a runtime.
    fn listen() -> io::Result<Self> {
        let heard = hears_hang_up();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: heard.then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    /// Waits for any of them and says which came.
    async fn next(&mut self) -> SignalKind {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = hang_up => SignalKind::hangup(),
        }
    }
}

/// Whether the end of the terminal is to end this process. Under `nohup` it is not: SIGHUP is
/// ignored from the start, and listening to it would undo that. Where the system does not tell, it
/// is left as it was found, for the sake of `nohup`.
#[cfg(unix)]
fn hears_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores_hang_up(&status) == Some(false)
}

/// What Linux says of a process: a mask of the signals it ignores, the first of which is SIGHUP.
#[cfg(unix)]
fn ignores_hang_up(status: &str) -> Option<bool> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask & 1 == 1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_mask_says_whether_a_hang_up_is_ignored() {
        let status = |mask: &str| format!("Name:\tx\nSigIgn:\t{mask}\nSigCgt:\t0000000000000001\n");
        assert_eq!(ignores_hang_up(&status("0000000000000001")), Some(true));
        assert_eq!(ignores_hang_up(&status("0000000000001000")), Some(false));
        assert_eq!(ignores_hang_up(&status("")), None);
        assert_eq!(ignores_hang_up(""), None);
    }
}
