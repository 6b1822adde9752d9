//! The audit: a line of the log for each connection that is refused, with whom, from where and why.

use std::fmt;
#[cfg(feature = "tcp")]
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sync_core::id::{AgentId, SwarmId};
use tokio::time::{Instant, sleep_until};

use crate::lock;

/// Lines in a second: more than a person reads, and as many as a small swarm that tries again with the
/// wrong certificate needs. Whoever connects as fast as it can must not fill the disk of the log; what
/// is left out is counted, and the count is a line too.
const LINES_MAX: u32 = 50;

/// How long a line counts.
const SECOND: Duration = Duration::from_secs(1);

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin {
    /// Another end of a socket.
    #[cfg(feature = "tcp")]
    Address(SocketAddr),
    /// The same process.
    Process,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "tcp")]
            Self::Address(address) => address.fmt(f),
            Self::Process => f.write_str("this process"),
        }
    }
}

/// Writes the lines, and bounds them.
#[derive(Debug, Default)]
pub(crate) struct Audit(Mutex<Window>);

impl Audit {
    /// One connection was refused. Must be called within a tokio runtime.
    pub(crate) fn note(
        self: &Arc<Self>,
        from: Origin,
        who: Option<(&SwarmId, &AgentId)>,
        reason: &str,
    ) {
        let noted = lock(&self.0).take(Instant::now());
        match noted {
            Noted::Line { left_out } => {
                say_left_out(left_out);
                let (swarm, agent) = who.unzip();
                let (swarm, agent) = (
                    swarm.map(tracing::field::display),
                    agent.map(tracing::field::display),
                );
                tracing::warn!(target: "audit", %from, swarm, agent, reason, "a connection was refused");
            }
            Noted::LeftOut { sum_up: Some(due) } => {
                let audit = Arc::clone(self);
                tokio::spawn(async move {
                    sleep_until(due).await;
                    audit.sum_up();
                });
            }
            Noted::LeftOut { sum_up: None } => {}
        }
    }

    /// Says how many have no line, if there are any.
    pub(crate) fn sum_up(&self) {
        let left_out = std::mem::take(&mut lock(&self.0).left_out);
        say_left_out(left_out);
    }
}

fn say_left_out(left_out: u64) {
    if left_out > 0 {
        tracing::warn!(
            target: "audit",
            left_out,
            "more connections were refused, which have no line of their own: there are {LINES_MAX} in a second"
        );
    }
}

/// What becomes of a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Noted {
    /// It has a line, after one for those that had none.
    Line { left_out: u64 },
    /// It is counted. The first of a second says when to tell of the count.
    LeftOut { sum_up: Option<Instant> },
}

/// The second that is under way.
#[derive(Debug, Default)]
struct Window {
    until: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Window {
    fn take(&mut self, now: Instant) -> Noted {
        let until = match self.until {
            Some(until) if now < until => until,
            _ => {
                self.lines = 0;
                *self.until.insert(now + SECOND)
            }
        };
        if self.lines < LINES_MAX {
            self.lines += 1;
            let left_out = std::mem::take(&mut self.left_out);
            return Noted::Line { left_out };
        }
        self.left_out += 1;
        Noted::LeftOut {
            sum_up: (self.left_out == 1).then_some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the log of a test says.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            lock(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_line_is_summed_up_though_nobody_comes_any_more() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        let _guard = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());
        let audit = Arc::new(Audit::default());
        for _ in 0..LINES_MAX + 7 {
            audit.note(Origin::Process, None, "no hello");
        }
        let text = || String::from_utf8(lock(&log.0).clone()).unwrap();
        assert_eq!(text().lines().count(), LINES_MAX as usize);
        sleep_until(Instant::now() + 2 * SECOND).await;
        let said = text();
        assert_eq!(said.lines().count(), LINES_MAX as usize + 1);
        let last = said.lines().last().unwrap();
        assert!(last.contains("left_out=7"), "{last}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_has_so_many_lines_and_the_rest_is_counted() {
        let mut window = Window::default();
        let begun = Instant::now();
        for _ in 0..LINES_MAX {
            assert_eq!(window.take(begun), Noted::Line { left_out: 0 });
        }
        let due = Some(begun + SECOND);
        assert_eq!(window.take(begun), Noted::LeftOut { sum_up: due });
        assert_eq!(window.take(begun), Noted::LeftOut { sum_up: None });
        let later = begun + SECOND;
        assert_eq!(window.take(later), Noted::Line { left_out: 2 });
        assert_eq!(window.take(later), Noted::Line { left_out: 0 });
    }
}
