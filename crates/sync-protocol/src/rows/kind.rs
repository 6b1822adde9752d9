//! The first byte of a row's key.

pub(super) const MEMBER: u8 = b'a';
pub(super) const RUN: u8 = b'e';
pub(super) const FATE: u8 = b'f';
/// Sorts before the values of the memory: it says which of them are gone.
pub(super) const CLEARED: u8 = b'c';
pub(super) const ADOPTED: u8 = b'd';
pub(super) const GRAVE: u8 = b'g';
pub(super) const HEADER: u8 = b'h';
pub(super) const KNOWN: u8 = b'k';
pub(super) const MEMORY: u8 = b'm';
/// Sorts before all others: it says whose rows follow.
pub(super) const META: u8 = b'M';
pub(super) const OUTBOX: u8 = b'o';
pub(super) const POLICIES: u8 = b'P';
pub(super) const REPAIR: u8 = b'p';
pub(super) const RECEIPT: u8 = b'r';
pub(super) const LIFETIME: u8 = b't';
pub(super) const WRITE: u8 = b'w';
