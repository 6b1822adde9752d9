//! A swarm's past: what a hub can be asked about it, and what it answers.

mod commit;
mod told;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::codec::List;
use crate::cursor::Seen;
use crate::id::{Key, Revision, Version, WriteId};
use crate::report::{Since, StateVersion};

pub use self::commit::{
    Did, LossReason, Omitted, PastCommit, PastKind, PastLoss, PastValue, PastWrite,
};

/// A question about the past of a swarm.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every receiver must handle every request"
)]
pub enum PastAsk {
    /// The commits of a key, the newest first.
    History {
        /// The key.
        key: Key,
        /// The newest version to tell of, as [`HistoryPage::next`] says it; none for the key's newest.
        upto: Option<Version>,
        /// How many commits at most; a page may hold fewer.
        limit: u32,
    },
    /// Why the value of a key is what it is.
    Explain(Key),
    /// What a key was at an earlier revision.
    StateAt {
        /// The key.
        key: Key,
        /// When.
        at: Since,
    },
    /// What changed between two revisions, the first excluded, the last included.
    Diff {
        /// After which.
        from: Since,
        /// Up to which; none for the last one.
        to: Option<Since>,
        /// Only keys after this one, as [`DiffNext`] says it.
        after: Option<Key>,
    },
    /// What the author of a write had seen of the swarm when it wrote.
    Knew {
        /// The key that it wrote.
        key: Key,
        /// The write.
        write: WriteId,
        /// Only what changed after this revision, as [`Knew::next`] says it.
        after: Option<Revision>,
    },
}

/// The answer to a [`PastAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_enums, reason = "one case per request")]
pub enum PastAnswer {
    /// To [`PastAsk::History`].
    History(HistoryPage),
    /// To [`PastAsk::Explain`].
    Explained(Box<KeyExplanation>),
    /// To [`PastAsk::StateAt`].
    State(Box<PastState>),
    /// To [`PastAsk::Diff`].
    Diff(DiffPage),
    /// To [`PastAsk::Knew`].
    Knew(Box<Knew>),
}

/// Some commits of one key, the newest first. Each begins at the version at which the one after it in
/// the list ends: nothing is left out in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "a page, and where it ends")]
pub struct HistoryPage {
    /// The key.
    pub key: Key,
    /// The version it is at now; 0 if no commit has ever touched it.
    pub version: Version,
    /// The commits.
    pub commits: List<PastCommit>,
    /// Where to go on; none if there is no more.
    pub next: Option<Version>,
    /// What there was before and is not kept; none if there is more to ask for, or nothing was before.
    pub dropped: Option<Dropped>,
}

/// Where what is kept of a key begins, and why not earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "where and why")]
pub struct Dropped {
    /// The newest version of which nothing is kept, and so nothing of those before it.
    pub upto: Version,
    /// Why.
    pub why: DroppedBy,
}

/// Why the past of a key is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "by", rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "the bounds there are")]
pub enum DroppedBy {
    /// More commits than are kept of a key.
    Count {
        /// How many are.
        commits: u32,
    },
    /// They are older than is kept.
    Age {
        /// How old what is kept may be, in milliseconds.
        age_ms: u64,
    },
    /// The hub did not record it then: an earlier program, or a table of policies that kept less.
    Unrecorded,
}

/// What a key was at an earlier revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "what is known of that moment")]
pub struct PastState {
    /// The key.
    pub key: Key,
    /// The revision that was asked for.
    pub at: Revision,
    /// The version that the key had; none if no commit had touched it by then, or that is not kept.
    pub version: Option<Version>,
    /// The commit that had last changed it.
    pub revision: Option<Revision>,
    /// The value it had.
    #[serde(flatten)]
    pub value: PastValue,
    /// The next commit that changed it; none if this is how it is now, or that is not kept.
    pub until: Option<Revision>,
    /// Why it is not known.
    pub dropped: Option<Dropped>,
}

/// What changed between two revisions, each key once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "a page, and where it ends")]
pub struct DiffPage {
    /// After which revision this page begins.
    pub from: Revision,
    /// Up to which it goes.
    pub to: Revision,
    /// The keys, ascending.
    pub changes: List<KeyDiff>,
    /// Where to go on; none if this is all.
    pub next: Option<DiffNext>,
    /// The page begins later than was asked for, because the hub keeps only what changed after this
    /// revision.
    pub kept_after: Option<Revision>,
}

/// Where a diff goes on: the same question with these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "where to go on")]
pub struct DiffNext {
    /// After which revision.
    pub from: Revision,
    /// Up to which.
    pub to: Revision,
    /// After which key.
    pub after: Option<Key>,
}

/// What became of one key between two revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "before, after, and the way")]
pub struct KeyDiff {
    /// The key.
    pub key: Key,
    /// The version it had; 0 if no commit had touched it.
    pub before: Version,
    /// The version it came to.
    pub version: Version,
    /// The last commit that changed it.
    pub revision: Revision,
    /// How many commits changed it.
    pub commits: u32,
    /// What the last of them did.
    pub kind: PastKind,
    /// What it was; none if that is not kept.
    pub was: Option<PastValue>,
    /// What it became; none if that is not kept.
    pub became: Option<PastValue>,
}

/// What the author of a write had seen when it wrote, and what the hub had committed by then that it had
/// not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "what is known of that moment")]
pub struct Knew {
    /// The key that was written.
    pub key: Key,
    /// The write.
    pub write: WriteId,
    /// How far its author had read the hub's log; none if it had never met a hub.
    pub seen: Option<Seen>,
    /// Whether that is a position in this hub's log. If not, what it had seen cannot be told, and
    /// everything counts as not seen.
    pub comparable: bool,
    /// The commit that brought the write to the hub.
    pub committed: Revision,
    /// When that was, by the hub's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// What others had changed between the two, oldest first, each key once in a page.
    pub stale: List<StaleKey>,
    /// Where to go on; none if this is all.
    pub next: Option<Revision>,
    /// What the hub keeps of its log begins after this revision, later than what the author had seen.
    pub kept_after: Option<Revision>,
}

/// A key that had changed without an author's knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "what and when")]
pub struct StaleKey {
    /// The key.
    pub key: Key,
    /// The first commit that changed it.
    pub revision: Revision,
    /// The version it came to with that.
    pub version: Version,
}

/// Why the value of a key is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "the facts and how they read")]
pub struct KeyExplanation {
    /// The key.
    pub key: Key,
    /// The explanation, a sentence each.
    pub sentences: List<String>,
    /// The key as it is; none if it holds no value.
    pub state: Option<StateVersion>,
    /// Its last commits, the newest first.
    pub commits: List<PastCommit>,
    /// What is not kept of those before them.
    pub dropped: Option<Dropped>,
}
