//! What the hub does about votes, noted after every event.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{AgentId, Decision, Effect, Key, ProposalId, Value, Verdict, Vote, Write, WriteId};
use sync_protocol::{Hub, KeyState};

use crate::shown::shown;
use crate::world::World;

impl World {
    /// After every event: what was opened, what was decided.
    pub(crate) fn note_votes(&mut self) {
        let Some(hub) = &self.hub.machine else { return };
        let open: BTreeSet<ProposalId> = hub.open_proposals().map(|p| p.id).collect();
        let opened = open.difference(&self.votes.open);
        let roster: Vec<AgentId> = hub.roster().cloned().collect();
        for id in opened {
            let rosters = self.votes.rosters.entry(*id).or_default();
            rosters.push(roster.clone());
        }
        // What is new comes last.
        let news = hub.decisions().rev();
        let news = news.take_while(|d| !self.votes.seen.contains_key(&d.proposal));
        let mut news: Vec<Decision> = news.cloned().collect();
        news.reverse();
        let twice = news.iter().find(|d| open.contains(&d.proposal)).cloned();
        self.votes.open = open;
        self.require(twice.is_none(), || format!("open and decided: {twice:?}"));
        for decision in news {
            self.note_decision(&decision);
            let ever = self.votes.ever.entry(decision.proposal).or_default();
            ever.push((decision.clone(), self.rollbacks));
            self.check_crashes(&decision);
            self.votes.seen.insert(decision.proposal, decision);
        }
        if self.hub.machine.as_ref().is_some_and(Hub::is_settled) {
            self.bind_all();
        }
        self.votes.before = self.keys_of_open();
    }

    /// What the hub holds of keys that proposals want to write to.
    fn keys_of_open(&self) -> BTreeMap<Key, sync_core::Entry> {
        let open = self.votes.open.iter();
        let effects = open.filter_map(|id| self.votes.proposals.get(id)?.effect.as_ref());
        let held = effects.map(|effect| (effect.key.clone(), self.at_hub(&effect.key)));
        held.collect()
    }

    /// A decision that was not there before this event.
    fn note_decision(&mut self, decision: &Decision) {
        self.check_decision(decision);
        self.stats.hit(match decision.verdict {
            Verdict::Approved => "approved",
            Verdict::Rejected => "rejected",
            Verdict::Timeout => "vote timeout",
        });
        if self.votes.ever.contains_key(&decision.proposal) {
            self.stats.hit("decided again");
        }
        let id = decision.proposal;
        let proposal = self.votes.proposals.get(&id);
        let effect = proposal.and_then(|proposal| proposal.effect.clone());
        let Some(effect) = effect.filter(|_| decision.verdict == Verdict::Approved) else {
            let nothing = decision.committed.is_none() && decision.not_committed.is_none();
            return self.require(nothing, || {
                format!("commits what nobody wants: {decision:?}")
            });
        };
        let made = self.write_of(id, &effect.key);
        let told = decision.committed.is_some() != decision.not_committed.is_some();
        let is_true = made.is_some() == decision.committed.is_some();
        self.require(told && is_true, || {
            format!("{made:?} was committed, the decision says {decision:?}")
        });
        let Some((write_id, write)) = made else {
            return self.stats.hit("not committed");
        };
        self.stats.hit("approved write");
        self.note_effect(decision, &effect, &write_id, &write);
    }

    /// The live write that bears the proposal's name and was not there before.
    fn write_of(&self, id: ProposalId, key: &Key) -> Option<(WriteId, Write)> {
        let entry = self.at_hub(key);
        let mut writes = entry.writes().filter(|(write_id, write)| {
            let is_news = !self.ghost.ops.contains_key(*write_id);
            let name = Value::from(id.to_string().as_str());
            is_news && field(write, "proposal") == Some(name)
        });
        writes.next().map(|(id, write)| (id.clone(), write.clone()))
    }

    fn note_effect(&mut self, decision: &Decision, effect: &Effect, id: &WriteId, write: &Write) {
        let Effect { key, operation } = effect;
        let Some(hub) = &self.hub.machine else { return };
        let state = hub.keyspace().get(key);
        let found = state.map(|state| (Some(state.version()), state.revision()));
        let said = decision.committed.as_ref();
        let is_true = said.is_some_and(|c| c.key == *key && Some((c.version, c.revision)) == found);
        let voters = decision.votes_that(Vote::For);
        let voters = voters
            .map(|cast| Value::from(cast.agent.as_str()))
            .collect();
        let is_named = field(write, "voters") == Some(Value::List(voters));
        let before = self.votes.before.get(key).cloned().unwrap_or_default();
        let table = hub.policies().clone();
        let revision = state.map(KeyState::revision).unwrap_or_default();
        let shown = shown(operation, &before, &id.writer, (&table, key));
        self.trace
            .say(|| format!("{id}: approved {operation:?} of {key} replaced {shown:?}"));
        self.ghost.note(id, key, operation, &before, shown, false);
        if let Some(op) = self.ghost.ops.get_mut(id) {
            op.at_hub = true;
        }
        let place = (decision.proposal, revision);
        self.votes.writes.entry(place).or_default().push(id.clone());
        self.require(is_true && is_named, || {
            format!("{found:?} {write:?} is not what was decided: {decision:?}")
        });
    }
}

/// What hangs on a write under a name.
fn field(write: &Write, name: &str) -> Option<Value> {
    match write.metadata()?.value() {
        Value::Map(mut map) => map.remove(name),
        _ => None,
    }
}
