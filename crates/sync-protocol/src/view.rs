//! How a key's state reads: the same at a replica and at the hub.

use std::collections::BTreeSet;

use sync_core::report::UserMetadata;
use sync_core::{Entry, Key, Resolver, Sibling, StateMetadata, StateVersion, WriteId};

use crate::keyspace::KeyState;

/// How far what is read can be behind the hub.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Freshness {
    pub(crate) age_ms: Option<u64>,
    pub(crate) connected: bool,
    pub(crate) behind: Option<u64>,
}

impl Freshness {
    /// It is the hub that reads.
    pub(crate) const AT_HUB: Self = Self {
        age_ms: Some(0),
        connected: true,
        behind: Some(0),
    };
}

/// A key as its rule reads it. `rule` is none for a key without live writes.
pub(crate) fn state_version(
    key: &Key,
    state: &KeyState,
    rule: Option<&dyn Resolver>,
    provisional: bool,
    fresh: Freshness,
) -> StateVersion {
    let entry = state.entry();
    let value = rule.and_then(|r| r.fold(entry));
    let shown = rule.and_then(|r| r.shown(entry));
    let agents: BTreeSet<_> = match &shown {
        Some(id) => std::iter::once(id.writer.agent().clone()).collect(),
        None => entry
            .writes()
            .map(|(id, _)| id.writer.agent().clone())
            .collect(),
    };
    let siblings = rule.map_or_else(Vec::new, |r| siblings(r, entry));
    let hidden = rule.map_or(0, |r| r.hidden(entry));
    let user = shown
        .as_ref()
        .and_then(|id| entry.write(id))
        .and_then(|w| w.metadata());
    let numbered = state.version().get() > 0;
    StateVersion {
        key: key.clone(),
        version: (numbered && value.is_some()).then_some(state.version()),
        revision: numbered.then_some(state.revision()),
        siblings,
        timestamp: entry.writes().map(|(_, w)| w.stamp).max(),
        agent: shown.map(|id| id.writer.agent().clone()),
        metadata: StateMetadata {
            rule: rule.map(Resolver::rule),
            undecided: u32::try_from(hidden).unwrap_or(u32::MAX),
            merged_from: agents.into_iter().collect(),
            provisional,
            unmerged: None,
            omitted_bytes: None,
            expired: false,
            age_ms: fresh.age_ms,
            connected: fresh.connected,
            behind: fresh.behind,
            user: user.map(UserMetadata::from),
        },
        value,
    }
}

/// Leaves a value out that takes too many bytes beside others in one answer.
pub(crate) fn omit_value(state: &mut StateVersion, bytes: usize) {
    state.value = None;
    state.siblings = Vec::new();
    state.metadata.user = None;
    state.metadata.omitted_bytes = Some(bytes as u64);
}

fn siblings(rule: &dyn Resolver, entry: &Entry) -> Vec<Sibling> {
    values_of(&rule.siblings(entry), entry)
}

/// Some live writes as values beside each other.
pub(crate) fn values_of(writes: &[WriteId], entry: &Entry) -> Vec<Sibling> {
    let sibling = |id: &WriteId| {
        let write = entry.write(id)?;
        Some(Sibling {
            write: id.clone(),
            timestamp: write.stamp,
            value: write.payload.value()?,
        })
    };
    writes.iter().filter_map(sibling).collect()
}
