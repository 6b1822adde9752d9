//! A segment: what reads at all reads back, joins with itself to itself, and shows a value that
//! can be sent on.

use sync_core::{Segment, Value};

/// Reads `bytes` as one key's state.
pub fn check(bytes: &[u8]) {
    let Ok(segment) = Segment::decode(bytes) else {
        return;
    };
    let again = segment.encode();
    assert_eq!(Segment::decode(&again).as_ref(), Ok(&segment));
    let mut joined = segment.entry.clone();
    let change = joined.join(segment.entry.clone());
    assert!(!change.inflated(), "a join with itself changed it");
    assert_eq!(joined, segment.entry);
    for (id, write) in segment.entry.writes() {
        assert!(segment.entry.context().contains(id));
        if let Some(value) = write.payload.value() {
            assert_eq!(Value::decode(&value.encode()), Ok(value));
        }
    }
}
