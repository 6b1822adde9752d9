//! What is written is read back; what was cut short, changed or is newer is refused.

use super::*;
use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::Row;

fn rows() -> Vec<(SwarmId, Row)> {
    let row = |swarm: &str, key: &str, value: Vec<u8>| {
        let row = Row {
            key: Bytes::copy_from_slice(key.as_bytes()),
            value: value.into(),
        };
        (SwarmId::new(swarm).unwrap(), row)
    };
    vec![
        row("a", "M", vec![1]),
        row("a", "w", vec![7; 700]),
        row("b", "", Vec::new()),
    ]
}

fn written() -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Vec::new()).unwrap();
    for (swarm, row) in rows() {
        writer.row(&swarm, &row).unwrap();
    }
    let (count, bytes) = writer.finish().unwrap();
    assert_eq!(count, 3);
    bytes
}

fn read(bytes: &[u8]) -> Result<Vec<(SwarmId, Row)>, ArchiveError> {
    let mut reader = ArchiveReader::new(bytes)?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row()? {
        rows.push(row);
    }
    Ok(rows)
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(read(&written()).unwrap(), rows());
}

#[test]
fn cut_anywhere_it_is_said_to_be_cut_short_or_to_be_none() {
    let bytes = written();
    for length in 0..bytes.len() {
        match read(&bytes[..length]) {
            Err(ArchiveError::Foreign) if length < MAGIC.len() => {}
            Err(ArchiveError::CutShort { .. }) => {}
            other => panic!("{length} bytes: {other:?}"),
        }
    }
}

/// Bad input, row 22.
#[test]
fn no_flipped_bit_goes_unnoticed() {
    let bytes = written();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&damaged).is_err(), "bit {bit}");
    }
}

#[test]
fn what_is_appended_missing_or_repeated_is_noticed() {
    let bytes = written();
    assert!(read(&[&bytes[..], b"x"].concat()).is_err());
    // The last row and its block, once more and not at all.
    let end = bytes.len() - (HEAD_BYTES + 13);
    let last = end - (HEAD_BYTES + 5);
    let twice = [&bytes[..end], &bytes[last..]].concat();
    assert!(matches!(read(&twice), Err(ArchiveError::Damaged { .. })));
    let without = [&bytes[..last], &bytes[end..]].concat();
    assert!(matches!(read(&without), Err(ArchiveError::Damaged { .. })));
}

#[test]
fn another_file_and_a_newer_one_are_told_apart() {
    assert!(matches!(read(b"a letter"), Err(ArchiveError::Foreign)));
    let mut newer = written();
    newer[MAGIC.len()] = ARCHIVE_FORMAT + 1;
    let error = read(&newer).unwrap_err().to_string();
    assert!(error.contains("format 2, this program reads 1"), "{error}");
}
