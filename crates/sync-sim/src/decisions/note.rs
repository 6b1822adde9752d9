//! What the hub has decided, found by how keys are before and after it was asked.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{
    Ask, Assignment, AuthorityAsk, Body, Context, Expectation, Key, Message, Payload, PayloadKind,
    Revision, Value, Version, Write, WriteId,
};
use sync_protocol::{Hub, KeyState};

use super::{Asker, Made, Name, State};
use crate::ghost::Op;
use crate::tables::is_decided;
use crate::watchers::Committed;
use crate::world::World;

/// How a key was before the hub was asked.
#[derive(Debug, Clone, Default)]
struct Was {
    /// 0 if it held nothing.
    version: Version,
    /// The last number that it had, also if it holds nothing.
    numbered: Version,
    live: BTreeSet<WriteId>,
    known: Context,
}

/// How everything was that a question is about.
#[derive(Debug)]
pub(crate) struct Before {
    call: usize,
    name: Name,
    revision: Revision,
    keys: BTreeMap<Key, Was>,
}

impl World {
    /// Looks at what a message asks the hub to decide about.
    pub(crate) fn before_decision(&self, message: &Message) -> Option<Before> {
        let Body::Request { request, ask } = &message.body else {
            return None;
        };
        let Ask::Authority { attempt, ask } = ask else {
            return None;
        };
        let call = *self.decisions.requests.get(request)?;
        let agent = match self.decisions.calls[call].asker {
            Asker::Replica(n) => self.replicas[n].agent.clone(),
            Asker::Client(_) => sync_core::AgentId::new("client").expect("a valid name"),
        };
        let keys = keys_of(ask).into_iter();
        let keys = keys.map(|key| (key.clone(), self.was(&key)));
        Some(Before {
            call,
            name: (agent, attempt.run, attempt.number),
            revision: self.hub.machine.as_ref()?.revision(),
            keys: keys.collect(),
        })
    }

    fn was(&self, key: &Key) -> Was {
        let hub = self.hub.machine.as_ref();
        let Some(state) = hub.and_then(|hub| hub.keyspace().get(key)) else {
            return Was::default();
        };
        let entry = state.entry();
        Was {
            version: self.version_at_hub(key),
            numbered: state.version(),
            live: entry.writes().map(|(id, _)| id.clone()).collect(),
            known: entry.context().clone(),
        }
    }

    /// 0 if the key holds nothing.
    pub(super) fn version_at_hub(&self, key: &Key) -> Version {
        let hub = self.hub.machine.as_ref();
        let state = hub.and_then(|hub| hub.keyspace().get(key));
        let live = state.filter(|state| state.entry().is_live());
        live.map(KeyState::version).unwrap_or_default()
    }

    /// Notes what has come of it.
    pub(crate) fn note_decided(&mut self, before: Option<Before>) {
        let Some(before) = before else { return };
        if !self.decisions.seen.insert(before.name.clone()) {
            self.stats.hit("attempt comes again");
        }
        let ask = self.decisions.calls[before.call].ask.clone();
        self.note_renewed(&ask, &before.name.0);
        let Some(hub) = &self.hub.machine else { return };
        if hub.revision() == before.revision {
            return;
        }
        let (epoch, revision) = (hub.epoch(), hub.revision());
        let mut made = Made {
            call: before.call,
            name: before.name.clone(),
            epoch,
            revision,
            expected: expected(&ask),
            versions: Vec::new(),
            writes: Vec::new(),
            granted: None,
            durable: false,
            rollbacks: self.rollbacks,
        };
        for key in changed_by(&ask) {
            let was = before.keys.get(&key).cloned().unwrap_or_default();
            self.note_changed(&key, &was, &mut made);
        }
        self.note_claims(&ask, &mut made);
        self.check_made(&ask, &made, |key| {
            before.keys.get(key).map(|was| was.version)
        });
        for (key, _) in &made.versions {
            self.note_state(key);
        }
        self.decisions.unsettled.push(self.decisions.made.len());
        self.decisions.made.push(made);
        self.check_claims(false);
    }

    fn note_changed(&mut self, key: &Key, was: &Was, made: &mut Made) {
        let entry = self.at_hub(key);
        let new = entry.writes().find(|(id, _)| !was.known.contains(id));
        let new = new.map(|(id, write)| (id.clone(), write.clone()));
        let after = self.was(key);
        let next = was.numbered.next();
        let deleted = delete_in(&was.known, &after.known).filter(|_| new.is_none());
        let changed = new.is_some() || deleted.is_some() || after.live != was.live;
        let follows = !changed || after.numbered == next;
        self.require(follows, || {
            format!("{key} was at {}, is at {}", was.numbered, after.numbered)
        });
        let version = new.is_some().then_some(after.version);
        made.versions.push((key.clone(), version));
        match (new, deleted) {
            (Some((id, write)), _) => {
                self.note_decreed(key, &id, &write, was.live.clone());
                made.writes.push(id);
            }
            (None, Some(id)) => {
                self.note_delete(key, &id, was.live.clone());
                made.writes.push(id);
            }
            (None, None) => self.note_deleted(&was.live),
        }
    }

    /// A delete that is a write: one that its commit has covered again.
    fn note_delete(&mut self, key: &Key, id: &WriteId, shown: BTreeSet<WriteId>) {
        self.stats.hit("decided delete is a write");
        self.trace
            .say(|| format!("{id}: decided to delete {key} over {shown:?}"));
        let again = self.ghost.ops.contains_key(id);
        self.require(!again, || format!("{id} deletes {key} once more"));
        self.note_hubs(key, id, None, shown);
    }

    fn note_decreed(&mut self, key: &Key, id: &WriteId, write: &Write, shown: BTreeSet<WriteId>) {
        let kind = write.payload.kind();
        let decreed = matches!(kind, PayloadKind::Decreed | PayloadKind::Claim);
        let again = self.ghost.ops.contains_key(id);
        self.trace
            .say(|| format!("{id}: decided {:?} of {key} over {shown:?}", write.payload));
        self.require(decreed && !again, || format!("{id} is {kind:?} of {key}"));
        self.note_hubs(key, id, Some(write.payload.clone()), shown);
        let written = (key.clone(), write.payload.clone());
        self.ghost.written.insert(written);
    }

    fn note_hubs(
        &mut self,
        key: &Key,
        id: &WriteId,
        payload: Option<Payload>,
        shown: BTreeSet<WriteId>,
    ) {
        let op = Op {
            key: key.clone(),
            payload,
            is_write: false,
            shown,
            taken_up: BTreeSet::new(),
            total: 0,
            acked: false,
            at_hub: true,
            merged_by: None,
        };
        self.ghost.ops.insert(id.clone(), op);
    }

    /// What was live was deleted knowingly, for good once that is durable.
    pub(super) fn note_deleted(&mut self, live: &BTreeSet<WriteId>) {
        for id in live {
            self.ghost.cleared.entry(id.clone()).or_default();
            self.hub.ending.push(id.clone());
        }
    }

    /// Notes which decisions nobody can take back any more.
    pub(crate) fn settle_decisions(&mut self) {
        if self.decisions.unsettled.is_empty()
            || !self.hub.machine.as_ref().is_some_and(Hub::is_settled)
        {
            return;
        }
        for index in std::mem::take(&mut self.decisions.unsettled) {
            self.settle_decision(index);
        }
    }

    /// Of what a hub had decided when it died, that is durable which the next one finds.
    pub(crate) fn recover_decisions(&mut self) {
        for index in std::mem::take(&mut self.decisions.unsettled) {
            let made = &self.decisions.made[index];
            let held = |id: &WriteId| {
                let op = &self.ghost.ops[id];
                self.at_hub(&op.key).context().contains(id)
            };
            if made.writes.iter().any(held) {
                self.settle_decision(index);
            }
        }
        for key in self.plan.keys.clone() {
            if is_decided(&key) {
                self.note_state(&key);
            }
        }
    }

    fn note_state(&mut self, key: &Key) {
        let hub = self.hub.machine.as_ref();
        let state = hub.and_then(|hub| hub.keyspace().get(key));
        let Some(state) = state else {
            return self.add_state(key, Revision::default(), None);
        };
        let rules = self.rules();
        let rule = rules.of_entry(key, state.entry(), |_| true);
        let value = rule.and_then(|rule| rule.fold(state.entry()));
        let revision = state.revision();
        self.add_state(key, revision, value);
    }

    pub(crate) fn note_committed(&mut self, commit: &Committed) {
        if is_decided(&commit.key) {
            self.add_state(&commit.key, commit.revision, commit.value.clone());
        }
    }

    fn add_state(&mut self, key: &Key, revision: Revision, value: Option<Value>) {
        let state = State {
            since_us: self.now_us,
            version: self.version_at_hub(key),
            revision,
            value,
        };
        let states = self.decisions.states.entry(key.clone()).or_default();
        // A damaged hub that was recovered may hold something else under a number that nobody was told.
        let same = |last: &State| {
            (last.version, last.revision, &last.value)
                == (state.version, state.revision, &state.value)
        };
        if !states.last().is_some_and(same) {
            states.push(state);
        }
    }
}

fn keys_of(ask: &AuthorityAsk) -> BTreeSet<Key> {
    let expected = expected(ask).into_iter().map(|(key, _)| key);
    expected.chain(changed_by(ask)).collect()
}

fn expected(ask: &AuthorityAsk) -> Vec<(Key, Version)> {
    let AuthorityAsk::Commit { expect, .. } = ask else {
        return Vec::new();
    };
    let versions = expect.iter().filter_map(|expectation| match expectation {
        Expectation::Version { key, version, .. } => Some((key.clone(), *version)),
        Expectation::Claim { .. } => None,
    });
    versions.collect()
}

fn changed_by(ask: &AuthorityAsk) -> Vec<Key> {
    match ask {
        AuthorityAsk::Commit { assign, .. } => {
            let keys = assign.iter().map(|Assignment { key, .. }| key.clone());
            keys.collect()
        }
        AuthorityAsk::Claim { key, .. }
        | AuthorityAsk::Renew { key, .. }
        | AuthorityAsk::Release { key, .. } => vec![key.clone()],
    }
}

/// The newest write that a key has come to know of.
fn delete_in(before: &Context, after: &Context) -> Option<WriteId> {
    let mut new = after.clone();
    new.subtract(before);
    let span = new.spans().last()?;
    Some(WriteId::new(span.writer.clone(), span.last))
}
