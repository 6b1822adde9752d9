//! Receipts on their way to their writers: kept with the commit that decided, sent until they were taken.

use std::collections::BTreeSet;

use sync_core::codec::List;
use sync_core::{
    AgentId, Answer, Body, Incarnation, Reason, Receipt, ReceiptPlace, RequestError, Role, RowOp,
    Seq, SessionId, WriteId, Writer, pieces,
    planted::{self, Planted},
};

use super::commit::Commit;
use super::{Hub, ReplyTo};
use crate::receipts::{Receipts, place};
use crate::rows;

impl Hub {
    /// Receipts become rows of the commit's batch; returns the connections they are for.
    pub(super) fn keep_receipts(
        &mut self,
        commit: &mut Commit,
        ops: &mut Vec<RowOp>,
    ) -> BTreeSet<SessionId> {
        let mut sessions = BTreeSet::new();
        for mut receipt in std::mem::take(&mut commit.receipts) {
            if self.has_a_reason_for(&receipt) {
                continue;
            }
            receipt.revision = self.revision;
            self.count_fate(&receipt.reason);
            let is_first = receipt.winner().is_some() && self.activity.conflicts_in_all() == 1;
            if is_first && planted::is(Planted::ReceiptDropped) {
                continue;
            }
            let agent = receipt.addressee().clone();
            sessions.extend(self.roster.get(&agent).and_then(|m| m.session));
            let mut names = self.names(&agent);
            let waiting = self.receipts.entry(agent).or_insert_with(Receipts::of_hub);
            let policies = self.resolvers.policies();
            let (changed, _) = waiting.keep(receipt, policies, || names.next());
            ops.extend(changed);
            ops.extend(self.spend(names));
        }
        sessions
    }

    /// Whether a write of which nobody knows the end is one that its writer is still to be told of: a hub
    /// that was recovered has its receipts, and knows no more of the writes.
    fn has_a_reason_for(&self, receipt: &Receipt) -> bool {
        let waiting = self.receipts.get(receipt.addressee());
        receipt.reason == Reason::Unknown && waiting.is_some_and(|w| w.contains(&receipt.write))
    }

    /// Counts anew what may wait, because another table is in force; the rows that change.
    pub(super) fn regroup_receipts(&mut self) -> Vec<RowOp> {
        let agents: Vec<AgentId> = self.receipts.keys().cloned().collect();
        let mut ops = Vec::new();
        for agent in agents {
            let mut names = self.names(&agent);
            let waiting = self.receipts.entry(agent).or_insert_with(Receipts::of_hub);
            let policies = self.resolvers.policies();
            let (changed, _) = waiting.regroup(policies, || names.next());
            ops.extend(changed);
            ops.extend(self.spend(names));
        }
        ops
    }

    /// Ids for what stands for receipts that were dropped: in the agent's name, as receipts are found by
    /// that, and of a run that nobody writes in, as random as this one of the hub and another.
    fn names(&self, agent: &AgentId) -> Names {
        let run = Incarnation::from_random(!self.epoch().bits());
        let writer = Writer::new(agent.clone(), run);
        let first = self.known.get(&writer).copied().unwrap_or_default();
        let last = first;
        Names {
            writer,
            first,
            last,
        }
    }

    /// No write gets the number of a summary.
    fn spend(&mut self, names: Names) -> Option<RowOp> {
        (names.last > names.first).then(|| {
            let writer = self.space.intern(&names.writer);
            let row = rows::put_known(&writer, names.last);
            self.known.insert(writer, names.last);
            row
        })
    }

    /// How many receipts wait for an agent.
    pub(super) fn receipts_of(&self, agent: &AgentId) -> u32 {
        let waiting = self.receipts.get(agent);
        waiting.map_or(0, |w| u32::try_from(w.len()).unwrap_or(u32::MAX))
    }

    /// A page of what waits for somebody.
    pub(super) fn list_receipts(&self, agent: &AgentId, after: Option<&ReceiptPlace>) -> Answer {
        let waiting = self.receipts.get(agent).into_iter();
        let waiting = waiting.flat_map(|waiting| waiting.after(after));
        let receipts = self.page_of(waiting);
        let last = receipts.last().map(place);
        Answer::Receipts { receipts, last }
    }

    /// A client has dealt with its receipts, or the program that runs the hub has. An agent's go through
    /// its replica, which keeps them until its application has.
    pub(super) fn take_receipts(
        &mut self,
        to: ReplyTo,
        writes: &[WriteId],
    ) -> Result<u64, RequestError> {
        let is_the_hubs = to.session().is_none();
        let is_client = || self.peer(to).is_some_and(|peer| peer.role == Role::Client);
        let name = (is_the_hubs || is_client()).then(|| self.name_of(to));
        // An agent may use the name, too.
        let name = name.filter(|name| !self.roster.contains_key(name));
        let Some(agent) = name else {
            let reason = "only a client takes its receipts at the hub; those of an agent come to it by themselves";
            return Err(RequestError::Invalid {
                reason: reason.to_owned(),
            });
        };
        let ops = self.forget_receipts(&agent, writes);
        let taken = ops.len() as u64;
        if !ops.is_empty() {
            self.persist(ops);
        }
        Ok(taken)
    }

    /// As many as one message may hold.
    fn page_of<'a>(&self, waiting: impl Iterator<Item = &'a Receipt>) -> List<Receipt> {
        let limits = &self.config.limits;
        let mut room = limits.page_bytes;
        let fits = |receipt: &&Receipt| {
            let first = room == limits.page_bytes;
            let left = room.checked_sub(receipt.weight());
            room = left.unwrap_or(0);
            first || left.is_some()
        };
        let page = waiting.take(limits.receipts_per_message);
        page.take_while(fits).cloned().collect()
    }

    /// Takes back what waits for an agent.
    pub(super) fn restore_receipt(&mut self, receipt: Receipt) {
        if planted::is(Planted::ReceiptsDieWithHub) {
            return;
        }
        let agent = receipt.addressee().clone();
        let waiting = self.receipts.entry(agent);
        waiting.or_insert_with(Receipts::of_hub).restore(receipt);
    }

    /// Sends a peer the fates that wait for it, as many as one message may hold.
    pub(super) fn send_receipts(&mut self, session: SessionId) {
        let Some(peer) = self.sessions.get(&session).filter(|s| s.settled) else {
            return;
        };
        let Some(waiting) = self.receipts.get(&peer.agent) else {
            return;
        };
        let receipts = self.page_of(waiting.due());
        let agent = peer.agent.clone();
        if let Some(waiting) = self.receipts.get_mut(&agent) {
            waiting.mark_sent(receipts.iter(), self.resolvers.policies());
        }
        // Two values and what hangs on them: far from more than can be cut.
        let cut = pieces::cut(&receipts, self.config.limits.page_bytes).unwrap_or_default();
        let standing = self.standing(session);
        self.send_pieces(session, cut, |delivery, index, frames| Body::Receipts {
            delivery,
            index,
            frames,
            standing,
        });
        if planted::is(Planted::ReceiptsSentOnce) {
            let sent: Vec<WriteId> = receipts.iter().map(|r| r.write.clone()).collect();
            let gone = self.forget_receipts(&agent, &sent);
            self.unsaved.extend(gone);
        }
    }

    pub(super) fn handle_receipts_taken(&mut self, session: SessionId, writes: &[WriteId]) {
        let Some(agent) = self.sessions.get(&session).map(|s| s.agent.clone()) else {
            return;
        };
        // What comes twice may be of an earlier receipt, and the one that waits now is not told yet.
        let waiting = self.receipts.get(&agent);
        let told = |id: &&WriteId| waiting.is_some_and(|waiting| waiting.was_sent(id));
        let told: Vec<WriteId> = writes.iter().filter(told).cloned().collect();
        let ops = self.forget_receipts(&agent, &told);
        if !ops.is_empty() {
            self.persist(ops);
            self.send_receipts(session);
        }
    }

    /// Forgets what an agent has taken; the rows that change.
    pub(super) fn forget_receipts(&mut self, agent: &AgentId, writes: &[WriteId]) -> Vec<RowOp> {
        let Some(waiting) = self.receipts.get_mut(agent) else {
            return Vec::new();
        };
        let policies = self.resolvers.policies();
        let taken = writes
            .iter()
            .filter(|id| waiting.remove(id, policies).is_some());
        let ops: Vec<_> = taken.map(rows::delete_receipt).collect();
        if waiting.is_empty() {
            self.receipts.remove(agent);
        }
        ops
    }
}

/// Numbers of one writer that are being spent.
struct Names {
    writer: Writer,
    first: Seq,
    last: Seq,
}

impl Names {
    fn next(&mut self) -> WriteId {
        self.last = self.last.next();
        WriteId::new(self.writer.clone(), self.last)
    }
}
