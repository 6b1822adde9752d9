//! Repeating what somebody gave.

/// Characters of a key, a value or an argument in a table or a sentence.
pub(super) const SHOWN_MAX: usize = 60;

/// What somebody gave, as a sentence repeats it: enough to recognize it, whatever its length.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().nth(SHOWN_MAX).is_none() {
        return text.to_owned();
    }
    let start: String = text.chars().take(SHOWN_MAX - 1).collect();
    format!("{start}…")
}
