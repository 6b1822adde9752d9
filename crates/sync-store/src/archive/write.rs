//! Writing a backup, row by row.

use std::io::Write;

use sync_core::id::SwarmId;
use sync_core::store::Row;

use super::{ARCHIVE_FORMAT, ArchiveError, END, MAGIC, ROW};

/// Writes a backup. It is none before [`ArchiveWriter::finish`].
#[derive(Debug)]
pub struct ArchiveWriter<W> {
    to: W,
    rows: u64,
    /// Over the checksums of all blocks.
    sum: crc32fast::Hasher,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins one.
    pub fn new(mut to: W) -> Result<Self, ArchiveError> {
        to.write_all(MAGIC)?;
        to.write_all(&[ARCHIVE_FORMAT])?;
        Ok(Self {
            to,
            rows: 0,
            sum: crc32fast::Hasher::new(),
        })
    }

    /// Adds a row.
    pub fn row(&mut self, swarm: &SwarmId, row: &Row) -> Result<(), ArchiveError> {
        let bytes = row.key.len() + row.value.len();
        let too_large = |_| ArchiveError::TooLarge { bytes };
        let name = swarm.as_str().as_bytes();
        let name_bytes = u8::try_from(name.len()).map_err(too_large)?;
        let key_bytes = u16::try_from(row.key.len()).map_err(too_large)?;
        let head = [&[ROW, name_bytes], name, &key_bytes.to_le_bytes()].concat();
        self.block(&[&head, &row.key, &row.value])?;
        self.rows += 1;
        Ok(())
    }

    /// Ends it. Returns how many rows it has, and what it was written to, flushed.
    pub fn finish(mut self) -> Result<(u64, W), ArchiveError> {
        let (rows, sum) = (self.rows.to_le_bytes(), self.sum.clone().finalize());
        self.block(&[&[END], &rows, &sum.to_le_bytes()])?;
        self.to.flush()?;
        Ok((self.rows, self.to))
    }

    fn block(&mut self, parts: &[&[u8]]) -> Result<(), ArchiveError> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(bytes).map_err(|_| ArchiveError::TooLarge { bytes })?;
        let mut hasher = crc32fast::Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        let checksum = hasher.finalize().to_le_bytes();
        self.sum.update(&checksum);
        self.to.write_all(&length.to_le_bytes())?;
        self.to.write_all(&checksum)?;
        for part in parts {
            self.to.write_all(part)?;
        }
        Ok(())
    }
}
