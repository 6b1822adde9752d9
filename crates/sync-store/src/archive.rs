//! A backup: the rows of a store in one file, whatever engine kept them.
//!
//! ```text
//! "swarm-sync backup\n" format:u8 block…
//! block = length:u32 checksum:u32 body      of the body; numbers are little-endian
//! body  = 'r' length:u8 swarm length:u16 key value
//!       | 'e' rows:u64 checksum:u32         the last one; of the checksums of all blocks before it
//! ```
//!
//! Without its last block a file is cut short, and every other change of a bit shows in a checksum.

mod read;
mod write;

use std::io;

use thiserror::Error;

pub use self::read::ArchiveReader;
pub use self::write::ArchiveWriter;

/// What a backup begins with.
const MAGIC: &[u8; 18] = b"swarm-sync backup\n";

/// The format of backups. Higher ones come from newer programs.
pub const ARCHIVE_FORMAT: u8 = 1;

const ROW: u8 = b'r';
const END: u8 = b'e';

/// Bytes of a length and a checksum before each body.
const HEAD_BYTES: usize = 8;

/// Why a file is no backup that can be used. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It does not begin as one.
    #[error("it is not a backup of swarm-sync; name a file that `swarm-sync backup` has made")]
    Foreign,
    /// Written by a version of the program that this one does not know.
    #[error(
        "it is a backup of format {found}, this program reads {ARCHIVE_FORMAT}; use a newer program"
    )]
    Format {
        /// The format found.
        found: u8,
    },
    /// Its end is missing.
    #[error("it is cut short after {rows} rows; take another copy of it, or another backup")]
    CutShort {
        /// Rows before that.
        rows: u64,
    },
    /// It does not hold the bytes that were written.
    #[error(
        "it is damaged after {rows} rows: {reason}; take another copy of it, or another backup"
    )]
    Damaged {
        /// Rows before that.
        rows: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// A row that no file can hold.
    #[error("a row of {bytes} bytes does not fit a backup")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests;
