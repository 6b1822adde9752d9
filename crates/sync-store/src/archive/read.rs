//! Reading a backup, row by row. No row is handed out before its checksum was compared, and none can be
//! relied on before the end was met.

use std::io::{self, Read};

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::Row;

use super::{ARCHIVE_FORMAT, ArchiveError, END, HEAD_BYTES, MAGIC, ROW};

/// Reads a backup.
#[derive(Debug)]
pub struct ArchiveReader<R> {
    from: R,
    rows: u64,
    sum: crc32fast::Hasher,
}

impl<R: Read> ArchiveReader<R> {
    /// Begins, unless it is something else or of a format that is not known.
    pub fn new(mut from: R) -> Result<Self, ArchiveError> {
        let mut head = Vec::with_capacity(MAGIC.len() + 1);
        let wanted = MAGIC.len() as u64 + 1;
        from.by_ref().take(wanted).read_to_end(&mut head)?;
        let Some(rest) = head.strip_prefix(MAGIC) else {
            return Err(ArchiveError::Foreign);
        };
        match rest {
            [ARCHIVE_FORMAT] => Ok(Self {
                from,
                rows: 0,
                sum: crc32fast::Hasher::new(),
            }),
            [found] => Err(ArchiveError::Format { found: *found }),
            _ => Err(ArchiveError::CutShort { rows: 0 }),
        }
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next row; none at the end, once that was found to be in order.
    pub fn next_row(&mut self) -> Result<Option<(SwarmId, Row)>, ArchiveError> {
        let sum = self.sum.clone().finalize();
        let body = self.block()?;
        match body.split_first() {
            Some((&ROW, rest)) => {
                let unreadable = || self.damaged("a block is no row");
                let row = parse(&body, rest).ok_or_else(unreadable)?;
                self.rows += 1;
                Ok(Some(row))
            }
            Some((&END, rest)) => self.end(rest, sum).map(|()| None),
            _ => Err(self.damaged("a block is of an unknown kind")),
        }
    }

    fn end(&mut self, rest: &[u8], sum: u32) -> Result<(), ArchiveError> {
        let expected = [&self.rows.to_le_bytes()[..], &sum.to_le_bytes()].concat();
        if rest != expected {
            return Err(self.damaged("its end counts other rows"));
        }
        match self.from.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(self.damaged("there is more after its end")),
        }
    }

    /// The next block, whose length reserves nothing.
    fn block(&mut self) -> Result<Bytes, ArchiveError> {
        let mut head = [0; HEAD_BYTES];
        self.exactly(&mut head)?;
        let [a, b, c, d, checksum @ ..] = head;
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        let mut body = Vec::new();
        self.from.by_ref().take(length).read_to_end(&mut body)?;
        if (body.len() as u64) < length {
            return Err(ArchiveError::CutShort { rows: self.rows });
        }
        if crc32fast::hash(&body).to_le_bytes() != checksum {
            return Err(self.damaged("a checksum does not fit its bytes"));
        }
        self.sum.update(&checksum);
        Ok(body.into())
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        self.from.read_exact(bytes).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => ArchiveError::CutShort { rows: self.rows },
            _ => e.into(),
        })
    }

    fn damaged(&self, reason: &'static str) -> ArchiveError {
        let rows = self.rows;
        ArchiveError::Damaged { rows, reason }
    }
}

/// The row in `body`, of which `rest` is what comes after its kind.
fn parse(body: &Bytes, rest: &[u8]) -> Option<(SwarmId, Row)> {
    let (&name_bytes, rest) = rest.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_bytes))?;
    let swarm = SwarmId::new(std::str::from_utf8(name).ok()?).ok()?;
    let (key_bytes, rest) = rest.split_first_chunk()?;
    let (key, value) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_bytes)))?;
    let (key, value) = (body.slice_ref(key), body.slice_ref(value));
    Some((swarm, Row { key, value }))
}
