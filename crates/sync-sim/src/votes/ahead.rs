//! What a crash at this very moment would leave, looked at on a copy of the disk.

use std::time::Duration;

use bytes::Bytes;
use sync_core::{Ballot, Decision, Epoch, Incarnation, Now, ProposalId, RequestError, Row, Vote};
use sync_protocol::{Command, Hub, HubRecovery, KeyState, Replica, ReplicaOutput, ReplicaRecovery};

use crate::disk::Image;
use crate::world::World;

fn rows(image: &Image) -> impl Iterator<Item = Row> {
    image.iter().map(|(key, value): (&Bytes, &Bytes)| Row {
        key: key.clone(),
        value: value.clone(),
    })
}

impl World {
    /// A vote is on its way: a run that starts from the disk as it is now votes the same or not at all.
    pub(super) fn check_vote_is_durable(&mut self, n: usize, id: ProposalId, ballot: &Ballot) {
        let node = &self.replicas[n];
        let run = Incarnation::from_random(1);
        let config = self.plan.replica(&node.agent);
        let mut recovery = ReplicaRecovery::new(config, sync_resolve::standard(), run);
        for row in node.disk.rows() {
            recovery.row(&row).expect("rows read back");
        }
        let other = match ballot.vote {
            Vote::For => Vote::Against,
            _ => Vote::For,
        };
        let stands = refuses(&mut recovery.open(), self.clock(n), id, other);
        self.require(stands, || {
            format!("replica {n} says {ballot:?} to {id}, and could say {other} after a crash")
        });
    }

    /// Something was decided: a crash leaves the vote open or the decision, and with the decision, and not
    /// without it, its value.
    pub(super) fn check_crashes(&mut self, decision: &Decision) {
        let id = decision.proposal;
        let committed = decision.committed.as_ref();
        let place = committed.map(|c| (id, c.revision));
        let writes = place.and_then(|place| self.votes.writes.get(&place));
        let write = writes.and_then(|writes| writes.last()).cloned();
        let mut wrong = None;
        let mut was_open = false;
        for (batches, image) in self.hub.disk.futures().iter().enumerate() {
            let hub = self.hub_from(image);
            let is_open = hub.open_proposals().any(|p| p.id == id);
            let is_decided = hub.decisions().any(|d| d == decision);
            let key = committed.map(|c| &c.key);
            let state = key.and_then(|key| hub.keyspace().get(key));
            let holds = |id| state.is_some_and(|s: &KeyState| s.entry().context().contains(id));
            let has_value = write.as_ref().is_some_and(holds);
            // One that was out of time before it was durable may be gone with all that came of it.
            let is_gone = !is_open && !is_decided && was_open;
            was_open |= is_open;
            let is_torn = has_value != (is_decided && write.is_some());
            if is_gone || is_open && is_decided || is_torn {
                wrong = Some((batches, is_open, is_decided, has_value));
            }
        }
        self.require(wrong.is_none(), || {
            format!("(batches, open, decided, value) {wrong:?} after a crash: {decision:?}")
        });
    }

    fn hub_from(&self, image: &Image) -> Hub {
        let mut recovery = HubRecovery::new(self.plan.hub(), self.rules_of_table());
        for row in rows(image) {
            recovery.row(&row).expect("rows read back");
        }
        recovery.open(Epoch::from_random(1))
    }
}

/// Whether a replica refuses a vote at once.
fn refuses(replica: &mut Replica, now: Now, proposal: ProposalId, vote: Vote) -> bool {
    let ballot = Ballot { vote, reason: None };
    let timeout = Duration::from_secs(1);
    let command = Command::Vote {
        proposal,
        ballot,
        timeout,
    };
    replica.handle_command(now, 1, command);
    let mut said = std::iter::from_fn(|| replica.poll_output());
    said.any(|output| {
        matches!(
            output,
            ReplicaOutput::Answer {
                request: 1,
                result: Err(RequestError::AlreadyVoted { .. })
            }
        )
    })
}
