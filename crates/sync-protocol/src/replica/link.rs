//! The connection: settle the cursor, pull what is new, notice what was lost.

use std::time::Duration;

use sync_core::{
    Body, Cursor, DeltaOutcome, Now, Pieces, Resume, Revision, Standing,
    planted::{self, Planted},
};

use super::offer::Offering;
use super::outbox::Load;
use super::{Replica, ReplicaOutput};
use crate::keyspace::Keyspace;

/// A question that is out.
#[derive(Debug)]
struct Pull {
    request: u64,
    resume: Option<Resume>,
    asked_at: Duration,
}

/// A push that is out.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) load: Load,
    pub(super) sent_at: Duration,
}

/// An update that came in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Partial {
    pub(super) to: Revision,
    pub(super) next_index: u32,
}

/// The writes that waited for this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Backlog {
    /// They go in their turn.
    #[default]
    InLine,
    /// What is urgent of them was sent ahead.
    WasAhead,
}

/// The state of the connection; everything but `requests` starts anew with each.
#[derive(Debug, Default)]
pub(super) struct Link {
    up: bool,
    /// The hub has served our cursor or taken all we hold.
    pub(super) settled: bool,
    pull: Option<Pull>,
    pub(super) offering: Option<Offering>,
    pub(super) backlog: Backlog,
    pub(super) flight: Option<Flight>,
    pub(super) partial: Option<Partial>,
    /// What has arrived of an answer and of a delivery of receipts.
    pub(super) reply: Pieces,
    pub(super) receipts: Pieces,
    /// Up to there the hub has told every receipt that was due; none as long as some wait.
    pub(super) told_upto: Option<Revision>,
    ping: Option<(u64, Duration)>,
    next_ping: Duration,
    /// The cursor that the hub could not serve, until a new one takes its place.
    invalid: Option<Cursor>,
    /// One whole exchange per connection is tried when digests differ for no known reason.
    pub(super) healed: bool,
    /// The hub's greatest position that is relied on, while there is no cursor to carry it.
    relied_on: Option<Cursor>,
    /// Numbers pulls, pings and offers, over all connections.
    requests: u64,
}

impl Link {
    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    pub(super) fn invalid_cursor(&self) -> Option<Cursor> {
        self.invalid
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    pub(super) fn is_pulling(&self) -> bool {
        self.pull.is_some()
    }
}

impl Replica {
    /// A connection is up. The agent speaks first.
    pub fn handle_link_up(&mut self, now: Now) {
        let (requests, invalid) = (self.link.requests, self.link.invalid);
        let next_ping = now.mono + self.config.beat;
        self.link = Link {
            up: true,
            requests,
            invalid,
            next_ping,
            ..Link::default()
        };
        self.cursor = self.cursor.or(self.link.invalid);
        self.repair = None;
        self.void_messages();
        self.outbox.forget_refusals();
        self.pull(now, None);
        self.send_votes(now);
        self.ask_for_ends();
    }

    /// The connection is gone. Answers that were to come through it will not.
    pub fn handle_link_down(&mut self, _now: Now) {
        let (requests, invalid) = (self.link.requests, self.link.invalid);
        self.link = Link {
            requests,
            invalid,
            ..Link::default()
        };
        self.repair = None;
        self.void_messages();
        self.fail_asks("it was cut");
        self.unsend_decisions();
        self.climbs.unsend();
        self.reaches.unsend();
    }

    /// Asks the hub at once whether anything is new, instead of with the next beat.
    pub fn hasten_beat(&mut self, now: Now) {
        if self.link.up {
            self.link.next_ping = now.mono;
            self.retry(now);
        }
    }

    /// What was to be said through one connection is not said through the next, where the cursor comes
    /// first.
    fn void_messages(&mut self) {
        let to_peer = |output: &ReplicaOutput| {
            matches!(
                output,
                ReplicaOutput::Send(_) | ReplicaOutput::Disconnect(_)
            )
        };
        self.gate.discard(to_peer);
    }

    /// Asks for what is new, unless that question is out already.
    pub(super) fn pull_once(&mut self, now: Now) {
        if self.link.pull.is_none() && self.link.offering.is_none() {
            self.pull(now, None);
        }
    }

    pub(super) fn pull(&mut self, now: Now, resume: Option<Resume>) {
        let request = self.link.next_number();
        self.link.partial = None;
        self.link.pull = Some(Pull {
            request,
            resume: resume.clone(),
            asked_at: now.mono,
        });
        self.send(Body::DeltaRequest {
            request,
            cursor: self.cursor,
            resume,
            policies: self.policies().fingerprint(),
        });
    }

    pub(super) fn handle_delta_reply(
        &mut self,
        now: Now,
        request: u64,
        outcome: DeltaOutcome,
        segments: &[bytes::Bytes],
    ) -> Result<(), String> {
        let pull = self.link.pull.as_ref();
        let Some(asked_at) = pull.filter(|p| p.request == request).map(|p| p.asked_at) else {
            return Ok(());
        };
        if let DeltaOutcome::UpToDate { standing } | DeltaOutcome::Changes { standing, .. } =
            &outcome
        {
            self.note_head(standing);
        }
        match outcome {
            DeltaOutcome::UpToDate { standing } => {
                self.link.pull = None;
                self.arrive(standing.cursor());
                self.reached_head(now, asked_at, &standing);
            }
            DeltaOutcome::Changes { to, next, standing } => {
                let leaps = planted::is(Planted::PageMovesCursorToHead);
                let to = if leaps { standing.cursor() } else { to };
                self.apply(now, segments, Some(to))?;
                self.link.settled = true;
                match next {
                    Some(resume) => {
                        self.ack();
                        self.pull(now, Some(resume));
                        self.push_pending(now);
                    }
                    None => {
                        self.link.pull = None;
                        self.reached_head(now, asked_at, &standing);
                    }
                }
            }
            DeltaOutcome::EpochMismatch { .. } | DeltaOutcome::Ahead { .. } => {
                self.link.pull = None;
                if planted::is(Planted::ResetWipes) {
                    self.space = Keyspace::new(&self.config.swarm);
                }
                self.give_up_fates(now);
                self.start_offer(now);
            }
        }
        self.send_decisions();
        self.settle_flushes();
        self.settle_climbs(now);
        self.settle_reaches();
        Ok(())
    }

    /// Everything up to the head that the hub had after `asked_at` has been applied.
    fn reached_head(&mut self, now: Now, asked_at: Duration, standing: &Standing) {
        if self.reentering && !planted::is(Planted::DeafOnceReset) {
            self.reentering = false;
            self.persist(Vec::new());
        }
        self.in_step_at = self.in_step_at.max(Some(asked_at));
        self.ack();
        self.compare_policies(standing);
        self.compare(now, standing);
        self.push_pending(now);
        self.request_repair(now);
    }

    /// Whether all that the hub had there has been applied.
    pub(super) fn is_at_head_of(&self, standing: &Standing) -> bool {
        let at = |c: Cursor| c.epoch == standing.epoch && c.revision == standing.revision;
        self.cursor.is_some_and(at) && !self.link.is_pulling() && !self.reentering
    }

    /// Takes a position without any change; it is stored if it is a new one.
    fn arrive(&mut self, cursor: Cursor) {
        self.link.settled = true;
        let before = self.cursor;
        self.set_cursor(cursor);
        if self.cursor != before {
            self.persist(Vec::new());
        }
        self.settle_reaches();
    }

    /// Equal positions and nothing pending, yet other content: exchange everything once.
    fn compare(&mut self, now: Now, standing: &Standing) {
        let Some(cursor) = self.cursor.filter(|c| c.epoch == standing.epoch) else {
            return;
        };
        if standing.revision < cursor.head {
            return;
        }
        self.settle_fates(standing);
        let explained = cursor.revision != standing.revision
            || self.outbox.len() > 0
            || !self.repairs.is_empty();
        if !explained && !self.link.healed && standing.digest != self.space.digest() {
            self.link.healed = true;
            self.start_offer(now);
        }
    }

    /// From here on the hub is relied on for what it confirmed at that position: should it come back
    /// without it, our cursor has to be found invalid.
    pub(super) fn rely_on(&mut self, standing: &Standing) {
        self.note_head(standing);
        match &mut self.cursor {
            Some(cursor) if cursor.epoch == standing.epoch => {
                cursor.head = cursor.head.max(standing.revision);
            }
            _ => {
                let met = self.link.relied_on.filter(|c| c.epoch == standing.epoch);
                self.link.relied_on = met.max(Some(standing.cursor()));
            }
        }
    }

    /// The cursor cannot be served: from here on it only keeps its place on disk.
    pub(super) fn give_up_cursor(&mut self) {
        self.link.invalid = self.cursor.take().or(self.link.invalid);
        self.traces.forget_positions();
    }

    /// A cursor read from the hub takes the place of one that could not be served.
    pub(super) fn set_cursor(&mut self, mut cursor: Cursor) {
        let same_run = |held: &Cursor| held.epoch == cursor.epoch;
        let met = self.cursor.into_iter().chain(self.link.relied_on);
        let head = met.filter(same_run).map(|c| c.head).max();
        cursor.head = head.map_or(cursor.head, |head| head.max(cursor.head));
        self.note_cursor(cursor);
        self.link.invalid = None;
        self.link.relied_on = None;
    }

    pub(super) fn note_cursor(&mut self, cursor: Cursor) {
        self.cursor = Some(cursor);
        if cursor.is_whole() {
            self.whole = Some(cursor.seen());
        }
    }

    pub(super) fn handle_pong(&mut self, now: Now, nonce: u64, standing: &Standing) {
        let Some((_, asked_at)) = self.link.ping.filter(|(asked, _)| *asked == nonce) else {
            return;
        };
        self.link.ping = None;
        self.note_head(standing);
        self.compare_policies(standing);
        let reached = self
            .cursor
            .is_some_and(|c| c.epoch == standing.epoch && c.revision >= standing.revision);
        if !reached {
            self.pull_once(now);
        } else if self.link.pull.is_none() {
            self.in_step_at = self.in_step_at.max(Some(asked_at));
            // The last confirmation may have been lost.
            self.ack();
            self.compare(now, standing);
            self.settle_climbs(now);
        }
    }

    /// Asks again whatever has not been answered in time.
    pub(super) fn retry(&mut self, now: Now) {
        let late = |at: Duration, retry: Duration| at + retry <= now.mono;
        let retry = self.config.retry;
        let asks_again = !planted::is(Planted::NeverAsksAgain);
        let pull = self.link.pull.as_ref().filter(|_| asks_again);
        if pull.is_some_and(|p| late(p.asked_at, retry)) {
            let resume = self.link.pull.take().and_then(|p| p.resume);
            self.pull(now, resume);
        }
        if self
            .link
            .flight
            .as_ref()
            .is_some_and(|f| late(f.sent_at, retry))
        {
            self.link.flight = None;
            self.push_pending(now);
        }
        if self
            .link
            .offering
            .as_ref()
            .is_some_and(|o| late(o.sent_at(), retry))
        {
            self.repeat_offer(now);
        }
        if self
            .repair
            .as_ref()
            .is_some_and(|r| late(r.asked_at(), retry))
        {
            self.repair = None;
            self.request_repair(now);
        }
        self.repeat_votes(now);
        if self.link.next_ping <= now.mono {
            let nonce = self.link.next_number();
            self.link.ping = Some((nonce, now.mono));
            let is_hasty = planted::is(Planted::AsksWithoutPause);
            let pause = if is_hasty {
                Duration::from_millis(1)
            } else {
                self.config.beat
            };
            self.link.next_ping = now.mono + pause;
            self.send(Body::Ping { nonce });
            self.ask_for_late_ends(now);
        }
    }

    pub(super) fn next_retry(&self) -> Option<Duration> {
        let retry = self.config.retry;
        let asks_again = !planted::is(Planted::NeverAsksAgain);
        let pull = self.link.pull.as_ref().filter(|_| asks_again);
        let questions = [
            pull.map(|p| p.asked_at + retry),
            self.link.flight.as_ref().map(|f| f.sent_at + retry),
            self.link.offering.as_ref().map(|o| o.sent_at() + retry),
            self.repair.as_ref().map(|r| r.asked_at() + retry),
            self.votes.asked_at().map(|at| at + retry),
            Some(self.link.next_ping),
        ];
        questions.into_iter().flatten().min()
    }
}
