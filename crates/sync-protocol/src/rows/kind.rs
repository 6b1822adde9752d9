//! The first byte of a row's key.

pub(super) const MEMBER: u8 = b'a';
pub(super) const RUN: u8 = b'e';
pub(super) const FATE: u8 = b'f';
/// What the hub has told last of own writes.
pub(super) const DELIVERED: u8 = b'n';
/// Sorts before the values of the memory: it says which of them are gone.
pub(super) const CLEARED: u8 = b'c';
pub(super) const OWN_VOTE: u8 = b'b';
pub(super) const DECISION: u8 = b'z';
pub(super) const ADOPTED: u8 = b'd';
pub(super) const GRAVE: u8 = b'g';
pub(super) const HEADER: u8 = b'h';
/// Sorts after all that a hub reads when it opens: what sorts after a row of the past is of the past, too.
pub(super) const CHUNK: u8 = b'}';
/// The past as an earlier format had it: nothing reads it, and what the hub meets of it goes.
pub(super) const OUTDATED: u8 = b'~';
pub(super) const JOURNAL: u8 = b'j';
pub(super) const KNOWN: u8 = b'k';
pub(super) const MEMORY: u8 = b'm';
/// Sorts before all others: it says whose rows follow.
pub(super) const META: u8 = b'M';
pub(super) const OUTBOX: u8 = b'o';
pub(super) const POLICIES: u8 = b'P';
pub(super) const REPAIR: u8 = b'p';
/// Sorts before [`VOTE`]: who votes is known before what was voted.
pub(super) const POLL: u8 = b'q';
pub(super) const RECEIPT: u8 = b'r';
/// The longest lease that may be under way.
pub(super) const LEASE: u8 = b'l';
pub(super) const ANSWERED: u8 = b'x';
pub(super) const LIFETIME: u8 = b't';
pub(super) const VOTE: u8 = b'v';
pub(super) const WRITE: u8 = b'w';
