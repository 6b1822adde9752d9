//! Batches that do not fit one atomic step: a redo log of parts that a commit row makes real.
//!
//! ```text
//! parts, step by step ─► last parts and commit row ─► changes, step by step ─► commit row removed ─► parts removed
//!      crash: dropped    └──────── crash: the changes are made again ────────┘      crash: dropped
//! ```

use std::collections::BTreeMap;

use sync_core::store::StoreError;

use super::keys::{COMMIT_KEY, PART_KEY_BYTES, PHYSICAL_BYTES_MAX, all_parts, part_key};
use super::table::{STEP_CHANGES_MAX, Table};
use crate::row::{FRAME_BYTES, frame};

/// Changes to physical rows by key; `None` removes the row.
pub(super) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Bytes of the redo log in one part.
const PART_BYTES: usize = PHYSICAL_BYTES_MAX - PART_KEY_BYTES - FRAME_BYTES;

/// Stands for "remove" where a value's length stands otherwise: no value is that long.
const REMOVE: u16 = u16::MAX;

/// Makes `changes` all or nothing, however many there are.
pub(super) fn commit(table: &mut Table, changes: &Changes) -> Result<(), StoreError> {
    let log = encode(changes);
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (index, part) in (0..).zip(log.chunks(PART_BYTES)) {
        let key = part_key(index);
        let framed = frame(&key, part);
        rows.push((key, framed));
    }
    let commit_row = CommitRow {
        parts: u32::try_from(rows.len()).expect("a batch in memory has fewer than 2^32 parts"),
        checksum: crc32fast::hash(&log),
    };
    rows.push((COMMIT_KEY.to_vec(), frame(COMMIT_KEY, &commit_row.encode())));
    for step in rows.chunks(STEP_CHANGES_MAX) {
        table.step(step.iter().map(|(key, row)| (&key[..], Some(&row[..]))))?;
    }
    finish(table, changes, commit_row.parts)
}

/// Brings a directory to the state between two batches: makes a committed batch's changes again,
/// drops one that was not committed. Returns whether there was anything to do.
pub(super) fn recover(table: &mut Table) -> Result<bool, StoreError> {
    let Some(row) = table.get(COMMIT_KEY)? else {
        return drop_parts(table);
    };
    let commit_row = CommitRow::decode(row.body())
        .ok_or_else(|| table.corrupt(COMMIT_KEY, "it has not the length of a commit row"))?;
    let mut log = Vec::new();
    for index in 0..commit_row.parts {
        let Some(part) = table.get(&part_key(index))? else {
            let reason = format!("part {index} of {} is missing", commit_row.parts);
            return Err(table.corrupt(COMMIT_KEY, reason));
        };
        log.extend_from_slice(part.body());
    }
    if crc32fast::hash(&log) != commit_row.checksum {
        return Err(table.corrupt(COMMIT_KEY, "its parts are not those it was written for"));
    }
    let changes = decode(&log)
        .ok_or_else(|| table.corrupt(COMMIT_KEY, "its parts are not a list of changes"))?;
    finish(table, &changes, commit_row.parts)?;
    Ok(true)
}

/// Makes the changes of a committed batch, then removes its log: the commit row in the first step,
/// so that what a crash leaves of the parts is dropped and not applied.
fn finish(table: &mut Table, changes: &Changes, parts: u32) -> Result<(), StoreError> {
    let all: Vec<_> = changes.iter().collect();
    for step in all.chunks(STEP_CHANGES_MAX) {
        table.step(
            step.iter()
                .map(|&(key, value)| (&key[..], value.as_deref())),
        )?;
    }
    let log_keys: Vec<Vec<u8>> = std::iter::once(COMMIT_KEY.to_vec())
        .chain((0..parts).map(part_key))
        .collect();
    remove(table, &log_keys)
}

fn drop_parts(table: &mut Table) -> Result<bool, StoreError> {
    let keys = table
        .range(all_parts())
        .map(|row| row.map(|(key, _)| key.to_vec()))
        .collect::<Result<Vec<_>, _>>()?;
    remove(table, &keys)?;
    Ok(!keys.is_empty())
}

fn remove(table: &mut Table, keys: &[Vec<u8>]) -> Result<(), StoreError> {
    for step in keys.chunks(STEP_CHANGES_MAX) {
        table.step(step.iter().map(|key| (&key[..], None)))?;
    }
    Ok(())
}

/// Says that the parts are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CommitRow {
    parts: u32,
    /// Of the parts' bodies in order.
    checksum: u32,
}

impl CommitRow {
    fn encode(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.parts.to_le_bytes());
        bytes[4..].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (parts, checksum) = bytes.split_first_chunk()?;
        Some(Self {
            parts: u32::from_le_bytes(*parts),
            checksum: u32::from_le_bytes(checksum.try_into().ok()?),
        })
    }
}

fn encode(changes: &Changes) -> Vec<u8> {
    let mut log = Vec::new();
    for (key, value) in changes {
        log.extend_from_slice(&length(key).to_le_bytes());
        log.extend_from_slice(key);
        match value {
            Some(value) => {
                log.extend_from_slice(&length(value).to_le_bytes());
                log.extend_from_slice(value);
            }
            None => log.extend_from_slice(&REMOVE.to_le_bytes()),
        }
    }
    log
}

fn length(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).expect("a physical row has at most 4 KiB")
}

fn decode(mut log: &[u8]) -> Option<Changes> {
    let mut changes = Changes::new();
    while !log.is_empty() {
        let bytes = take_length(&mut log)?;
        let key = log.split_off(..usize::from(bytes))?.to_vec();
        let value = match take_length(&mut log)? {
            REMOVE => None,
            bytes => Some(log.split_off(..usize::from(bytes))?.to_vec()),
        };
        changes.insert(key, value);
    }
    Some(changes)
}

fn take_length(log: &mut &[u8]) -> Option<u16> {
    let (length, rest) = log.split_first_chunk()?;
    *log = rest;
    Some(u16::from_le_bytes(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> Changes {
        Changes::from([
            (b"a".to_vec(), Some(vec![1; 4_000])),
            (b"b".to_vec(), None),
            (b"c".to_vec(), Some(Vec::new())),
        ])
    }

    #[test]
    fn a_log_decodes_to_its_changes() {
        assert_eq!(decode(&encode(&changes())), Some(changes()));
        assert_eq!(decode(b""), Some(Changes::new()));
    }

    #[test]
    fn a_shortened_log_is_refused_or_is_fewer_changes() {
        let log = encode(&changes());
        for length in 0..log.len() {
            if let Some(shorter) = decode(&log[..length]) {
                assert!(shorter.len() < 3, "{length} bytes");
            }
        }
    }
}
