//! What a connection, or all of a process, has moved.

use std::ops::Add;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Bytes of connections, framing included, as they entered and left the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Encode, Decode)]
pub struct Traffic {
    /// Written.
    pub sent: u64,
    /// Read.
    pub received: u64,
    /// What compression did to them.
    #[serde(default)]
    pub compression: Compression,
}

/// The messages that travelled compressed, without framing, and what that cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, Encode, Decode)]
pub struct Compression {
    /// Those that were sent, as they were before.
    pub sent_plain: u64,
    /// The same as they were written.
    pub sent_packed: u64,
    /// Those that were received, as they read.
    pub received_plain: u64,
    /// The same as they arrived.
    pub received_packed: u64,
    /// Time spent compressing and reading, what did not pay included, in microseconds.
    pub cpu_us: u64,
}

impl Traffic {
    /// What would have been written without compression.
    pub fn sent_uncompressed(&self) -> u64 {
        let Compression {
            sent_plain,
            sent_packed,
            ..
        } = self.compression;
        (self.sent + sent_plain).saturating_sub(sent_packed)
    }

    /// What would have been read without compression.
    pub fn received_uncompressed(&self) -> u64 {
        let Compression {
            received_plain,
            received_packed,
            ..
        } = self.compression;
        (self.received + received_plain).saturating_sub(received_packed)
    }
}

impl Add for Traffic {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (a, b) = (self.compression, other.compression);
        Self {
            sent: self.sent + other.sent,
            received: self.received + other.received,
            compression: Compression {
                sent_plain: a.sent_plain + b.sent_plain,
                sent_packed: a.sent_packed + b.sent_packed,
                received_plain: a.received_plain + b.received_plain,
                received_packed: a.received_packed + b.received_packed,
                cpu_us: a.cpu_us + b.cpu_us,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compression_saved_is_told_from_what_moved() {
        let half = Traffic {
            sent: 110,
            received: 1_000,
            compression: Compression {
                sent_plain: 900,
                sent_packed: 90,
                received_plain: 400,
                received_packed: 100,
                cpu_us: 3,
            },
        };
        let both = half + half;
        assert_eq!(both.sent_uncompressed(), 2 * (20 + 900));
        assert_eq!(both.received_uncompressed(), 2 * (900 + 400));
        assert_eq!(both.compression.cpu_us, 6);
        assert_eq!(Traffic::default().sent_uncompressed(), 0);
    }
}
