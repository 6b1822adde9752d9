//! What must hold of decisions.

use sync_core::{Decision, ProposalId, Verdict};

use crate::tally;
use crate::world::World;

impl World {
    /// By its votes, each of which its agent has given, and by the roster at one of its openings.
    pub(super) fn check_decision(&mut self, decision: &Decision) {
        let id = decision.proposal;
        let expected = tally::verdict(decision);
        self.require(decision.verdict == expected, || {
            format!("should be {expected}: {decision:?}")
        });
        let rosters = self.votes.rosters.get(&id).cloned();
        let asked = rosters
            .as_ref()
            .is_some_and(|all| all.contains(&decision.participants));
        self.require(asked, || format!("of {rosters:?} were asked: {decision:?}"));
        let once = decision
            .votes
            .windows(2)
            .all(|pair| pair[0].agent < pair[1].agent);
        let stranger = decision.votes.iter().find(|cast| {
            let given = self.votes.given.get(&(cast.agent.clone(), id));
            given != Some(&cast.ballot) || !decision.participants.contains(&cast.agent)
        });
        let stranger = stranger.cloned();
        self.require(once && stranger.is_none(), || {
            format!("{stranger:?} is not what was voted: {decision:?}")
        });
        let time = self.votes.proposals.get(&id).and_then(|p| p.timeout_ms);
        // The clock by which it is told is coarse.
        let passed = decision.duration_ms + self.plan.tick_ms;
        // By a clock that jumps it may be any time.
        let early = !self.hub_clock_hops()
            && decision.verdict == Verdict::Timeout
            && time.is_some_and(|time| passed < time);
        self.require(!early, || format!("out of time too early: {decision:?}"));
    }

    /// Everything that was decided is durable.
    pub(super) fn bind_all(&mut self) {
        let unbound = self.votes.seen.iter();
        let unbound = unbound.filter(|(id, _)| !self.votes.bound.contains_key(*id));
        let unbound: Vec<Decision> = unbound.map(|(_, decision)| decision.clone()).collect();
        for decision in unbound {
            self.bind(&decision);
        }
    }

    /// A decision that nobody can take back any more, as long as this disk lasts.
    fn bind(&mut self, decision: &Decision) {
        let id = decision.proposal;
        let bound = self.votes.bound.entry(id);
        let bound = bound.or_insert_with(|| decision.clone()).clone();
        self.require(bound == *decision, || {
            format!("decided twice: {decision:?} and {bound:?}")
        });
        let revision = decision.committed.as_ref().map(|c| c.revision);
        let writes = revision.and_then(|revision| self.votes.writes.get(&(id, revision)));
        // An earlier one of that place was decided by a hub that died before it was durable.
        let write = writes.and_then(|writes| writes.last());
        if let Some(op) = write.and_then(|write| self.ghost.ops.get_mut(write)) {
            op.acked = true;
        }
    }

    /// The hub tells its participants.
    pub(crate) fn decided_leaves(&mut self, id: ProposalId, verdict: Verdict) {
        let seen = self.votes.seen.get(&id).cloned();
        let is_true = seen.as_ref().is_some_and(|held| held.verdict == verdict);
        self.require(is_true, || {
            format!("{id} is said to be {verdict}: {seen:?}")
        });
        if let Some(decision) = seen {
            self.bind(&decision);
        }
    }

    /// Whoever proposed is answered; through a replica that may be with what a lost disk had held.
    pub(crate) fn told_decision(&mut self, id: ProposalId, decision: &Decision) {
        let ever = self.votes.ever.get(&id).into_iter().flatten();
        let known = ever.filter(|(held, _)| held == decision);
        let when = known.map(|(_, rollbacks)| *rollbacks).max();
        self.require(when.is_some(), || format!("nobody decided {decision:?}"));
        if when == Some(self.rollbacks) {
            self.bind(decision);
        }
    }

    /// What a hub finds on its disk: what it has told, and what that has committed.
    pub(crate) fn check_recovered_votes(&mut self) {
        let Some(hub) = &self.hub.machine else { return };
        self.votes.open = hub.open_proposals().map(|p| p.id).collect();
        let goes_on = !self.votes.open.is_empty();
        let found: Vec<Decision> = hub.decisions().cloned().collect();
        if goes_on {
            self.stats.hit("vote goes on after a restart");
        }
        let mut bound = self.votes.bound.values();
        let lost = bound.find(|held| !found.contains(held)).cloned();
        self.require(lost.is_none(), || format!("the hub has lost {lost:?}"));
        for decision in &found {
            self.bind(decision);
            self.votes.seen.insert(decision.proposal, decision.clone());
        }
        if self.hub.is_recovered {
            // Of what a key holds only what is live is taken from a damaged disk.
            let salvaged = found.iter().map(|decision| decision.proposal);
            self.votes.salvaged.extend(salvaged);
        }
        for decision in &found {
            if !self.votes.salvaged.contains(&decision.proposal) {
                self.check_committed(decision);
            }
        }
        self.check_no_value_alone(&found);
    }

    /// Never the decision without the value.
    fn check_committed(&mut self, decision: &Decision) {
        let Some(committed) = &decision.committed else {
            return;
        };
        let place = (decision.proposal, committed.revision);
        let writes = self.votes.writes.get(&place).into_iter().flatten();
        let held = self.at_hub(&committed.key);
        let is_there = writes.into_iter().any(|id| held.context().contains(id));
        self.require(is_there, || format!("without its value: {decision:?}"));
    }

    /// Nor the value without the decision, where no disk was rolled back.
    fn check_no_value_alone(&mut self, found: &[Decision]) {
        let writes = self.votes.writes.iter();
        let alone = writes.filter(|((id, revision), _)| {
            let decided = |d: &Decision| {
                let committed = d.committed.as_ref();
                d.proposal == *id && committed.is_some_and(|c| c.revision == *revision)
            };
            !found.iter().any(decided)
        });
        let mut ids = alone.flat_map(|(_, ids)| ids);
        let there = ids.find(|id| {
            let op = self.ghost.ops.get(id);
            op.is_some_and(|op| self.at_hub(&op.key).context().contains(id))
        });
        let there = there.filter(|_| self.rollbacks == 0).cloned();
        self.require(there.is_none(), || {
            format!("{there:?} without its decision")
        });
    }

    /// In the end every vote that was confirmed is in the one decision there is.
    pub(crate) fn check_confirmed_votes(&mut self) {
        if self.rollbacks > 0 {
            return;
        }
        let mut confirmed = self.votes.confirmed.iter();
        let missing = confirmed.find(|(agent, id)| {
            let decision = self.votes.bound.get(id);
            !decision.is_some_and(|d| d.votes.iter().any(|cast| cast.agent == *agent))
        });
        let missing = missing.cloned();
        self.require(missing.is_none(), || {
            format!("{missing:?} was confirmed and never counted")
        });
    }
}
