//! The bounded queue of frames that wait for one peer.

mod ahead;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use sync_core::transport::{Frame, TransportError, Turn};
use tokio::sync::Notify;
use tokio::time::timeout;

use self::ahead::Ahead;
use crate::lock;
use crate::signal::Signal;

/// Frames handed to a writer at a time. They no longer count against the queue, so this is what a
/// peer can make this side hold beyond the queue's own limit.
const TAKE_FRAMES_MAX: usize = 256;

/// See [`TAKE_FRAMES_MAX`]. One frame is handed out whatever its size.
const TAKE_BYTES_MAX: usize = 256 << 10;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What is queued is still delivered, then the reason.
    Flush,
    /// The same, and the reason is that the peer may not be here.
    Refuse,
    /// Nothing more is delivered: the peer is gone, or does not deserve it.
    Abort,
}

/// What a writer gets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Ask for a sign of life.
    pub(crate) ping: bool,
    /// Give one.
    pub(crate) pong: bool,
    /// Messages, in order.
    pub(crate) frames: Vec<Frame>,
    /// Nothing follows; how it ended, and why.
    pub(crate) end: Option<(Ending, String)>,
}

/// Bounded in frames and in bytes. Signs of life are not queued but flagged: they overtake what
/// waits, take no room, and any number of requests is one. So do frames that may go ahead, which have
/// a little room of their own.
#[derive(Debug)]
pub(crate) struct Outbox {
    frames_max: usize,
    bytes_max: usize,
    state: Mutex<State>,
    /// For the one writer.
    ready: Notify,
    /// For the one sender that waits, if any does.
    room: Notify,
    ended: Signal,
}

#[derive(Debug, Default)]
struct State {
    ahead: Ahead,
    frames: VecDeque<Frame>,
    bytes: usize,
    ping: bool,
    pong: bool,
    /// A message was taken since this was last asked.
    busy: bool,
    end: Option<(Ending, String)>,
}

impl Outbox {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self {
            frames_max: frames_max.max(1),
            bytes_max,
            state: Mutex::default(),
            ready: Notify::new(),
            room: Notify::new(),
            ended: Signal::default(),
        }
    }

    /// Queues `frames` without waiting. On [`TransportError::SlowPeer`] those that fitted are
    /// queued, the rest is not.
    pub(crate) fn try_push(&self, frames: Vec<Frame>) -> Result<(), TransportError> {
        let mut frames = frames.into_iter().peekable();
        self.fill(&mut frames)?;
        if frames.peek().is_none() {
            return Ok(());
        }
        Err(TransportError::SlowPeer {
            queued: lock(&self.state).frames.len(),
            limit: self.frames_max,
        })
    }

    /// Queues `frames`, waiting for room up to `limit` in all. If that runs out the queue ends: a
    /// part of the frames may be on its way, and nothing may follow a gap.
    pub(crate) async fn push(
        &self,
        frames: Vec<Frame>,
        limit: Duration,
    ) -> Result<(), TransportError> {
        let mut frames = frames.into_iter().peekable();
        let all = async {
            loop {
                self.fill(&mut frames)?;
                if frames.peek().is_none() {
                    return Ok(());
                }
                tokio::select! {
                    biased;
                    () = self.ended.wait() => {}
                    () = self.room.notified() => {}
                }
            }
        };
        let doing = "waiting for room to send";
        timeout(limit, all).await.unwrap_or_else(|_| {
            let error = TransportError::Deadline { doing, limit };
            self.end(Ending::Flush, &error.to_string());
            Err(error)
        })
    }

    /// Asks the peer for a sign of life.
    pub(crate) fn ping(&self) {
        lock(&self.state).ping = true;
        self.ready.notify_one();
    }

    /// Gives the peer a sign of life.
    pub(crate) fn pong(&self) {
        lock(&self.state).pong = true;
        self.ready.notify_one();
    }

    /// Whether a message was taken since this was last asked.
    pub(crate) fn take_busy(&self) -> bool {
        std::mem::take(&mut lock(&self.state).busy)
    }

    /// Takes no more frames. The first ending counts, except that an abort cuts a flush short.
    pub(crate) fn end(&self, ending: Ending, reason: &str) {
        let mut state = lock(&self.state);
        match &mut state.end {
            Some((before, _)) if ending == Ending::Abort => *before = ending,
            Some(_) => return,
            none => *none = Some((ending, reason.to_owned())),
        }
        if ending == Ending::Abort {
            state.ahead = Ahead::default();
            state.frames.clear();
            state.bytes = 0;
        }
        drop(state);
        self.ended.set();
        self.ready.notify_one();
        self.room.notify_one();
    }

    /// Returns once [`Outbox::end`] was called. Cancel-safe.
    pub(crate) async fn ended(&self) {
        self.ended.wait().await;
    }

    /// How it ended, if it did.
    pub(crate) fn ending(&self) -> Option<(Ending, String)> {
        lock(&self.state).end.clone()
    }

    /// Waits for something to write. Cancel-safe: what was taken is returned in the same step.
    pub(crate) async fn take(&self) -> Taken {
        loop {
            if let Some(taken) = self.take_now() {
                return taken;
            }
            self.ready.notified().await;
        }
    }

    fn take_now(&self) -> Option<Taken> {
        let mut state = lock(&self.state);
        let mut taken = Taken {
            ping: std::mem::take(&mut state.ping),
            pong: std::mem::take(&mut state.pong),
            frames: state.ahead.take(),
            end: None,
        };
        let mut bytes = 0;
        let room = TAKE_FRAMES_MAX + taken.frames.len();
        while taken.frames.len() < room
            && bytes < TAKE_BYTES_MAX
            && let Some(frame) = state.frames.pop_front()
        {
            bytes += frame.len();
            taken.frames.push(frame);
        }
        state.bytes -= bytes;
        state.busy |= !taken.frames.is_empty();
        if state.frames.is_empty() {
            taken.end.clone_from(&state.end);
        }
        drop(state);
        if !taken.frames.is_empty() {
            self.room.notify_one();
        }
        (taken != Taken::default()).then_some(taken)
    }

    /// Moves frames into the queue until it is full.
    fn fill(
        &self,
        frames: &mut std::iter::Peekable<std::vec::IntoIter<Frame>>,
    ) -> Result<(), TransportError> {
        let mut state = lock(&self.state);
        if let Some((_, reason)) = &state.end {
            return Err(TransportError::Closed {
                reason: reason.clone(),
            });
        }
        let fits = |state: &State, frame: &Frame| {
            state.frames.is_empty()
                || (state.frames.len() < self.frames_max
                    && state.bytes + frame.len() <= self.bytes_max)
        };
        while let Some(frame) =
            frames.next_if(|frame| frame.turn != Turn::InLine || fits(&state, frame))
        {
            let waits = !state.frames.is_empty();
            match frame.turn {
                Turn::InLine => {
                    state.bytes += frame.len();
                    state.frames.push_back(frame);
                }
                Turn::AheadOfCopy(_) if !waits => {}
                Turn::Ahead(priority) | Turn::AheadOfCopy(priority) => {
                    state.ahead.push(priority, frame);
                }
            }
        }
        drop(state);
        self.ready.notify_one();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sync_core::Priority;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn frame(byte: u8, length: usize) -> Frame {
        Frame::single(Bytes::from(vec![byte; length]))
    }

    /// Bad input, row 9.
    #[tokio::test]
    async fn frames_and_bytes_are_both_bounded() {
        let outbox = Outbox::new(2, 10);
        assert_eq!(outbox.try_push(vec![frame(1, 1), frame(2, 1)]), Ok(()));
        let full = TransportError::SlowPeer {
            queued: 2,
            limit: 2,
        };
        assert_eq!(outbox.try_push(vec![frame(3, 1)]), Err(full));
        assert_eq!(outbox.take().await.frames, [frame(1, 1), frame(2, 1)]);
        assert_eq!(outbox.try_push(vec![frame(4, 6)]), Ok(()));
        assert!(outbox.try_push(vec![frame(5, 5)]).is_err());
        assert_eq!(outbox.take().await.frames, [frame(4, 6)]);
        assert_eq!(
            outbox.try_push(vec![frame(6, 100)]),
            Ok(()),
            "one always fits"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_waits_for_room_until_its_deadline() {
        let outbox = Outbox::new(1, 10);
        outbox.push(vec![frame(1, 1)], SHORT).await.unwrap();
        let both = tokio::join!(outbox.push(vec![frame(3, 1), frame(4, 1)], SHORT), async {
            let first = outbox.take().await.frames;
            (first, outbox.take().await.frames)
        },);
        assert_eq!(both, (Ok(()), (vec![frame(1, 1)], vec![frame(3, 1)])));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_waited_in_vain_leaves_no_gap() {
        let outbox = Outbox::new(1, 10);
        let late = outbox.push(vec![frame(1, 1), frame(2, 1)], SHORT).await;
        assert!(matches!(late, Err(TransportError::Deadline { .. })));
        assert_eq!(outbox.take().await.frames, [frame(1, 1)]);
        let more = outbox.push(vec![frame(3, 1)], SHORT).await;
        assert!(matches!(more, Err(TransportError::Closed { .. })));
    }

    #[tokio::test]
    async fn signs_of_life_are_one_however_often_asked_for() {
        let outbox = Outbox::new(1, 1);
        outbox.try_push(vec![frame(1, 1)]).unwrap();
        (0..1000).for_each(|_| outbox.pong());
        outbox.ping();
        let taken = outbox.take().await;
        assert!(taken.ping && taken.pong);
        assert_eq!(taken.frames.len(), 1);
        assert!(outbox.take_now().is_none());
    }

    #[tokio::test]
    async fn what_may_go_ahead_overtakes_what_waits() {
        let outbox = Outbox::new(2, 10);
        let copy = |byte| frame(byte, 1).at(Turn::AheadOfCopy(Priority::High));
        outbox
            .try_push(vec![copy(1), frame(1, 1), copy(2), frame(2, 1)])
            .unwrap();
        let ahead = |byte| frame(byte, 1).at(Turn::Ahead(Priority::High));
        let critical = frame(4, 1).at(Turn::Ahead(Priority::Critical));
        outbox.try_push(vec![ahead(3), critical]).unwrap();
        let taken = outbox.take().await.frames;
        let order: Vec<u8> = taken.iter().map(|f| f.pieces[0][0]).collect();
        assert_eq!(order, [4, 2, 3, 1, 2], "the first had nothing to overtake");
        outbox.try_push(vec![ahead(5)]).unwrap();
        assert_eq!(outbox.take().await.frames.len(), 1, "nor is it lost then");
    }

    #[tokio::test]
    async fn a_flush_delivers_what_waits_and_an_abort_does_not() {
        for (ending, frames) in [(Ending::Flush, 1), (Ending::Refuse, 1), (Ending::Abort, 0)] {
            let outbox = Outbox::new(4, 10);
            outbox.try_push(vec![frame(1, 1)]).unwrap();
            outbox.end(ending, "first");
            outbox.end(Ending::Flush, "second");
            let taken = outbox.take().await;
            assert_eq!(taken.frames.len(), frames);
            assert_eq!(taken.end, Some((ending, "first".to_owned())));
            outbox.ended().await;
            let closed = outbox.try_push(vec![frame(2, 1)]);
            assert!(matches!(closed, Err(TransportError::Closed { .. })));
            outbox.end(Ending::Abort, "third");
            assert_eq!(outbox.ending(), Some((Ending::Abort, "first".into())));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_sender_learns_of_the_end() {
        let outbox = Outbox::new(1, 10);
        outbox.try_push(vec![frame(1, 1)]).unwrap();
        let (sent, ()) = tokio::join!(outbox.push(vec![frame(2, 1)], SHORT), async {
            outbox.end(Ending::Abort, "over");
        });
        let reason = "over".into();
        assert_eq!(sent, Err(TransportError::Closed { reason }));
    }
}
