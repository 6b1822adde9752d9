//! Keyed 128-bit hashes by which replicas compare state without sending it.
//!
//! The swarm's digest is a wrapping sum over its keys, so it is kept up to date in O(1) per write
//! and does not depend on order. `SipHash` is keyed with the swarm's name: equal content of two
//! swarms has different digests.

use std::fmt;
use std::hash::Hasher;

use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::entry::Entry;
use crate::id::{Key, SwarmId, WriteId};
use crate::payload::Payload;

/// A 128-bit sum or hash, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Digest(u128);

impl Digest {
    /// Adds a part. Parts commute.
    #[must_use]
    pub fn plus(self, part: Self) -> Self {
        Self(self.0.wrapping_add(part.0))
    }

    /// Takes a part out again.
    #[must_use]
    pub fn minus(self, part: Self) -> Self {
        Self(self.0.wrapping_sub(part.0))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The hash function of one swarm.
#[derive(Debug, Clone, Copy)]
pub struct DigestKey(u64, u64);

impl DigestKey {
    /// The key of a swarm, derived from its name.
    pub fn of(swarm: &SwarmId) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(swarm.as_str().as_bytes());
        let hash = hasher.finish128();
        Self(hash.h1, hash.h2)
    }

    /// One live write's part of its entry.
    pub fn write(&self, id: &WriteId, payload: &Payload) -> Digest {
        let mut hasher = self.hasher(b'w');
        absorb(&mut hasher, id.writer.agent().as_str().as_bytes());
        hasher.write_u64(id.writer.incarnation().bits());
        hasher.write_u64(id.seq.get());
        absorb(&mut hasher, payload.as_bytes());
        finish(&hasher)
    }

    /// One key's part of the swarm's digest, from the sum of its live writes' parts. A key without
    /// live writes has no part.
    pub fn key(&self, key: &Key, live: Digest) -> Digest {
        if live == Digest::default() {
            return live;
        }
        let mut hasher = self.hasher(b'k');
        absorb(&mut hasher, key.as_str().as_bytes());
        hasher.write(&live.0.to_le_bytes());
        finish(&hasher)
    }

    /// The hash of a whole entry, context included, from the sum of its live writes' parts.
    /// O(spans of its context).
    pub fn entry(&self, key: &Key, entry: &Entry, live: Digest) -> Digest {
        let spans = entry
            .context()
            .spans()
            .iter()
            .fold(Digest::default(), |sum, span| {
                let mut hasher = self.hasher(b's');
                absorb(&mut hasher, span.writer.agent().as_str().as_bytes());
                hasher.write_u64(span.writer.incarnation().bits());
                hasher.write_u64(span.first.get());
                hasher.write_u64(span.last.get());
                sum.plus(finish(&hasher))
            });
        let mut hasher = self.hasher(b'e');
        absorb(&mut hasher, key.as_str().as_bytes());
        hasher.write(&live.0.to_le_bytes());
        hasher.write(&spans.0.to_le_bytes());
        finish(&hasher)
    }

    /// The hash of a proposal, from its encoded bytes: tells whether two under one id are the same.
    pub fn proposal(&self, bytes: &[u8]) -> Digest {
        let mut hasher = self.hasher(b'p');
        absorb(&mut hasher, bytes);
        finish(&hasher)
    }

    /// The hash of a request, from its encoded bytes: tells whether two of one attempt are the same.
    pub fn request(&self, bytes: &[u8]) -> Digest {
        let mut hasher = self.hasher(b'q');
        absorb(&mut hasher, bytes);
        finish(&hasher)
    }

    fn hasher(&self, domain: u8) -> SipHasher13 {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.1);
        hasher.write_u8(domain);
        hasher
    }
}

/// Length first, so that two neighbours cannot trade bytes.
fn absorb(hasher: &mut SipHasher13, bytes: &[u8]) {
    hasher.write_u64(bytes.len() as u64);
    hasher.write(bytes);
}

fn finish(hasher: &SipHasher13) -> Digest {
    Digest(hasher.finish128().as_u128())
}
