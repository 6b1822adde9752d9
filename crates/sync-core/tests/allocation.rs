//! A frame that lies about its size reserves no more memory than a frame may have. Alone in its
//! binary, because it reads how much the whole process has ever asked for.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sync_core::codec::{FRAME_BYTES_CEILING, decode, encode};
use sync_core::{Ask, Body, Key, Operation, Pattern, Policy, Segment, Value};

/// The most address space this process ever held, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmPeak:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .unwrap()
        * 1024
}

/// A length of 127 MiB, less than what bincode may be told to reserve, and one of 2^60.
const LIES: [&[u8]; 2] = [&[252, 0, 0, 240, 7], &[253, 0, 0, 0, 0, 0, 0, 0, 16]];

/// What a sender may name, with a name that is found again in the bytes.
const NAME: &str = "a name as no other text here";

/// `bytes` with other lengths in front of the name in it.
fn about_the_name(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut name = vec![u8::try_from(NAME.len()).unwrap()];
    name.extend(NAME.as_bytes());
    let at = bytes.windows(name.len()).position(|w| w == name).unwrap();
    let lied = |lie: &&[u8]| [&bytes[..at], *lie, &bytes[at + 1..]].concat();
    LIES.iter().map(lied).collect()
}

/// Names that are no ids have no bound of their own: those of a field, and of a function in a policy.
fn named() -> [Body; 3] {
    let write = |operation| Body::Request {
        request: 1,
        ask: Ask::Write {
            key: Key::new("k").unwrap(),
            operation,
            metadata: None,
        },
    };
    let mut policy = Policy::new(Pattern::new("*").unwrap());
    policy.merge = Some(NAME.to_owned());
    [
        write(Operation::PutField(NAME.to_owned(), Value::Null)),
        write(Operation::UnsetField(NAME.to_owned())),
        Body::Policies {
            policies: vec![policy].into(),
        },
    ]
}

/// Bad input, row 2.
#[test]
fn a_lie_about_a_length_reserves_no_memory() {
    let ping = encode(&Body::Ping { nonce: 1 }.into()).to_bytes();
    let lies: [Vec<u8>; 6] = [
        [&[251, 255, 255][..], &[0]].concat(),
        [252, 0, 0, 255, 0].to_vec(),
        [252, 255, 255, 255, 255].to_vec(),
        [253, 0, 0, 0, 0, 1, 0, 0, 0].to_vec(),
        [253, 255, 255, 255, 255, 255, 255, 255, 127].to_vec(),
        [253, 255, 255, 255, 255, 255, 255, 255, 255].to_vec(),
    ];
    let before = peak();
    for lie in &lies {
        // At every place of every kind of message, named by its number.
        for kind in 0..32 {
            for at in 2..12 {
                for filler in [0, 1, 7] {
                    let bytes =
                        [&ping[..1], &[kind], &vec![filler; at][..], lie, &[0; 64]].concat();
                    let _ = Segment::decode(&bytes);
                    let _ = decode(&bytes.into());
                }
            }
        }
        for tag in 5..9 {
            assert!(Value::decode(&[&[tag][..], lie].concat()).is_err());
        }
    }
    for body in named() {
        let told = encode(&body.into()).to_bytes();
        assert!(decode(&told).is_ok());
        for lied in about_the_name(&told) {
            assert!(decode(&lied.into()).is_err());
        }
    }
    let grown = peak() - before;
    assert!(grown <= 2 * FRAME_BYTES_CEILING, "{grown} bytes");
}
