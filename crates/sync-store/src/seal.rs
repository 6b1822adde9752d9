//! The seal: what a directory must hold, written in every atomic step and again outside the engine.
//!
//! Engines open damaged files without an error and without what was in the damaged part: sled without the
//! rows that were there, redb without its newest commit. The seal row says how many rows there are and sums
//! their checksums, so a missing row shows. A lost tail takes the seal row back with it, so the newest
//! acknowledged seal is kept in a file of its own as well. A file behind the row is normal: a crash came
//! between the two.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use sync_core::store::StoreError;

use crate::damage::corrupt;
use crate::directory::Directory;
use crate::row::{FORMAT, SEAL_KEY};

/// Encoded length of a seal.
const SEAL_BYTES: usize = 32;

/// The two slots are written in turn, so that a torn write leaves the other one. They are a page
/// apart, so that one page lost takes only one of them.
const SLOT_BYTES: usize = 4_096;
const SLOTS: usize = 2;

const MAGIC: [u8; 8] = *b"swrmseal";

/// What the physical rows other than the seal's own add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seal {
    /// Counts the atomic steps. Never goes back.
    pub(crate) number: u64,
    /// How many physical rows there are.
    pub(crate) rows: u64,
    /// The sum of their weights.
    pub(crate) digest: u64,
    /// The number that the next chunked value takes.
    pub(crate) next_value: u64,
}

impl Seal {
    /// Takes a row with this checksum in.
    pub(crate) fn add(&mut self, checksum: u32) {
        self.rows = self.rows.wrapping_add(1);
        self.digest = self.digest.wrapping_add(weight(checksum));
    }

    /// Takes a row with this checksum out.
    pub(crate) fn remove(&mut self, checksum: u32) {
        self.rows = self.rows.wrapping_sub(1);
        self.digest = self.digest.wrapping_sub(weight(checksum));
    }

    pub(crate) fn encode(&self) -> [u8; SEAL_BYTES] {
        let mut bytes = [0; SEAL_BYTES];
        let numbers = [self.number, self.rows, self.digest, self.next_value];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// The seal in the row under [`SEAL_KEY`].
    pub(crate) fn read(name: &str, body: &[u8]) -> Result<Self, StoreError> {
        Self::decode(body).ok_or_else(|| corrupt(name, SEAL_KEY, "it has not the length of a seal"))
    }

    /// What is wrong with the rows that were found, if they are not those that it was put over.
    pub(crate) fn misfit(&self, found: &Self) -> Option<String> {
        if (found.rows, found.digest) == (self.rows, self.digest) {
            None
        } else if found.rows == self.rows {
            Some("rows differ from those it was put over".to_owned())
        } else {
            let (there, here) = (self.rows, found.rows);
            Some(format!("it is over {there} rows, {here} are there"))
        }
    }

    /// `None` if the length is not a seal's.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SEAL_BYTES] = bytes.try_into().ok()?;
        let (numbers, _) = bytes.as_chunks::<8>();
        let [number, rows, digest, next_value] = numbers else {
            return None;
        };
        Some(Self {
            number: u64::from_le_bytes(*number),
            rows: u64::from_le_bytes(*rows),
            digest: u64::from_le_bytes(*digest),
            next_value: u64::from_le_bytes(*next_value),
        })
    }
}

/// Spreads a checksum over 64 bits (the finaliser of splitmix64): a plain sum of checksums would
/// let two changed rows cancel each other out too easily.
fn weight(checksum: u32) -> u64 {
    let mut z = u64::from(checksum).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What the file `seal` is written to. Tests note what passes here.
pub(crate) trait SealDisk: fmt::Debug + Send {
    fn read(&mut self) -> io::Result<Vec<u8>>;

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what was written is on disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl SealDisk for File {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(SLOT_BYTES * SLOTS);
        self.seek(SeekFrom::Start(0))?;
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// The file `seal`: the newest acknowledged seal.
#[derive(Debug)]
pub(crate) struct SealFile {
    disk: Box<dyn SealDisk>,
    /// The slot that holds it, as far as is known.
    newest: Option<usize>,
}

impl SealFile {
    /// Takes a file just created and gives it its final length, so that no later write changes
    /// metadata.
    pub(crate) fn create(mut file: File) -> io::Result<File> {
        file.write_all(&[0; SLOT_BYTES * SLOTS])?;
        file.sync_all()?;
        Ok(file)
    }

    pub(crate) fn new(disk: impl SealDisk + 'static) -> Self {
        Self {
            disk: Box::new(disk),
            newest: None,
        }
    }

    /// The newer of the readable slots, or `None` if no write was ever acknowledged. A slot that cannot
    /// be read is a torn write, as long as the other one can, or was never written.
    pub(crate) fn read(&mut self) -> io::Result<Option<Seal>> {
        let bytes = self.disk.read()?;
        let slots = bytes.chunks(SLOT_BYTES).take(SLOTS).enumerate();
        let newest = slots
            .filter_map(|(slot, bytes)| Some((slot, decode_slot(bytes)?)))
            .max_by_key(|(_, seal)| seal.number);
        if let Some((slot, seal)) = newest {
            self.newest = Some(slot);
            return Ok(Some(seal));
        }
        let is_blank = |slot: &[u8]| slot.iter().all(|&byte| byte == 0);
        if bytes.is_empty() || bytes.chunks(SLOT_BYTES).any(is_blank) {
            return Ok(None);
        }
        let reason = "no slot is readable";
        Err(io::Error::new(io::ErrorKind::InvalidData, reason))
    }

    /// Writes `seal` over the older slot and waits until it is on disk. The numbers do not say which one
    /// that is: a group of several steps passes over some.
    pub(crate) fn write(&mut self, seal: &Seal) -> io::Result<()> {
        let slot = match self.newest {
            Some(newest) => (newest + 1) % SLOTS,
            None if seal.number.is_multiple_of(2) => 0,
            None => 1,
        };
        let offset = if slot == 0 { 0 } else { SLOT_BYTES as u64 };
        self.disk.write_at(offset, &encode_slot(seal))?;
        self.disk.sync()?;
        self.newest = Some(slot);
        Ok(())
    }
}

/// The file `seal` of an open directory, and what it says.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) file: SealFile,
    number: u64,
}

impl Sealed {
    /// Opens the file, or makes it for a store that never had rows, and finds out whether the engine,
    /// whose seal is `here`, lost its newest rows. `wrap` says what the file is written to.
    pub(crate) fn open(
        directory: &Directory,
        here: &Seal,
        wrap: impl FnOnce(File) -> SealFile,
    ) -> Result<Self, StoreError> {
        let damaged = |reason: String| corrupt(directory.name(), SEAL_KEY, reason);
        let Some(file) = directory.open_seal()? else {
            if *here != Seal::default() {
                return Err(damaged("the file `seal` is missing".to_owned()));
            }
            let file = SealFile::create(directory.create_seal()?)
                .map_err(|e| directory.io_error("making the seal", &e))?;
            let file = wrap(file);
            return Ok(Self { file, number: 0 });
        };
        let mut file = wrap(file);
        let acknowledged = file
            .read()
            .map_err(|e| damaged(format!("the file `seal` cannot be read: {e}")))?
            .unwrap_or_default();
        if acknowledged.number > here.number {
            return Err(damaged(format!(
                "step {} was acknowledged, the newest here is {}: the storage engine lost its newest rows",
                acknowledged.number, here.number
            )));
        }
        if acknowledged.number == here.number && acknowledged != *here {
            let reason = "it is not the one that was acknowledged under its number";
            return Err(damaged(reason.to_owned()));
        }
        Ok(Self {
            file,
            number: acknowledged.number,
        })
    }

    /// Whether `seal` is written already.
    pub(crate) fn holds(&self, seal: &Seal) -> bool {
        self.number == seal.number
    }

    /// Writes the seal of what is on disk by now, unless it is there already.
    pub(crate) fn write(&mut self, directory: &Directory, seal: &Seal) -> Result<(), StoreError> {
        if self.holds(seal) {
            return Ok(());
        }
        self.file
            .write(seal)
            .map_err(|e| directory.io_error("writing the seal", &e))?;
        self.number = seal.number;
        Ok(())
    }
}

const SLOT_BODY_BYTES: usize = MAGIC.len() + 1 + SEAL_BYTES;

fn encode_slot(seal: &Seal) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SLOT_BODY_BYTES + 4);
    bytes.extend_from_slice(&MAGIC);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&seal.encode());
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn decode_slot(slot: &[u8]) -> Option<Seal> {
    let (body, rest) = slot.split_at_checked(SLOT_BODY_BYTES)?;
    let checksum = u32::from_le_bytes(*rest.first_chunk()?);
    let seal = body.strip_prefix(&MAGIC)?.strip_prefix(&[FORMAT])?;
    (crc32fast::hash(body) == checksum).then(|| Seal::decode(seal))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(number: u64) -> Seal {
        Seal {
            number,
            rows: 3,
            digest: 4,
            next_value: 5,
        }
    }

    /// The same file twice: one to write seals, one to damage it.
    fn file() -> (SealFile, File) {
        let file = SealFile::create(tempfile::tempfile().unwrap()).unwrap();
        (SealFile::new(file.try_clone().unwrap()), file)
    }

    /// Damages a slot, as a write that ends halfway does.
    fn tear(file: &mut File, slot: u64) {
        file.write_at(slot * SLOT_BYTES as u64 + 20, &[0xff; 9])
            .unwrap();
    }

    #[test]
    fn the_newer_slot_counts() {
        let (mut file, _) = file();
        assert_eq!(file.read().unwrap(), None);
        for number in [1, 2, 3, 4] {
            file.write(&seal(number)).unwrap();
            assert_eq!(file.read().unwrap(), Some(seal(number)));
        }
    }

    #[test]
    fn a_torn_slot_leaves_the_other_one() {
        let (mut file, mut bytes) = file();
        file.write(&seal(1)).unwrap();
        file.write(&seal(2)).unwrap();
        tear(&mut bytes, 0);
        assert_eq!(file.read().unwrap(), Some(seal(1)));
        tear(&mut bytes, 1);
        assert!(file.read().is_err());
    }

    #[test]
    fn a_torn_first_write_leaves_a_seal_that_was_never_written() {
        let (mut file, mut bytes) = file();
        tear(&mut bytes, 1);
        assert_eq!(file.read().unwrap(), None);
        file.write(&seal(1)).unwrap();
        assert_eq!(file.read().unwrap(), Some(seal(1)));
    }

    /// As after groups of two steps each.
    #[test]
    fn a_write_leaves_the_newest_seal_whatever_its_number_is() {
        let (mut file, mut bytes) = file();
        file.write(&seal(2)).unwrap();
        file.write(&seal(4)).unwrap();
        // The one written last.
        tear(&mut bytes, 1);
        assert_eq!(file.read().unwrap(), Some(seal(2)));
    }

    #[test]
    fn adding_and_removing_cancel_out() {
        let mut sum = Seal::default();
        sum.add(7);
        sum.add(9);
        sum.remove(7);
        let mut other = Seal::default();
        other.add(9);
        assert_eq!(sum, other);
        assert_eq!(Seal::decode(&sum.encode()), Some(sum));
        assert_eq!(Seal::decode(b"short"), None);
    }
}
