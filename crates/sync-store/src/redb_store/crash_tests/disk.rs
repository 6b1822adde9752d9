//! A disk that has what was synced, and of what was not synced what it likes.
//!
//! Of the writes since the last sync of a file any sectors are there, or the first ones in order; one may be
//! there in part, since no more is promised than that bytes are whole. The lengths that a file was given since
//! then came into force in order, up to any of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::image::Image;
use super::record::Op;
use super::workload::Numbers;

/// What a disk writes as a whole, mostly.
const SECTOR: usize = 512;

/// The files, below a store that is at work.
#[derive(Debug)]
pub(super) struct Disk {
    synced: Image,
    /// What came after the last sync of each file.
    pending: BTreeMap<&'static str, Vec<Op>>,
}

impl Disk {
    /// Everything is on disk.
    pub(super) fn new(synced: Image) -> Self {
        Self {
            synced,
            pending: BTreeMap::new(),
        }
    }

    pub(super) fn apply(&mut self, file: &'static str, op: Op) {
        let pending = self.pending.entry(file).or_default();
        if op != Op::Sync {
            pending.push(op);
            return;
        }
        let bytes = bytes_of(&mut self.synced, file);
        for op in std::mem::take(pending) {
            do_whole(bytes, &op);
        }
    }

    /// What `kill -9` leaves: everything that was asked of the system.
    pub(super) fn killed(&self) -> Image {
        let mut left = self.synced.clone();
        for (file, ops) in &self.pending {
            let bytes = bytes_of(&mut left, file);
            for op in ops {
                do_whole(bytes, op);
            }
        }
        left
    }

    /// What a power loss may leave.
    pub(super) fn lost_power(&self, numbers: &mut Numbers) -> Image {
        let mut left = self.synced.clone();
        for (file, ops) in &self.pending {
            let bytes = bytes_of(&mut left, file);
            if numbers.below(2) == 0 {
                tear_in_order(bytes, ops, numbers);
            } else {
                tear_anywhere(bytes, ops, numbers);
            }
        }
        left
    }
}

fn bytes_of<'a>(image: &'a mut Image, file: &str) -> &'a mut Vec<u8> {
    image.files.get_mut(&PathBuf::from(file)).unwrap()
}

fn do_whole(file: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { offset, bytes } => {
            let end = offset + bytes.len();
            assert!(end <= file.len(), "a file grows by its length being set");
            file[*offset..end].copy_from_slice(bytes);
        }
        Op::SetLen(len) => file.resize(*len, 0),
        Op::Sync => {}
    }
}

/// Writes what fits: what is beyond the end of a file is not there.
fn do_part(file: &mut [u8], offset: usize, bytes: &[u8]) {
    let from = offset.min(file.len());
    let to = (offset + bytes.len()).min(file.len());
    file[from..to].copy_from_slice(&bytes[..to - from]);
}

/// The first operations, and the next one in part.
fn tear_in_order(file: &mut Vec<u8>, ops: &[Op], numbers: &mut Numbers) {
    let whole = numbers.index(ops.len() + 1);
    for op in &ops[..whole] {
        do_whole(file, op);
    }
    if let Some(Op::Write { offset, bytes }) = ops.get(whole) {
        let part = numbers.index(bytes.len());
        do_part(file, *offset, &bytes[..part]);
    }
}

/// Any sectors: few, half or most of them, at times with one in part.
fn tear_anywhere(file: &mut Vec<u8>, ops: &[Op], numbers: &mut Numbers) {
    let of_eight = [1, 4, 7][numbers.index(3)];
    let lengths = ops.iter().filter(|op| matches!(op, Op::SetLen(_))).count();
    let mut lengths = numbers.index(lengths + 1);
    for op in ops {
        match op {
            Op::SetLen(len) if lengths > 0 => {
                lengths -= 1;
                file.resize(*len, 0);
            }
            Op::SetLen(_) | Op::Sync => {}
            Op::Write { offset, bytes } => {
                let mut at = 0;
                while at < bytes.len() {
                    let sector_ends = SECTOR - (offset + at) % SECTOR;
                    let to = (at + sector_ends).min(bytes.len());
                    let sector = &bytes[at..to];
                    if numbers.below(64) == 0 {
                        let part = numbers.index(sector.len());
                        do_part(file, offset + at, &sector[..part]);
                    } else if numbers.below(8) < of_eight {
                        do_part(file, offset + at, sector);
                    }
                    at = to;
                }
            }
        }
    }
}
