//! The bounds of a coordinator and of a link, each with its reason.

use std::collections::BTreeSet;
use std::time::Duration;

use sync_core::id::SwarmId;

use crate::frame::{FRAME_BYTES_MAX_CEILING, FRAME_BYTES_MAX_DEFAULT};

/// Frames that may wait for one peer. A hub sends a peer a handful per round; thousands waiting
/// mean that it stopped reading.
pub const OUTBOX_FRAMES_MAX: usize = 4096;

/// Bytes that may wait for one peer. Room for a catch-up of many full frames, and a bound on what
/// a peer that stopped reading makes the hub hold.
pub const OUTBOX_BYTES_MAX: usize = 16 << 20;

/// What one peer may have in line before the hub's owner, in units: a frame is one, and one more for
/// each KiB. A larger frame stands in line alone. So a peer that floods is at most this far ahead of
/// the others, and it waits in its own socket; enough to keep the owner busy while more is read.
pub const INBOX_UNITS_MAX: usize = 64;

/// The same within a process, where there is no socket to wait in: as much as the buffers of one
/// usually take, so that a sender that is a little ahead need not wait for the owner.
pub(crate) const MEMORY_INBOX_UNITS_MAX: usize = 4096;

/// No deadline is shorter: a peer needs time to be scheduled at all.
const DEADLINE_MIN: Duration = Duration::from_millis(10);

/// How a coordinator behaves. The in-memory one has no use for `hello`, `silence`,
/// `close` and `compression`.
#[derive(Debug, Clone)]
pub struct CoordinatorOptions {
    /// Swarms served; `None` serves every valid name.
    pub swarms: Option<BTreeSet<SwarmId>>,
    /// Peers connected at once, members and clients. Ten thousand: above the largest swarm the
    /// project measures, below the file descriptors of a usual server.
    pub connections_max: usize,
    /// Largest message either way, in bytes; at most [`FRAME_BYTES_MAX_CEILING`], more is lowered
    /// to that.
    pub frame_bytes_max: usize,
    /// Frames that may wait for one peer before it is disconnected as too slow.
    pub outbox_frames_max: usize,
    /// Bytes that may wait for one peer before it is disconnected as too slow. One frame always
    /// fits.
    pub outbox_bytes_max: usize,
    /// A connecting peer must have said its whole hello by then. Five seconds: enough for a lost
    /// packet or two, too short to hold many sockets with.
    pub hello: Duration,
    /// A peer that says nothing, or takes nothing of what is written to it, for this long is given
    /// up. It is asked for a sign of life three times within.
    pub silence: Duration,
    /// How long the holder of a name has to answer when another asks for the name. Shorter than
    /// `silence`, because a restarted agent waits for it.
    pub probe: Duration,
    /// How long the last frames and the goodbye of a closing connection may take.
    pub close: Duration,
    /// Whether messages may travel compressed, where the peer can read that. Of no use where the
    /// network is faster than zstd.
    pub compression: bool,
}

impl Default for CoordinatorOptions {
    fn default() -> Self {
        Self {
            swarms: None,
            connections_max: 10_000,
            frame_bytes_max: FRAME_BYTES_MAX_DEFAULT,
            outbox_frames_max: OUTBOX_FRAMES_MAX,
            outbox_bytes_max: OUTBOX_BYTES_MAX,
            hello: Duration::from_secs(5),
            silence: Duration::from_secs(10),
            probe: Duration::from_secs(2),
            close: Duration::from_secs(2),
            compression: true,
        }
    }
}

impl CoordinatorOptions {
    /// The same with every value inside the range in which the rest works.
    pub(crate) fn bounded(mut self) -> Self {
        // The count appears in a refusal as a `u32`, and in the permits of a semaphore.
        self.connections_max = self.connections_max.min(1 << 20);
        self.frame_bytes_max = self.frame_bytes_max.clamp(1, FRAME_BYTES_MAX_CEILING);
        self.outbox_frames_max = self.outbox_frames_max.max(1);
        for deadline in [
            &mut self.hello,
            &mut self.silence,
            &mut self.probe,
            &mut self.close,
        ] {
            *deadline = (*deadline).max(DEADLINE_MIN);
        }
        self
    }
}

/// How a link behaves.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// How long reaching the hub may take.
    pub connect: Duration,
    /// How long the answer to the hello may take. Longer than the hub's `probe`, which may run
    /// within it.
    pub hello: Duration,
    /// How long a send may wait for room in the queue.
    pub send: Duration,
    /// A hub that takes nothing of what is written to it for this long is given up. Longer than
    /// the hub's `silence`: a busy hub makes its agents wait, it is not gone.
    pub stall: Duration,
    /// How long the last frames and the goodbye of a closing connection may take.
    pub close: Duration,
    /// Frames that may wait to be written before a send waits.
    pub outbox_frames_max: usize,
    /// Bytes that may wait to be written before a send waits. One frame always fits.
    pub outbox_bytes_max: usize,
    /// Whether messages may travel compressed, where the hub can read that.
    pub compression: bool,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            hello: Duration::from_secs(5),
            send: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            close: Duration::from_secs(2),
            outbox_frames_max: OUTBOX_FRAMES_MAX,
            outbox_bytes_max: OUTBOX_BYTES_MAX,
            compression: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bad input, row 1.
    #[test]
    fn a_frame_has_a_default_and_a_ceiling() {
        let options = CoordinatorOptions::default();
        assert_eq!(options.frame_bytes_max, 1 << 20);
        for (wanted, given) in [(0, 1), (5 << 20, 5 << 20), (usize::MAX, 16 << 20)] {
            let options = CoordinatorOptions {
                frame_bytes_max: wanted,
                ..CoordinatorOptions::default()
            };
            assert_eq!(options.bounded().frame_bytes_max, given, "{wanted}");
        }
    }

    /// Bad input, row 8.
    #[test]
    fn strangers_and_the_silent_have_seconds() {
        let options = CoordinatorOptions::default().bounded();
        assert!(options.hello <= Duration::from_secs(5));
        assert!(options.silence <= Duration::from_secs(10));
        // Who asks for a name that is held waits for its holder within its own hello.
        assert!(options.probe < LinkOptions::default().hello);
        assert!(options.connections_max <= 10_000);
    }
}
