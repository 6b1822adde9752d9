//! Names and numbers that identify things. Every newtype validates when it is made, so a value of
//! the type is a valid one.

mod number;
mod random;
mod text;
mod write;

pub use self::number::{Revision, Seq, Version};
pub use self::random::{Epoch, Incarnation, ProposalId};
pub use self::text::{AgentId, HUB_NAME, KEY_BYTES_MAX, Key, NAME_BYTES_MAX, Namespace, SwarmId};
pub use self::write::{WriteId, Writer};

/// Characters of a text that a sentence repeats.
const SHOWN_MAX: usize = 40;

/// The start of a text, which ends with an ellipsis if there was more.
pub(crate) fn start_of(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_that_is_no_id_is_shown_in_part() {
        let sentence = |text: &str| {
            let hex = text.parse::<Epoch>().unwrap_err().to_string();
            let write = text.parse::<WriteId>().unwrap_err().to_string();
            [hex, write]
        };
        let (whole, long) = ("ä".repeat(40), "ä".repeat(41));
        for sentence in sentence(&whole) {
            assert!(
                sentence.starts_with(&format!("\"{whole}\" is")),
                "{sentence}"
            );
        }
        for sentence in sentence(&long) {
            assert!(
                sentence.starts_with(&format!("\"{whole}…\" is")),
                "{sentence}"
            );
        }
    }
}
