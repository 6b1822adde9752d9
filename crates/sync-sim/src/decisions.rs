//! Compare-and-set and claims: what is asked, by agents and by a client that asks again.
//!
//! What the hub makes of it is noted in `note`, what it answers is checked in `check`, and who has a key
//! for how long in `claims`.

mod ask;
mod check;
mod claims;
mod note;

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{
    AgentId, AuthorityAsk, Epoch, Incarnation, Key, Reply, Revision, Token, Value, Version, WriteId,
};

pub(crate) use self::ask::LEASE_MS_MAX;
pub(crate) use self::claims::Held;

/// Who asks for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    Replica(usize),
    /// By this number of its own: it asks itself again.
    Client(u64),
}

/// Something that was asked.
#[derive(Debug)]
pub(super) struct Call {
    asker: Asker,
    ask: AuthorityAsk,
    asked_us: u64,
    /// Until then it may be asked again.
    until_us: u64,
    /// The first answer, and how often the disk had been rolled back then.
    answer: Option<(Reply, u64)>,
}

/// An attempt: its asker, that one's run, the number.
pub(super) type Name = (AgentId, Incarnation, u64);

/// What the hub has made of a call.
#[derive(Debug)]
pub(super) struct Made {
    call: usize,
    name: Name,
    epoch: Epoch,
    revision: Revision,
    /// What was expected of keys, and what they have come to.
    expected: Vec<(Key, Version)>,
    versions: Vec<(Key, Option<Version>)>,
    writes: Vec<WriteId>,
    granted: Option<(Key, Token)>,
    durable: bool,
    rollbacks: u64,
}

/// How a key stood since some time; version 0 if it held nothing.
#[derive(Debug, PartialEq)]
pub(super) struct State {
    since_us: u64,
    version: Version,
    revision: Revision,
    value: Option<Value>,
}

/// What is known of decisions, outside the nodes.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    calls: Vec<Call>,
    /// Which call a request is about.
    requests: BTreeMap<u64, usize>,
    /// Attempts that have come to the hub.
    seen: BTreeSet<Name>,
    made: Vec<Made>,
    /// Of those, which are not known to be durable.
    unsettled: Vec<usize>,
    states: BTreeMap<Key, Vec<State>>,
    /// What was expected of a key by a commit that was confirmed.
    met: BTreeSet<(Key, Version, u64)>,
    /// Those that were granted, the latest last.
    tokens: Vec<(Key, Token)>,
    /// The last grant that is durable, by how often the disk had been rolled back.
    last_grant: BTreeMap<Key, (u64, Revision)>,
    /// Who has what, as the hub's clock tells.
    held: BTreeMap<Key, Held>,
    /// Nothing is granted before.
    paused_until_us: u64,
    /// Numbers of the client, and up to which it has said that answers arrived.
    client_last: u64,
    client_said: u64,
}
