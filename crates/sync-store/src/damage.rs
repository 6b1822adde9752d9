//! Damage, as an error with a name.

use std::fmt::Write as _;

use sync_core::store::StoreError;

/// Damage to the physical row `key` of the directory `name`.
pub(crate) fn corrupt(name: &str, key: &[u8], reason: impl Into<String>) -> StoreError {
    StoreError::Corrupt {
        path: name.to_owned(),
        row: escape(key),
        reason: reason.into(),
    }
}

/// A key as printable text.
fn escape(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len() + 2);
    text.push('"');
    // Writing to a string cannot fail.
    let _ = write!(text, "{}", key.escape_ascii());
    text.push('"');
    text
}
