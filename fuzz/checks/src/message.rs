//! A message: what reads at all reads back, and so do the segments that it carries.

use bytes::Bytes;
use sync_core::codec;

use crate::segment;

/// Reads `bytes` as one frame's message.
pub fn check(bytes: &[u8]) {
    let Ok(message) = codec::decode(&Bytes::copy_from_slice(bytes)) else {
        return;
    };
    assert!(message.segment_bytes() <= bytes.len());
    let again = codec::encode(&message).to_bytes();
    assert_eq!(codec::decode(&again).as_ref(), Ok(&message));
    for bytes in &message.segments {
        segment::check(bytes);
    }
}
