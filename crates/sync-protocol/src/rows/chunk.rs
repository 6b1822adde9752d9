//! Rows of the log of commits: each holds some of them, one behind the other, as they were encoded.
//!
//! A commit is a block, its revision and the blocks of its head and of each key: what comes later is put
//! behind what is there, and nothing is read to find where it ends.

use bytes::Bytes;
use sync_core::codec;
use sync_core::{Key, Revision, Row, RowOp};

use super::commit::{CommitBytes, CommitHead, KeyRecord, LENGTH_BYTES, REVISION_BYTES, Told};
use super::{RowError, delete, keys, kind, put};

/// A row that holds the commits from `first` on.
pub(crate) fn put_chunk(first: Revision, commits: &[u8]) -> RowOp {
    put(keys::chunk(first), Bytes::copy_from_slice(commits))
}

/// What is to become of a key's part of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Whole,
    /// Only that the key was changed.
    Name,
    Nothing,
}

/// A row of the log, cut into its commits.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    row: &'a Row,
    /// No commit in it is older.
    pub(crate) first: Revision,
    commits: Vec<Cut>,
}

/// A commit, cut into its blocks.
#[derive(Debug)]
struct Cut {
    revision: Revision,
    head: Bytes,
    /// Of each key its numbers and what is told of it.
    keys: Vec<(Bytes, Bytes)>,
}

/// A key of a commit, and what is told of it: nothing where no history was kept of it, or not any more.
pub(crate) type Record = (KeyRecord, Option<Told>);

impl<'a> Chunk<'a> {
    /// Cuts a row; none if it is another kind of row.
    pub(crate) fn read(row: &'a Row) -> Result<Option<Self>, RowError> {
        if row.key.first() != Some(&kind::CHUNK) {
            return Ok(None);
        }
        let first = keys::chunk_first(&row.key);
        let first = first.ok_or_else(|| RowError::unreadable(row, "its key has no revision"))?;
        let commits = cut(&row.value).ok_or_else(|| {
            let reason = "what it says of lengths does not fit the commits of a log";
            RowError::unreadable(row, reason)
        })?;
        Ok(Some(Self {
            row,
            first,
            commits,
        }))
    }

    /// Whether it is of one commit that has several such rows.
    pub(crate) fn is_part(&self) -> bool {
        keys::is_part(&self.row.key)
    }

    /// What a commit did to a key; none if that is not in this row.
    pub(crate) fn find(
        &self,
        revision: Revision,
        key: &Key,
    ) -> Result<Option<(CommitHead, Record)>, RowError> {
        for commit in self.commits.iter().filter(|cut| cut.revision == revision) {
            for (numbers, told) in &commit.keys {
                let record: KeyRecord = self.record(numbers)?;
                if record.key == *key {
                    return Ok(Some((self.head(commit)?, (record, self.told(told)?))));
                }
            }
        }
        Ok(None)
    }

    /// Every commit within bounds, both included, in order.
    pub(crate) fn commits(
        &self,
        from: Revision,
        to: Revision,
    ) -> impl Iterator<Item = Result<(Revision, CommitHead, Vec<Record>), RowError>> {
        let within = move |at: Revision| from <= at && at <= to;
        let commits = self.commits.iter().filter(move |cut| within(cut.revision));
        commits.map(|commit| {
            let keys = commit.keys.iter();
            let records = keys.map(|(numbers, told)| Ok((self.record(numbers)?, self.told(told)?)));
            let records: Result<_, RowError> = records.collect();
            Ok((commit.revision, self.head(commit)?, records?))
        })
    }

    /// The row without what need not be kept; none if all of it is. What is told of a key is told by its
    /// size.
    pub(crate) fn thinned(
        &self,
        keep: impl Fn(Revision, &CommitHead, &KeyRecord, usize) -> Keep,
    ) -> Result<Option<RowOp>, RowError> {
        let (mut value, mut changed) = (Vec::new(), false);
        for commit in &self.commits {
            let head = self.head(commit)?;
            let mut left = CommitBytes::emptied(commit.revision, &commit.head);
            for (numbers, told) in &commit.keys {
                let record = self.record(numbers)?;
                let kept = keep(commit.revision, &head, &record, told.len());
                match kept {
                    Keep::Whole => left.add_read(record.key, numbers, told),
                    Keep::Name => left.add_read(record.key, numbers, &[]),
                    Keep::Nothing => {}
                }
                changed |= kept == Keep::Nothing || (kept == Keep::Name && !told.is_empty());
            }
            if !left.is_empty() {
                left.append_to(&mut value);
            }
        }
        let key = self.row.key.to_vec();
        Ok(match value.len() {
            _ if !changed => None,
            0 => Some(delete(key)),
            _ => Some(put(key, value.into())),
        })
    }

    fn head(&self, commit: &Cut) -> Result<CommitHead, RowError> {
        let head = codec::from_bytes("head of a commit", &commit.head);
        head.map_err(|e| RowError::unreadable(self.row, e.to_string()))
    }

    fn record(&self, numbers: &Bytes) -> Result<KeyRecord, RowError> {
        let record = codec::from_bytes("key of a commit", numbers);
        record.map_err(|e| RowError::unreadable(self.row, e.to_string()))
    }

    fn told(&self, told: &Bytes) -> Result<Option<Told>, RowError> {
        if told.is_empty() {
            return Ok(None);
        }
        let told = codec::from_bytes("commit of a key", told);
        told.map(Some)
            .map_err(|e| RowError::unreadable(self.row, e.to_string()))
    }
}

fn cut(value: &Bytes) -> Option<Vec<Cut>> {
    let mut rest = value.clone();
    let mut commits = Vec::new();
    while !rest.is_empty() {
        let mut commit = take_block(&mut rest)?;
        let revision = commit.first_chunk::<REVISION_BYTES>()?;
        let revision = Revision::new(u64::from_be_bytes(*revision));
        commit = commit.slice(REVISION_BYTES..);
        let head = take_block(&mut commit)?;
        let mut keys = Vec::new();
        while !commit.is_empty() {
            let numbers = take_block(&mut commit)?;
            keys.push((numbers, take_block(&mut commit)?));
        }
        commits.push(Cut {
            revision,
            head,
            keys,
        });
    }
    Some(commits)
}

fn take_block(rest: &mut Bytes) -> Option<Bytes> {
    let length = u32::from_le_bytes(*rest.first_chunk::<LENGTH_BYTES>()?);
    let end = usize::try_from(length).ok()?.checked_add(LENGTH_BYTES)?;
    if end > rest.len() {
        return None;
    }
    let block = rest.slice(LENGTH_BYTES..end);
    *rest = rest.slice(end..);
    Some(block)
}
