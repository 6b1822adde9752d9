//! The wish of the system that the process ends.

#[cfg(unix)]
mod guard;

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    End,
    /// To read files anew.
    #[cfg_attr(not(unix), expect(dead_code, reason = "other systems have no SIGHUP"))]
    Reload,
}

/// SIGINT, SIGTERM and SIGHUP, listened to from the moment this is made. From then on a second one
/// ends the process at once, and the first soon if nobody reads what it prints.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    heard: Heard,
    #[cfg(unix)]
    hang_up: HangUp,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        Self::listen_as(HangUp::Ends)
    }

    /// The same, but SIGHUP asks for a reload, as is usual for a service, and any number of times. If it comes
    /// because the terminal is gone on which the process was started, it asks for the end even so.
    #[cfg(unix)]
    pub(crate) fn listen_for_reloads() -> io::Result<Self> {
        let on_terminal = has_terminal();
        Self::listen_as(HangUp::Reloads { on_terminal })
    }

    #[cfg(unix)]
    fn listen_as(hang_up: HangUp) -> io::Result<Self> {
        guard::start(hang_up)?;
        let heard = Heard::listen(hears_hang_up())?;
        Ok(Self { heard, hang_up })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "the same face everywhere")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    pub(crate) fn listen_for_reloads() -> io::Result<Self> {
        Self::listen()
    }

    /// Waits for any of them, and says what it asks for.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Wish {
        let signal = self.heard.next().await;
        match self.hang_up {
            HangUp::Reloads { on_terminal } if signal == SignalKind::hangup() => {
                if on_terminal && !has_terminal() {
                    tracing::warn!("the terminal is gone on which this was started: it ends");
                    return Wish::End;
                }
                Wish::Reload
            }
            _ => Wish::End,
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Wish {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Wish::End
    }

    /// Waits for one that asks for the end.
    pub(crate) async fn end(&mut self) {
        while self.next().await != Wish::End {}
    }
}

/// What SIGHUP asks for.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HangUp {
    Ends,
    Reloads {
        /// The process had a terminal at the start.
        on_terminal: bool,
    },
}

/// Whether this process has a terminal that can end it. One that was hung up on is none.
#[cfg(unix)]
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
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
    fn listen(hang_up: bool) -> io::Result<Self> {
        let hang_up = hang_up.then(|| signal(SignalKind::hangup()));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: hang_up.transpose()?,
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

/// Whether the end of the terminal, or a SIGHUP by hand, is to be heard. Under `nohup` it is not: SIGHUP is
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
