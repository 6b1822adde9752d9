//! The spans that a hub's work is told in, at the level `debug` and under the target `swarm_sync`. Their
//! names are stable: `docs/observability.md` lists them.

use std::collections::BTreeMap;

use sync_core::{Ask, Batch, Body, Message, Priority, SessionId, SwarmId};
use sync_protocol::RoundEnded;
use tracing::{Span, debug, debug_span, trace};

/// What stands for the hub, or an agent, in the span of a flush.
pub(crate) const HUB: &str = "hub";
pub(crate) const AGENT: &str = "agent";

/// The rounds under way, each in a span of its own. As many as the machines have, which bound them.
#[derive(Debug, Default)]
pub(crate) struct RoundSpans {
    open: BTreeMap<(SwarmId, u64), Span>,
}

impl RoundSpans {
    /// A round has begun.
    pub(crate) fn began(&mut self, swarm: &SwarmId, number: u64, priority: Priority) {
        let span = debug_span!(target: "swarm_sync", "round", %swarm, number, %priority);
        if !span.is_disabled() {
            self.open.insert((swarm.clone(), number), span);
        }
    }

    /// It is over.
    pub(crate) fn ended(&mut self, swarm: &SwarmId, ended: &RoundEnded) {
        if self.open.is_empty() {
            return;
        }
        let span = self.open.remove(&(swarm.clone(), ended.number));
        let (outcome, elapsed_ms) = (ended.outcome.name(), ended.elapsed.as_millis());
        span.unwrap_or_else(Span::none)
            .in_scope(|| debug!(target: "swarm_sync", outcome, elapsed_ms, "a round has ended"));
    }
}

/// A group of batches on its way to the disk, in one flush.
pub(crate) fn commit(node: &'static str, group: &[Batch]) -> Span {
    debug_span!(target: "swarm_sync", "commit", node, batches = group.len())
}

/// The group is durable, or is not and never will be.
pub(crate) fn committed(ok: bool) {
    trace!(target: "swarm_sync", ok, "a group of batches was flushed");
}

/// What was sent if it asks for a delta; else a span that is none.
pub(crate) fn delta(swarm: Option<&SwarmId>, session: SessionId, message: &Message) -> Span {
    let asks = match &message.body {
        Body::DeltaRequest { .. } => true,
        Body::Request { ask, .. } => matches!(ask, Ask::Delta(_)),
        _ => false,
    };
    let Some(swarm) = swarm.filter(|_| asks) else {
        return Span::none();
    };
    let span = debug_span!(target: "swarm_sync", "delta", %swarm, session = session.0);
    span.in_scope(|| trace!(target: "swarm_sync", "a delta is asked for"));
    span
}
