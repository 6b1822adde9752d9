//! Rows of the log of commits: each holds some of them, one behind the other, as they were encoded.
//!
//! A commit is a block, its revision and the blocks of its head and of each key: what comes later is put
//! behind what is there, and nothing is read to find where it ends.

use bincode::{Decode, Encode};
use bytes::Bytes;
use sync_core::codec::{self, List};
use sync_core::{
    AgentId, Key, MergeRule, PastCommit, PastKind, PastLoss, PastValue, PastWrite, Revision, Row,
    RowOp, Version, WriteId,
};

use super::{RowError, delete, keys, kind, put};

/// What holds for all keys of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct CommitHead {
    /// Who has brought it, if it all came from one connection.
    pub(crate) by: Option<AgentId>,
    /// When, by the hub's clock, in milliseconds since 1970.
    pub(crate) at_ms: u64,
}

/// What a commit did to a key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct KeyRecord {
    pub(crate) key: Key,
    pub(crate) before: Version,
    pub(crate) version: Version,
    /// The key's commit before this one; 0 if there is none.
    pub(crate) previous: Revision,
    pub(crate) kind: PastKind,
    /// None where no history was kept of the key, or not any more.
    pub(crate) told: Option<Told>,
}

/// What is told of it beside its numbers. A value that is that of the one write that came is kept once.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Told {
    pub(crate) rule: Option<MergeRule>,
    value: PastValue,
    same: bool,
    writes: List<PastWrite>,
    pub(crate) lost: List<PastLoss>,
    pub(crate) replaced: List<WriteId>,
    pub(crate) unnamed: u32,
}

impl Told {
    /// With neither losses nor a rule yet.
    pub(crate) fn new(mut value: PastValue, writes: List<PastWrite>) -> Self {
        let same = matches!(&writes[..], [write] if write.value == value);
        if same {
            value.value = None;
        }
        Self {
            rule: None,
            value,
            same,
            writes,
            lost: List::default(),
            replaced: List::default(),
            unnamed: 0,
        }
    }

    fn value(&self) -> PastValue {
        match self.writes.first() {
            Some(write) if self.same => write.value.clone(),
            _ => self.value.clone(),
        }
    }
}

impl KeyRecord {
    /// What it is told as; none if it is not.
    pub(crate) fn commit(self, revision: Revision, head: &CommitHead) -> Option<PastCommit> {
        let told = self.told?;
        Some(PastCommit {
            version: self.version,
            before: self.before,
            revision,
            at_ms: head.at_ms,
            kind: self.kind,
            rule: told.rule,
            value: told.value(),
            writes: told.writes,
            lost: told.lost,
            replaced: told.replaced,
            unnamed: told.unnamed,
        })
    }

    /// Whether it only numbers the key's state anew: it stands between two commits that are told.
    pub(crate) fn is_link(&self) -> bool {
        self.version == self.before
    }
}

/// A commit as bytes.
#[derive(Debug)]
pub(crate) struct CommitBytes {
    pub(crate) revision: Revision,
    head: Bytes,
    keys: Vec<(Key, Bytes)>,
}

/// Bytes of a length before what it is of, and of a revision.
const LENGTH_BYTES: usize = 4;
const REVISION_BYTES: usize = 8;

impl CommitBytes {
    pub(crate) fn new(revision: Revision, head: &CommitHead) -> Self {
        Self {
            revision,
            head: codec::to_bytes(head),
            keys: Vec::new(),
        }
    }

    /// Keys come in ascending order.
    pub(crate) fn add(&mut self, record: &KeyRecord) {
        self.keys
            .push((record.key.clone(), codec::to_bytes(record)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Bytes that it takes in a row.
    pub(crate) fn bytes(&self) -> usize {
        let keys = self.keys.iter().map(|(_, bytes)| block_bytes(bytes));
        LENGTH_BYTES + REVISION_BYTES + block_bytes(&self.head) + keys.sum::<usize>()
    }

    /// Puts it behind what is there.
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        push_length(out, self.bytes() - LENGTH_BYTES);
        out.extend(self.revision.get().to_be_bytes());
        push_block(out, &self.head);
        for (_, bytes) in &self.keys {
            push_block(out, bytes);
        }
    }

    /// Rows of this commit alone, none of more than so many bytes unless it is of one key.
    pub(crate) fn into_parts(self, bytes_max: usize) -> Vec<RowOp> {
        let part = |keys: &mut Vec<(Key, Bytes)>| Self {
            revision: self.revision,
            head: self.head.clone(),
            keys: std::mem::take(keys),
        };
        let mut rows = Vec::new();
        let (mut keys, mut bytes) = (Vec::new(), 0);
        for (key, record) in self.keys {
            let added = block_bytes(&record);
            if !keys.is_empty() && bytes + added > bytes_max {
                rows.extend(part(&mut keys).into_part());
                bytes = 0;
            }
            bytes += added;
            keys.push((key, record));
        }
        rows.extend(part(&mut keys).into_part());
        rows
    }

    fn into_part(self) -> Option<RowOp> {
        let (last, _) = self.keys.last()?;
        let mut value = Vec::with_capacity(self.bytes());
        self.append_to(&mut value);
        Some(put(keys::part(self.revision, last), value.into()))
    }
}

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
    /// Each with its head and its keys.
    commits: Vec<(Revision, Bytes, Vec<Bytes>)>,
}

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
    ) -> Result<Option<(CommitHead, KeyRecord)>, RowError> {
        for (_, head, records) in self.commits.iter().filter(|(at, ..)| *at == revision) {
            for record in records {
                let record = self.record(record)?;
                if record.key == *key {
                    return Ok(Some((self.head(head)?, record)));
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
    ) -> impl Iterator<Item = Result<(Revision, CommitHead, Vec<KeyRecord>), RowError>> {
        let within = move |at: Revision| from <= at && at <= to;
        let commits = self.commits.iter().filter(move |(at, ..)| within(*at));
        commits.map(|(at, head, records)| {
            let records = records.iter().map(|record| self.record(record));
            let records: Result<_, RowError> = records.collect();
            Ok((*at, self.head(head)?, records?))
        })
    }

    /// The row without what need not be kept; none if all of it is.
    pub(crate) fn thinned(
        &self,
        keep: impl Fn(Revision, &CommitHead, &KeyRecord) -> Keep,
    ) -> Result<Option<RowOp>, RowError> {
        let (mut value, mut changed) = (Vec::new(), false);
        for (revision, head, records) in &self.commits {
            let read = self.head(head)?;
            let mut commit = CommitBytes {
                revision: *revision,
                head: head.clone(),
                keys: Vec::new(),
            };
            for bytes in records {
                let record = self.record(bytes)?;
                let is_name = record.told.is_none();
                match keep(*revision, &read, &record) {
                    Keep::Nothing => changed = true,
                    Keep::Name if !is_name => {
                        changed = true;
                        commit.add(&KeyRecord {
                            told: None,
                            ..record
                        });
                    }
                    _ => commit.keys.push((record.key, bytes.clone())),
                }
            }
            if !commit.is_empty() {
                commit.append_to(&mut value);
            }
        }
        let key = self.row.key.to_vec();
        Ok(match value.len() {
            _ if !changed => None,
            0 => Some(delete(key)),
            _ => Some(put(key, value.into())),
        })
    }

    fn head(&self, bytes: &Bytes) -> Result<CommitHead, RowError> {
        let head = codec::from_bytes("head of a commit", bytes);
        head.map_err(|e| RowError::unreadable(self.row, e.to_string()))
    }

    fn record(&self, bytes: &Bytes) -> Result<KeyRecord, RowError> {
        let record = codec::from_bytes("key of a commit", bytes);
        record.map_err(|e| RowError::unreadable(self.row, e.to_string()))
    }
}

fn cut(value: &Bytes) -> Option<Vec<(Revision, Bytes, Vec<Bytes>)>> {
    let mut rest = value.clone();
    let mut commits = Vec::new();
    while !rest.is_empty() {
        let mut commit = take_block(&mut rest)?;
        let revision = commit.first_chunk::<REVISION_BYTES>()?;
        let revision = Revision::new(u64::from_be_bytes(*revision));
        commit = commit.slice(REVISION_BYTES..);
        let head = take_block(&mut commit)?;
        let mut records = Vec::new();
        while !commit.is_empty() {
            records.push(take_block(&mut commit)?);
        }
        commits.push((revision, head, records));
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

fn block_bytes(block: &Bytes) -> usize {
    LENGTH_BYTES + block.len()
}

fn push_block(out: &mut Vec<u8>, block: &Bytes) {
    push_length(out, block.len());
    out.extend_from_slice(block);
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    // What one commit comes to in a row is far below 4 GiB: its values are left out if they are large.
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}
