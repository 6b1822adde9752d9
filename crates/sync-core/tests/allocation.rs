//! A frame that lies about its size reserves no more memory than a frame may have. Alone in its
//! binary, because it reads how much the whole process has ever asked for.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sync_core::codec::{FRAME_BYTES_CEILING, decode, encode};
use sync_core::{Body, Segment, Value};

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
    let grown = peak() - before;
    assert!(grown <= 2 * FRAME_BYTES_CEILING, "{grown} bytes");
}
