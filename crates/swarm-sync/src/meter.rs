//! Hands what a hub counts to the recorder: once a second, a part of the swarms at a time.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use metrics::{Counter, counter, gauge, histogram};
use sync_core::{SwarmId, Traffic};
use sync_protocol::{Hub, RoundEnded, RoundOutcome};

use crate::metrics as names;

/// How often. Scrapes come seldom; a count that is a second old is right.
const EVERY: Duration = Duration::from_secs(1);

/// Swarms that are told of at a time, before messages are handled again: each is some twenty values of a
/// microsecond.
const SWARMS_PER_TURN: usize = 32;

/// What a hub's process knows beside its machines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pub(crate) traffic: Traffic,
    pub(crate) store_bytes: Option<u64>,
    pub(crate) free_bytes: Option<u64>,
    pub(crate) connections: usize,
    pub(crate) refused: u64,
    /// How long the hub's own is still good for.
    pub(crate) certificate: Option<Duration>,
}

/// Where telling is.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    due: Duration,
    /// The swarm after which it goes on, if it is under way.
    after: Option<SwarmId>,
    /// Agents told of since it began.
    agents: usize,
}

impl Meter {
    /// When there is more to tell.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the one that stands in its place has nothing to tell"
    )]
    pub(crate) fn deadline(&self) -> Option<Duration> {
        Some(self.due)
    }

    /// Tells what is due.
    pub(crate) fn tell(
        &mut self,
        now: Duration,
        hubs: &BTreeMap<SwarmId, Hub>,
        process: impl FnOnce() -> Process,
    ) {
        if now < self.due {
            return;
        }
        let from = self.after.take();
        if from.is_none() {
            self.agents = 0;
            tell_process(&process());
        }
        let from = from.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = hubs.range((from, Bound::Unbounded));
        let mut last = None;
        for (swarm, hub) in rest.by_ref().take(SWARMS_PER_TURN) {
            self.tell_swarm(swarm, hub);
            last = Some(swarm);
        }
        if rest.next().is_some() {
            self.after = last.cloned();
        } else {
            self.due = now + EVERY;
        }
    }

    fn tell_swarm(&mut self, swarm: &SwarmId, hub: &Hub) {
        let name = swarm.to_string();
        let told = |metric: &'static str| counter!(metric, "swarm" => name.clone());
        let activity = hub.activity();
        told(names::COMMITS).absolute(activity.commits);
        told(names::REFUSED_WRITES).absolute(activity.refused);
        told(names::DELTA_SAVED).absolute(activity.delta.saved_bytes());
        told(names::SAME_ANSWERS).absolute(activity.same.answers);
        told(names::SAME_SAVED).absolute(activity.same.saved_bytes);
        let rounds = &activity.rounds;
        for (outcome, count) in [
            (RoundOutcome::Complete, rounds.complete),
            (RoundOutcome::Incomplete, rounds.incomplete),
            (RoundOutcome::Failed, rounds.failed),
        ] {
            let labels = [("swarm", name.clone()), ("outcome", outcome.name().into())];
            counter!(names::ROUNDS, &labels).absolute(count);
        }
        for of in &activity.conflicts {
            let labels = [("swarm", name.clone()), ("rule", of.rule.to_string())];
            counter!(names::CONFLICTS, &labels).absolute(of.writes);
        }
        for (metric, value) in [
            (names::KEYS, hub.keyspace().live_keys()),
            (names::STATE_BYTES, hub.keyspace().weight()),
            (names::REVISION, hub.revision().get()),
            (names::RECEIPTS, hub.receipts_waiting()),
        ] {
            gauge!(metric, "swarm" => name.clone()).set(float(value));
        }
        self.tell_agents(&name, hub);
    }

    fn tell_agents(&mut self, swarm: &str, hub: &Hub) {
        let (mut here, mut away) = (0, 0);
        for (agent, connected, lag) in hub.lags() {
            *(if connected { &mut here } else { &mut away }) += 1;
            if let Some(lag) = lag.filter(|_| self.agents < names::LAG_AGENTS_MAX) {
                self.agents += 1;
                let labels = [("swarm", swarm.to_owned()), ("agent", agent.to_string())];
                gauge!(names::AGENT_LAG, &labels).set(float(lag));
            }
        }
        for (connected, count) in [("true", here), ("false", away)] {
            let labels = [("swarm", swarm.to_owned()), ("connected", connected.into())];
            gauge!(names::AGENTS, &labels).set(float(count));
        }
    }
}

fn tell_process(process: &Process) {
    let Process {
        traffic,
        store_bytes,
        free_bytes,
        connections,
        refused,
        certificate,
    } = process;
    let of = |metric: &'static str, direction: &'static str| -> Counter {
        counter!(metric, "direction" => direction)
    };
    let saved = |plain: u64, moved: u64| plain.saturating_sub(moved);
    of(names::BYTES, "sent").absolute(traffic.sent);
    of(names::BYTES, "received").absolute(traffic.received);
    let packed = &traffic.compression;
    let (sent, received) = (
        saved(packed.sent_plain, packed.sent_packed),
        saved(packed.received_plain, packed.received_packed),
    );
    of(names::COMPRESSION_SAVED, "sent").absolute(sent);
    of(names::COMPRESSION_SAVED, "received").absolute(received);
    if let Some(bytes) = store_bytes {
        gauge!(names::STORE_BYTES).set(float(*bytes));
    }
    if let Some(bytes) = free_bytes {
        gauge!(names::FREE_BYTES).set(float(*bytes));
    }
    gauge!(names::CONNECTIONS).set(float(*connections as u64));
    counter!(names::REFUSED_CONNECTIONS).absolute(*refused);
    if let Some(left) = certificate {
        gauge!(names::CERTIFICATE_SECONDS).set(float(left.as_secs()));
    }
}

/// A round is over.
pub(crate) fn round_ended(swarm: &SwarmId, ended: &RoundEnded) {
    histogram!(names::ROUND_SECONDS, "swarm" => swarm.to_string()).record(ended.elapsed);
}

/// A flush is over.
pub(crate) fn flushed(node: &'static str, took: Duration) {
    histogram!(names::FLUSH_SECONDS, "node" => node).record(took);
}

/// As near as a number with a fraction comes.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, which no count here reaches"
)]
fn float(value: u64) -> f64 {
    value as f64
}
