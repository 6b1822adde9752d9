//! Bytes that no encoder writes: each is refused with a sentence, none panics, hangs, or passes for
//! something else.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use bincode::{BorrowDecode, Encode};
use bytes::Bytes;
use sync_core::codec::List;
use sync_core::{Body, Key, Message, Payload, Receipt, Reply, Segment, Value, codec};

use wire::replies::{receipts, replies};
use wire::{frame, messages, segments};

/// bincode's variable-length integer.
fn number(value: u64) -> Vec<u8> {
    match value {
        0..=250 => vec![value.to_le_bytes()[0]],
        251..=0xffff => [&[251], &value.to_le_bytes()[..2]].concat(),
        0x1_0000..=0xffff_ffff => [&[252], &value.to_le_bytes()[..4]].concat(),
        _ => [&[253], &value.to_le_bytes()[..]].concat(),
    }
}

fn blob(bytes: &[u8]) -> Vec<u8> {
    [number(bytes.len() as u64), bytes.to_vec()].concat()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [number(items.len() as u64), items.concat()].concat()
}

/// A range on the wire: the writer's place in the table, the first number, how many more.
type RawSpan = (u64, u64, u64);

fn spans(spans: &[RawSpan]) -> Vec<u8> {
    let items = spans
        .iter()
        .map(|s| [number(s.0), number(s.1), number(s.2)].concat());
    list(&items.collect::<Vec<_>>())
}

/// A segment with one write, as raw as its bytes.
#[derive(Clone)]
struct Raw {
    key: Vec<u8>,
    agent: Vec<u8>,
    context: Vec<RawSpan>,
    writer: u64,
    seq: u64,
    prev: u64,
    payload: Vec<u8>,
    over: Vec<RawSpan>,
    metadata: Option<Vec<u8>>,
}

/// What an honest peer would send.
fn honest() -> Raw {
    Raw {
        key: b"k".to_vec(),
        agent: b"agent-1".to_vec(),
        context: vec![(0, 1, 4)],
        writer: 0,
        seq: 5,
        prev: 3,
        payload: Payload::put(&Value::Null).as_bytes().to_vec(),
        over: vec![(0, 1, 2)],
        metadata: Some(vec![8, 0]),
    }
}

impl Raw {
    fn bytes(&self) -> Vec<u8> {
        let metadata = self
            .metadata
            .as_ref()
            .map_or_else(|| vec![0], |m| [vec![1], blob(m)].concat());
        [
            vec![codec::FORMAT],
            blob(&self.key),
            number(1),
            number(1),
            list(&[[blob(&self.agent), number(7)].concat()]),
            spans(&self.context),
            number(1),
            number(self.writer),
            number(self.seq),
            number(self.prev),
            number(9),
            blob(&self.payload),
            spans(&self.over),
            metadata,
            vec![0],
        ]
        .concat()
    }

    #[track_caller]
    fn refused_because(change: impl FnOnce(&mut Self), why: &str) {
        let mut raw = honest();
        change(&mut raw);
        let sentence = Segment::decode(&raw.bytes()).unwrap_err().to_string();
        assert!(sentence.contains(why), "{why:?} is not in {sentence:?}");
    }
}

#[test]
fn the_honest_segment_is_read() {
    let segment = Segment::decode(&honest().bytes()).unwrap();
    assert_eq!(segment.encode(), honest().bytes());
}

/// Bad input, rows 5 and 13.
#[test]
fn names_and_keys_are_checked_when_they_arrive() {
    Raw::refused_because(|raw| raw.key = Vec::new(), "the key is empty");
    Raw::refused_because(
        |raw| raw.key = vec![b'k'; 1_025],
        "1025 bytes; the limit is 1024",
    );
    Raw::refused_because(|raw| raw.key = vec![b'k', 0xff], "malformed");
    Raw::refused_because(|raw| raw.agent = Vec::new(), "the agent name is empty");
    Raw::refused_because(
        |raw| raw.agent = vec![b'a'; 129],
        "129 bytes; the limit is 128",
    );
    for bad in ["a b", "a/b", "ä", "a\n", "../x", "a\0"] {
        Raw::refused_because(|raw| raw.agent = bad.into(), "are allowed");
    }
}

/// Bad input, row 11.
#[test]
fn ranges_are_checked() {
    Raw::refused_because(|raw| raw.context = vec![(0, 1, 2)], "not in its context");
    Raw::refused_because(|raw| raw.context = Vec::new(), "not in its context");
    Raw::refused_because(|raw| raw.context = vec![(0, 0, 9)], "leaves the numbers");
    Raw::refused_because(
        |raw| raw.context = vec![(0, 2, u64::MAX - 1)],
        "leaves the numbers",
    );
    Raw::refused_because(
        |raw| raw.over = vec![(0, u64::MAX, 1)],
        "leaves the numbers",
    );
    Raw::refused_because(|raw| raw.over = vec![(1, 1, 1)], "not in the table");
    Raw::refused_because(|raw| raw.writer = 1, "not in the table");
    Raw::refused_because(|raw| raw.writer = u64::from(u32::MAX), "not in the table");
    Raw::refused_because(|raw| raw.writer = 1 << 32, "malformed");
    Raw::refused_because(|raw| raw.prev = 5, "does not follow");
    Raw::refused_because(|raw| raw.prev = u64::MAX, "does not follow");
    Raw::refused_because(|raw| (raw.seq, raw.prev) = (0, 0), "does not follow");
}

/// Bad input, row 11. Found: a range up to the last number beside another of the same writer overflowed.
#[test]
fn a_range_up_to_the_last_number_is_read() {
    let ends = [
        vec![(0, 1, u64::MAX - 1)],
        vec![(0, 1, 3), (0, 5, u64::MAX - 5)],
        vec![(0, 1, 4), (0, u64::MAX, 0)],
        vec![(0, 1, u64::MAX - 1), (0, 5, 0)],
    ];
    for context in ends {
        let raw = Raw {
            context: context.clone(),
            over: context,
            ..honest()
        };
        let segment = Segment::decode(&raw.bytes()).unwrap();
        let last = segment.entry.context().spans().last().unwrap().last;
        assert_eq!(last.get(), u64::MAX);
        assert_eq!(Segment::decode(&segment.encode()), Ok(segment));
    }
}

/// Bad input, row 23. Found: sorting ranges in costs their number squared: a second for half a megabyte.
/// Encoders write them ascending, so another order is refused at the first step down.
#[test]
fn ranges_that_do_not_ascend_are_refused() {
    let descending: Vec<RawSpan> = (0..300_000).rev().map(|n| (0, 3 * n + 1, 0)).collect();
    Raw::refused_because(|raw| raw.context = descending.clone(), "do not ascend");
    Raw::refused_because(|raw| raw.over = descending, "do not ascend");
    Raw::refused_because(|raw| raw.over = vec![(0, 1, 2), (0, 1, 2)], "do not ascend");
}

/// Bad input, row 3.
#[test]
fn payloads_are_checked() {
    let put = |value: &[u8]| [&[1], value].concat();
    let float = |number: f64| put(&[&[4], &number.to_le_bytes()[..]].concat());
    let bomb = |depth: usize| put(&[[7, 1].repeat(depth - 1), vec![0]].concat());
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("nothing", Vec::new(), "cut short"),
        ("unknown kind", vec![77], "unknown tag 77"),
        ("NaN", float(f64::NAN), "not a canonical number"),
        ("infinity", float(f64::INFINITY), "not a canonical number"),
        (
            "negative zero",
            float(-0.0),
            "-0.0 is not a canonical number",
        ),
        ("33 levels", bomb(33), "nested deeper than 32"),
        ("a bomb", bomb(500_000), "nested deeper than 32"),
        (
            "a bomb of maps",
            put(&[8, 1, 0].repeat(300_000)),
            "nested deeper than 32",
        ),
        ("text that is not UTF-8", put(&[5, 1, 0xff]), "not UTF-8"),
        (
            "a list that lies",
            put(&[7, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            "cut short",
        ),
        (
            "a length of 2^63",
            put(&[6, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            "not canonical",
        ),
        (
            "keys that descend",
            put(&[8, 2, 1, b'b', 0, 1, b'a', 0]),
            "do not ascend",
        ),
        ("an absence with a value", vec![2, 0], "bytes follow"),
        ("a count of 4 bytes", vec![3, 1, 1, 1, 1], "not 8 bytes"),
    ];
    for (name, payload, why) in cases {
        let refused = Payload::from_bytes(&payload).unwrap_err().to_string();
        assert!(refused.contains(why), "{name}: {refused}");
        Raw::refused_because(|raw| raw.payload = payload, why);
    }
    let deepest = Raw {
        payload: bomb(32),
        ..honest()
    };
    assert!(Segment::decode(&deepest.bytes()).is_ok());
}

/// Found: a set reads as a list of its elements, one level deeper; an element of 32 levels was
/// admitted, and the hub's answer about its key could then be read by nobody.
#[test]
fn an_element_leaves_room_for_the_list_that_it_is_read_in() {
    let element = |depth: usize| [vec![4], [7, 1].repeat(depth - 1), vec![0]].concat();
    Raw::refused_because(|raw| raw.payload = element(32), "nested deeper");
    let read = Payload::from_bytes(&element(31)).unwrap().value().unwrap();
    let set = Value::List(vec![read]);
    assert_eq!(Value::decode(&set.encode()), Ok(set));
}

/// Bad input, row 23.
#[test]
fn metadata_is_a_bounded_map() {
    Raw::refused_because(|raw| raw.metadata = Some(Vec::new()), "cut short");
    Raw::refused_because(|raw| raw.metadata = Some(vec![0]), "expected a map");
    let long = [vec![8, 1, 0, 6, 0x80, 0x20], vec![0; 4096]].concat();
    Raw::refused_because(|raw| raw.metadata = Some(long), "at most 4096 bytes");
}

/// Bad input, row 2. Places in a frame where a count or length stands, each set to what cannot be.
#[test]
fn counts_and_lengths_that_lie_are_refused() {
    let ping = frame(&Body::Ping { nonce: 1 }.into());
    let written = frame(
        &Body::ReceiptsTaken {
            writes: Vec::new().into(),
        }
        .into(),
    );
    for lie in [1, 250, 1 << 16, u64::from(u32::MAX), 1 << 40, u64::MAX] {
        // The number of segments, which is the last byte of a message without any.
        let bytes = [&ping[..ping.len() - 1], &number(lie)].concat();
        assert!(codec::decode(&bytes.into()).is_err(), "{lie} segments");
        // One segment, and its length.
        if u32::try_from(lie).is_ok() {
            let bytes = [&ping[..ping.len() - 1], &[1], &number(lie)].concat();
            assert!(
                codec::decode(&bytes.into()).is_err(),
                "a segment of {lie} bytes"
            );
        }
        // A list inside the body, and the name inside its first item.
        let head = &written[..written.len() - 2];
        let bytes = [head, &number(lie), &[0]].concat();
        assert!(codec::decode(&bytes.into()).is_err(), "{lie} writes");
        let bytes = [head, &[1], &number(lie), &[0, 0]].concat();
        assert!(
            codec::decode(&bytes.into()).is_err(),
            "a name of {lie} bytes"
        );
    }
    // Lengths whose sum would wrap around.
    let two = [
        &number(u64::from(u32::MAX))[..],
        &number(u64::from(u32::MAX)),
    ]
    .concat();
    let bytes = [&ping[..ping.len() - 1], &[2], &two].concat();
    assert!(codec::decode(&bytes.into()).is_err());
}

/// Bad input, row 2. Every count and length inside a segment, replaced by a lie.
#[test]
fn segments_that_lie_are_refused() {
    for segment in segments() {
        let whole = segment.encode();
        for at in 1..whole.len() {
            for lie in [u64::from(u32::MAX), u64::MAX] {
                let bytes = [&whole[..at], &number(lie), &whole[at + 1..]].concat();
                // A number may be this large, a count or length may not: it ends or it reads.
                if let Ok(read) = Segment::decode(&bytes) {
                    assert_eq!(Segment::decode(&read.encode()), Ok(read));
                }
            }
        }
    }
}

/// A hundred thousand frames of noise, most of them near to what is right.
#[test]
fn noise_is_refused_or_read_but_nothing_else() {
    let mut state = 0x5eed_u64;
    let mut next = move || {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    };
    let heads: Vec<Bytes> = messages().iter().map(frame).collect();
    let bodies: Vec<Bytes> = segments().iter().map(Segment::encode).collect();
    let mut replies: Vec<Bytes> = replies().iter().map(codec::to_bytes).collect();
    replies.push(codec::to_bytes(&receipts()));
    let mut read = 0_u32;
    for round in 0..100_000_u32 {
        let pool = [&heads, &bodies, &replies][round as usize % 3];
        let whole = &pool[usize::try_from(next() >> 40).unwrap() % pool.len()];
        let at = usize::try_from(next() >> 40).unwrap() % whole.len();
        let length = usize::try_from(next() >> 58).unwrap();
        let noise: Vec<u8> = (0..length).map(|_| next().to_le_bytes()[7]).collect();
        let bytes = Bytes::from(match round % 8 {
            // A few bytes of a good frame are wrong, its tail is, or all of it.
            0..=5 => [
                &whole[..at],
                &noise[..length % 4],
                whole.get(at + length % 4..).unwrap_or(&[]),
            ]
            .concat(),
            6 => [&whole[..at], &noise].concat(),
            _ => [&[codec::FORMAT][..], &noise].concat(),
        });
        if let Ok(message) = codec::decode(&bytes) {
            assert_eq!(codec::decode(&frame(&message)), Ok(message));
            read += 1;
        }
        if let Ok(segment) = Segment::decode(&bytes) {
            assert_eq!(Segment::decode(&segment.encode()), Ok(segment));
            read += 1;
        }
        reads_back::<Reply>(&bytes);
        reads_back::<List<Receipt>>(&bytes);
        if let Ok(value) = Value::decode(&bytes) {
            assert_eq!(value.encode(), bytes);
        }
        assert_eq!(
            Value::decode(&bytes).is_ok(),
            Value::validate(&bytes).is_ok()
        );
    }
    assert!(read > 10_000, "the noise is too far from anything: {read}");
}

/// Names are checked wherever a message carries one, not only in segments.
#[test]
fn a_name_inside_a_body_is_checked() {
    let body = Body::RepairRequest {
        key: Key::new("k").unwrap(),
    };
    let good = frame(&Message::from(body));
    let at = good.iter().position(|byte| *byte == b'k').unwrap();
    let bytes = [&good[..at - 1], &blob(&[b'k'; 1_025]), &good[at + 1..]].concat();
    let refused = codec::decode(&bytes.into()).unwrap_err().to_string();
    assert!(refused.contains("the limit is 1024"), "{refused}");
    let bytes = [&good[..at - 1], &blob(b""), &good[at + 1..]].concat();
    let refused = codec::decode(&bytes.into()).unwrap_err().to_string();
    assert!(refused.contains("empty"), "{refused}");
}

/// What reads at all reads back.
fn reads_back<T>(bytes: &[u8])
where
    T: Encode + for<'a> BorrowDecode<'a, ()> + PartialEq + std::fmt::Debug,
{
    if let Ok(item) = codec::from_bytes::<T>("an item", bytes) {
        let again = codec::to_bytes(&item);
        assert_eq!(codec::from_bytes("an item", &again), Ok(item));
    }
}
