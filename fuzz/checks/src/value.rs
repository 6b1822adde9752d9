//! A value: the two readers agree, equal values are equal bytes, and a payload is no laxer.

use sync_core::{Payload, Value};

/// Reads `bytes` as the canonical bytes of a value, and as a payload.
pub fn check(bytes: &[u8]) {
    let read = Value::decode(bytes);
    assert_eq!(read.is_ok(), Value::validate(bytes).is_ok());
    if let Ok(value) = read {
        assert_eq!(value.encode(), bytes);
        assert_eq!(value.check_depth(), Ok(()));
        // The JSON face has no bytes: they come back as numbers, and then stay what they are.
        let face = value.to_json();
        if let Ok(seen) = Value::from_json(face.clone()) {
            assert_eq!(seen.to_json(), face);
        }
    }
    if let Ok(payload) = Payload::from_bytes(bytes) {
        assert_eq!(payload.as_bytes(), bytes);
        if let Some(value) = payload.value() {
            assert_eq!(Value::decode(&value.encode()), Ok(value));
        }
    }
}
