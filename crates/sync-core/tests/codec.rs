//! What is sent is what is received; everything else is refused, and the bytes do not change unless
//! the format number does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "wire/names.rs"]
mod names;
mod wire;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use bincode::{BorrowDecode, Encode};
use bytes::Bytes;
use sync_core::segment::encode_parts;
use sync_core::{
    Context, DecodeError, Entry, Message, Payload, Piece, Pieces, Reply, RequestError, Revision,
    Segment, Seq, Span, Stamp, Value, Version, Write, codec, pieces,
};

use names::{NAMES, name, reply_name};
use wire::{bodies, frame, id, key, messages, replies, segments, value, writer};

#[test]
fn every_message_reads_back() {
    for message in messages() {
        assert_eq!(codec::decode(&frame(&message)).as_ref(), Ok(&message));
    }
}

/// Answers and receipts, whole and in pieces, and neither when they are cut short or go on.
#[test]
fn everything_that_travels_in_pieces_reads_back() {
    for reply in replies::replies() {
        assert_travels(&reply);
    }
    assert_travels(&replies::receipts());
}

fn assert_travels<T>(item: &T)
where
    T: Encode + for<'a> BorrowDecode<'a, ()> + PartialEq + fmt::Debug,
{
    for page in [1, 7, 1 << 20] {
        let cut = pieces::cut(item, page).unwrap();
        let count = u32::try_from(cut.len()).unwrap();
        let mut pieces = Pieces::default();
        let taken = (0..count).zip(&cut).map(|(index, bytes)| {
            let piece = Piece {
                of: 1,
                index,
                count,
            };
            let bytes = std::slice::from_ref(bytes);
            pieces.take::<T>("an item", piece, bytes).unwrap()
        });
        let taken: Vec<T> = taken.flatten().collect();
        assert_eq!(taken.as_slice(), std::slice::from_ref(item));
    }
    let whole = codec::to_bytes(item);
    for end in 0..whole.len() {
        assert!(codec::from_bytes::<T>("an item", &whole[..end]).is_err());
    }
    let longer = [&whole[..], &[0]].concat();
    assert!(codec::from_bytes::<T>("an item", &longer).is_err());
}

/// A case that is not among the samples would not be tested anywhere here.
#[test]
fn the_samples_hold_every_case() {
    let names: BTreeSet<_> = bodies::all().iter().map(name).collect();
    assert_eq!(names.len(), NAMES.0, "{names:?}");
    let names: BTreeSet<_> = replies::replies().iter().map(reply_name).collect();
    assert_eq!(names.len(), NAMES.1, "{names:?}");
}

#[test]
fn every_segment_reads_back_and_encodes_to_the_same_bytes() {
    for segment in segments() {
        let bytes = segment.encode();
        let read = Segment::decode(&bytes).unwrap();
        assert_eq!(read, segment);
        assert_eq!(read.encode(), bytes);
        let parts = encode_parts(
            &segment.key,
            segment.version,
            segment.revision,
            &segment.entry,
        );
        assert_eq!(parts, bytes);
    }
}

/// Many writers, some only met inside what a write replaces: each is named once, wherever it is met.
#[test]
fn a_segment_names_each_writer_once() {
    let mut entry = Entry::new();
    for at in (0..300_u64).rev() {
        let elsewhere = writer(&format!("agent-{:03}", (at * 7) % 300), 2);
        let over: Context = [Span::new(elsewhere, Seq::new(1), Seq::new(at + 1))]
            .into_iter()
            .collect();
        let stamp = Stamp::at_millis(at);
        let payload = Payload::count(1);
        let write = Write {
            stamp,
            payload,
            prev: Seq::new(0),
            over,
            note: None,
        };
        entry.join(Entry::of_write(id(&format!("agent-{at:03}"), 1, 1), write));
    }
    // As a store keeps it: without the ranges of others in the context.
    let (writes, _) = entry.clone().into_parts();
    let own: Context = entry
        .writes()
        .map(|(id, _)| Span::new(id.writer.clone(), id.seq, id.seq))
        .collect();
    let bare = Entry::from_parts(writes, own).unwrap();
    for entry in [entry, bare] {
        let (version, revision) = (Version::new(1), Revision::new(1));
        let segment = Segment {
            key: key("k"),
            version,
            revision,
            entry,
        };
        let bytes = segment.encode();
        assert_eq!(Segment::decode(&bytes).unwrap(), segment);
        for at in 0..300 {
            let name = format!("agent-{at:03}");
            let met = bytes
                .windows(name.len())
                .filter(|w| *w == name.as_bytes())
                .count();
            assert_eq!(met, 2, "one for each of its runs");
        }
    }
}

/// A connection that breaks inside a frame must not pass for a shorter message.
#[test]
fn every_prefix_is_refused() {
    for message in messages() {
        let whole = frame(&message);
        for end in 0..whole.len() {
            assert!(
                codec::decode(&whole.slice(..end)).is_err(),
                "{message:?} cut at {end}"
            );
        }
    }
    for segment in segments() {
        let whole = segment.encode();
        for end in 0..whole.len() {
            assert!(
                Segment::decode(&whole[..end]).is_err(),
                "{segment:?} cut at {end}"
            );
        }
    }
}

/// A flipped bit gives another message or an error; what decodes is as good as if it had been sent.
#[test]
fn every_flipped_bit_is_refused_or_reads_as_something_that_encodes() {
    let flips = |whole: &[u8]| {
        let copies = vec![whole.to_vec(); whole.len() * 8];
        copies.into_iter().enumerate().map(|(bit, mut copy)| {
            copy[bit / 8] ^= 1 << (bit % 8);
            Bytes::from(copy)
        })
    };
    for message in messages() {
        for flipped in flips(&frame(&message)) {
            if let Ok(read) = codec::decode(&flipped) {
                assert_eq!(codec::decode(&frame(&read)), Ok(read));
            }
        }
    }
    for segment in segments() {
        for flipped in flips(&segment.encode()) {
            if let Ok(read) = Segment::decode(&flipped) {
                assert_eq!(Segment::decode(&read.encode()), Ok(read));
            }
        }
    }
    for flipped in flips(&value().encode()) {
        if let Ok(read) = Value::decode(&flipped) {
            assert_eq!(read.encode(), flipped, "two encodings of one value");
        }
    }
}

/// Bad input, row 6.
#[test]
fn an_unknown_format_is_named() {
    for found in (0..=u8::MAX).filter(|format| *format != codec::FORMAT) {
        for message in messages() {
            let mut bytes = frame(&message).to_vec();
            bytes[0] = found;
            let refused = codec::decode(&Bytes::from(bytes));
            let known = codec::FORMAT;
            assert_eq!(
                refused,
                Err(DecodeError::Format {
                    what: "a message",
                    found,
                    known
                })
            );
        }
        let mut bytes = segments()[0].encode().to_vec();
        bytes[0] = found;
        let refused = Segment::decode(&bytes).unwrap_err();
        assert!(matches!(
            refused,
            DecodeError::Format {
                what: "a segment",
                ..
            }
        ));
        assert!(
            refused.to_string().contains("upgrade the older side"),
            "{refused}"
        );
    }
    assert!(matches!(
        codec::decode(&Bytes::new()),
        Err(DecodeError::Truncated { .. })
    ));
}

#[test]
fn nothing_may_follow() {
    for message in messages() {
        let mut bytes = frame(&message).to_vec();
        bytes.extend([0, 0]);
        let refused = codec::decode(&Bytes::from(bytes));
        assert!(
            matches!(refused, Err(DecodeError::Trailing { extra: 2, .. })),
            "{refused:?}"
        );
    }
    for segment in segments() {
        let bytes = [&segment.encode()[..], &[0]].concat();
        assert!(matches!(
            Segment::decode(&bytes),
            Err(DecodeError::Trailing { extra: 1, .. })
        ));
    }
}

/// Segments are encoded once and shared by every frame that carries them.
#[test]
fn a_frame_shares_its_segments() {
    let segments: Vec<Bytes> = segments().iter().map(Segment::encode).collect();
    let message = Message::with(bodies::all()[0].clone(), segments.clone());
    let frame = codec::encode(&message);
    assert_eq!(frame.pieces.len(), 1 + segments.len());
    for (piece, segment) in frame.pieces[1..].iter().zip(&segments) {
        assert_eq!(piece.as_ptr(), segment.as_ptr());
    }
    assert_eq!(
        message.segment_bytes(),
        segments.iter().map(Bytes::len).sum::<usize>()
    );
    assert_eq!(frame.len(), frame.to_bytes().len());
}

/// The bytes of format 1. Whoever changes one of these has made a new format: raise
/// `codec::FORMAT`, say what becomes of frames and rows of the old one, and only then replace
/// `wire/golden.txt` by what this prints.
#[test]
fn the_bytes_of_the_format_have_not_changed() {
    assert_eq!(codec::FORMAT, 1);
    let small = Segment {
        key: key("k"),
        version: Version::new(1),
        revision: Revision::new(300),
        entry: Entry::of_write(
            id("agent-1", 1, 2),
            Write {
                stamp: Stamp::at_millis(5),
                payload: Payload::put(&Value::from("x")),
                prev: Seq::new(1),
                over: Context::new(),
                note: None,
            },
        ),
    };
    let bodies = bodies::all();
    let body = |wanted: &str| {
        bodies
            .iter()
            .find(|body| name(body) == wanted)
            .unwrap()
            .clone()
    };
    let mut cases = vec![
        ("value".to_owned(), Bytes::from(value().encode())),
        ("segment".to_owned(), small.encode()),
        ("segment-covers-only".to_owned(), segments()[1].encode()),
        ("segment-with-all-facts".to_owned(), segments()[2].encode()),
        (
            "push-with-state".to_owned(),
            frame(&Message::with(body("push"), vec![small.encode()])),
        ),
    ];
    for name in [
        "delta-request",
        "delta-changes",
        "committed",
        "receipts-taken",
        "ask-write",
        "reply",
    ] {
        cases.push((name.to_owned(), frame(&body(name).into())));
    }
    let too_large = RequestError::TooLarge { bytes: 2, limit: 1 };
    let refused = Reply::Err(too_large);
    cases.push(("too-large".to_owned(), codec::to_bytes(&refused)));
    cases.push(("receipts".to_owned(), codec::to_bytes(&replies::receipts())));
    let mut found = String::new();
    for (name, bytes) in cases {
        writeln!(found, "{name} {}", Hex(&bytes)).unwrap();
    }
    assert!(
        found == include_str!("wire/golden.txt"),
        "other bytes than format 1:\n{found}"
    );
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
