//! What operations answer: versions of state, deltas, the outcome of a round, the status of a hub.

use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};

use crate::activity::Activity;
use crate::consensus::AlgorithmStatistics;
use crate::cursor::{Cursor, Seen};
use crate::digest::Digest;
use crate::id::{AgentId, Epoch, Key, Revision, SwarmId, Version, WriteId};
use crate::resolver::MergeRule;
use crate::stamp::Stamp;
use crate::store::Durability;
use crate::transport::Traffic;
use crate::value::Value;
use crate::write::Metadata;

/// One key as a replica or the hub sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct StateVersion {
    /// The key.
    pub key: Key,
    /// Its value; none if the key was deleted.
    pub value: Option<Value>,
    /// The hub's count of commits that changed the key; none before the first commit and while the
    /// key is deleted.
    pub version: Option<Version>,
    /// The commit that last changed the key; none before the first.
    pub revision: Option<Revision>,
    /// When the newest of its live writes was made.
    pub timestamp: Option<Stamp>,
    /// Who wrote the value, if a single write shows.
    pub agent: Option<AgentId>,
    /// The values that remain concurrent, the shown one included; none unless there are several and the
    /// key's rule keeps them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub siblings: Vec<Sibling>,
    /// How the value came about.
    pub metadata: StateMetadata,
}

/// One of several concurrent values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Sibling {
    /// The write.
    pub write: WriteId,
    /// When it was made.
    pub timestamp: Stamp,
    /// What it wrote.
    pub value: Value,
}

/// How a value came about and how far it can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode, Default)]
pub struct StateMetadata {
    /// The rule it was folded by.
    pub rule: Option<MergeRule>,
    /// How many live writes the value does not show: concurrent ones the hub has not decided on. Those
    /// that the key's rule keeps are shown, in [`StateVersion::siblings`].
    pub undecided: u32,
    /// The agents whose live writes the value is made of, ascending.
    pub merged_from: Vec<AgentId>,
    /// The hub may still decide otherwise.
    pub provisional: bool,
    /// Why the function that merges concurrent values of this key made nothing of them; as far as the
    /// hub tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmerged: Option<String>,
    /// There is no value because its lifetime has ended; as far as the hub tells.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    /// Milliseconds since the replica last knew itself in step with the hub; 0 at the hub, none if
    /// it never was.
    pub age_ms: Option<u64>,
    /// Whether the replica was connected to its hub; true at the hub.
    pub connected: bool,
    /// Revisions that lie between what the replica holds and the last head of the hub that it has heard
    /// of; none if it has heard of none.
    pub behind: Option<u64>,
    /// The value is left out, because it takes about that many bytes, too many beside the others in one
    /// answer. An agent holds it; a client can try to read the key by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omitted_bytes: Option<u64>,
    /// What the writer hung on the shown write.
    #[serde(
        serialize_with = "metadata_value",
        skip_serializing_if = "Option::is_none"
    )]
    pub user: Option<UserMetadata>,
}

/// [`Metadata`] in a report.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct UserMetadata(pub Value);

impl From<&Metadata> for UserMetadata {
    fn from(metadata: &Metadata) -> Self {
        Self(metadata.value())
    }
}

#[expect(clippy::ref_option, reason = "the signature serde calls")]
fn metadata_value<S: Serializer>(
    metadata: &Option<UserMetadata>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    metadata.as_ref().map(|m| &m.0).serialize(serializer)
}

/// Where a delta starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Since {
    /// A position of an earlier delta: checked against the hub's lineage.
    Cursor(Cursor),
    /// A bare revision, trusted to be of this hub's log.
    Revision(Revision),
}

impl Since {
    /// Everything.
    pub const START: Self = Self::Revision(Revision::new(0));
}

impl From<Revision> for Since {
    fn from(revision: Revision) -> Self {
        Self::Revision(revision)
    }
}

impl From<Cursor> for Since {
    fn from(cursor: Cursor) -> Self {
        Self::Cursor(cursor)
    }
}

impl From<Seen> for Since {
    fn from(seen: Seen) -> Self {
        let Seen { epoch, revision } = seen;
        Self::Cursor(Cursor {
            epoch,
            revision,
            head: revision,
        })
    }
}

/// The changes after some position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Delta {
    /// Every key that changed, at its newest, in commit order. Deleted keys have no value.
    pub changes: Vec<StateVersion>,
    /// Continue from here.
    pub to: Cursor,
    /// The hub's last revision.
    pub head: Revision,
    /// Whether changes after `to` remain.
    pub more: bool,
}

/// What brought a change about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "what can happen to a key")]
pub enum ChangeKind {
    /// The key has a value, which is new or may be.
    Changed,
    /// The key has no value any more.
    Deleted,
    /// The key's lifetime has ended, so that it has no value any more.
    Expired,
}

/// One committed change of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The key as that commit left it.
    #[serde(flatten)]
    pub state: StateVersion,
}

/// Some committed changes, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Watched {
    /// The changes after the position asked for, up to `to`.
    pub changes: Vec<Change>,
    /// What is between was not kept: of each key only its last change is among them.
    pub compacted: bool,
    /// Continue from here.
    pub to: Cursor,
}

/// One key in a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct KeyReport {
    /// The key.
    pub key: Key,
    /// Its version afterwards; none if nobody holds a value.
    pub version: Option<Version>,
    /// Whether the round changed it at the hub.
    pub changed: bool,
    /// Writes that the round found to have lost against a concurrent one. A receipt each.
    pub conflicts: u32,
    /// Why the key was not synchronized; none if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// What a full synchronization came to. Returned only if at least one agent answered.
///
/// Keys of several priorities are a round for each. What is said of agents and bytes is said of all the
/// rounds that were answered; keys of one that was not say so in [`KeyReport::failed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct SyncReport {
    /// The hub's run.
    pub epoch: Epoch,
    /// The swarm's revision afterwards.
    pub revision: Revision,
    /// One line per key asked for, in that order.
    pub keys: Vec<KeyReport>,
    /// The agents that answered, ascending: for all keys that did not fail.
    pub responded: Vec<AgentId>,
    /// The agents of the roster that did not: not connected, or silent until the deadline.
    pub missing: Vec<AgentId>,
    /// Those that confirmed to hold `revision` durably before the round ended.
    pub in_step: Vec<AgentId>,
    /// Writes that lost against a concurrent one, over all keys.
    pub conflicts: u32,
    /// Bytes of state that the answers carried; 0 if everybody held the same as the hub.
    pub bytes: u64,
    /// How long it took.
    pub elapsed_ms: u64,
}

impl SyncReport {
    /// How many keys were synchronized.
    pub fn synchronized(&self) -> usize {
        self.keys.len() - self.failed().count()
    }

    /// The agents that answered and have not confirmed to hold the result: the deadline came first. They
    /// get it all the same.
    pub fn unconfirmed(&self) -> impl Iterator<Item = &AgentId> {
        let confirmed = |agent: &&AgentId| !self.in_step.contains(*agent);
        self.responded.iter().filter(confirmed)
    }

    /// The keys that were not, each with why in [`KeyReport::failed`].
    pub fn failed(&self) -> impl Iterator<Item = &KeyReport> {
        self.keys.iter().filter(|line| line.failed.is_some())
    }
}

/// An acknowledged write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Ack {
    /// Its identity; none if the operation had nothing to do (deleting what is not there).
    #[serde(rename = "write")]
    pub write_id: Option<WriteId>,
    /// What the acknowledgement survives.
    pub durability: Durability,
    /// By which revision the hub has committed it; none if the acknowledgement did not wait for that.
    /// Whoever has read up to there has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The run of the hub that the revision is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
}

impl Ack {
    /// Where the hub has it, as somebody else's read can wait for; none if the acknowledgement did not
    /// wait for that.
    pub fn position(&self) -> Option<Seen> {
        let (epoch, revision) = self.epoch.zip(self.revision)?;
        Some(Seen { epoch, revision })
    }
}

/// One agent as the hub sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct MemberStatus {
    /// The agent.
    pub agent: AgentId,
    /// Whether it is connected now.
    pub connected: bool,
    /// The last revision it confirmed to hold, if any since the hub started.
    pub acked: Option<Revision>,
    /// How many revisions it is behind, as far as it has confirmed; none if it has confirmed nothing since
    /// the hub started.
    pub lag: Option<u64>,
    /// Receipts that wait for it.
    pub receipts: u32,
    /// Writes that only their number is left of: more receipts waited than may.
    pub receipts_dropped: u64,
}

/// A hub, for one swarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct HubStatus {
    /// The swarm.
    pub swarm: SwarmId,
    /// This run of the hub.
    pub epoch: Epoch,
    /// Its last revision.
    pub revision: Revision,
    /// The digest of its state.
    pub digest: Digest,
    /// Keys that hold a value.
    pub keys: u64,
    /// The roster.
    pub members: Vec<MemberStatus>,
    /// Ids that named two different writes since the hub started: a disk was copied. Expected 0.
    pub id_alarms: u64,
    /// What is synchronized every so often.
    pub periodic: Vec<PeriodicStatus>,
    /// One line per algorithm that the hub knows, or that votes of an earlier run were put to.
    pub consensus: Vec<AlgorithmStatistics>,
    /// What the hub's process has moved in this run, for all its swarms, and what compression did to it.
    pub traffic: Traffic,
    /// What the hub has done for the swarm in this run.
    pub activity: Activity,
    /// Bytes that the store of the hub's process takes on disk, with all its swarms; none if it keeps
    /// nothing there.
    pub store_bytes: Option<u64>,
    /// About how many bytes its values take: what the bound of the swarm's bytes is held against.
    pub state_bytes: u64,
    /// What the disk of that store has free; none if there is none, or nobody knows.
    pub free_bytes: Option<u64>,
    /// Not while that disk has little room: then nothing new is taken.
    pub takes_writes: bool,
}

impl HubStatus {
    /// Where its log stands.
    pub fn position(&self) -> Seen {
        Seen {
            epoch: self.epoch,
            revision: self.revision,
        }
    }
}

/// A synchronization that takes place every so often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct PeriodicStatus {
    /// Its name.
    pub name: String,
    /// What it synchronizes: patterns, or the keys of a priority.
    pub covers: String,
    /// How often, in milliseconds.
    pub interval_ms: u64,
    /// By how much a run may come later, in milliseconds.
    pub jitter_ms: u64,
    /// Until the next one, in milliseconds; 0 while one is under way.
    pub next_in_ms: u64,
    /// Whether one is under way.
    pub running: bool,
    /// How many have ended in this run of the hub, those that failed included.
    pub runs: u64,
    /// How many of them found something to change.
    pub changed: u64,
    /// How many of them left keys unsynchronized: nobody was there, or silent until the deadline, or no
    /// key is what is to be synchronized.
    pub failed: u64,
    /// How many were due while one was under way or the hub asleep, and were left out.
    pub missed: u64,
    /// Why the last one failed, if it did.
    pub last_failure: Option<String>,
    /// The agents of the roster that did not answer in the last one, not connected or silent until the
    /// deadline, ascending: at most 16 of them.
    pub last_missing: Vec<AgentId>,
    /// How many there were of these.
    pub last_missing_count: u64,
}
