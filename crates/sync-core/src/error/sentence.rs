//! Parts of sentences that say what is there instead.

use crate::authority::Current;
use crate::id::{Version, WriteId, start_of};
use crate::value::Value;

/// What is not as it was expected to be: the first of it in full.
pub(super) fn conflicts(current: &[Current]) -> String {
    let Some(first) = current.first() else {
        return "what was expected does not hold".to_owned();
    };
    let state = |version: Version| match version.get() {
        0 => "no value".to_owned(),
        number => format!("version {number}"),
    };
    let (is, was) = (state(first.version), state(first.expected));
    let more = match current.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more keys are not as expected)"),
    };
    format!("{:?} has {is}, {was} was expected{more}", first.key)
}

/// What there is now, for a sentence.
pub(super) fn told(by: Option<&WriteId>, current: Option<&Value>) -> String {
    let value = current.map_or_else(
        || "nothing".to_owned(),
        |value| start_of(&value.to_string()),
    );
    by.map_or_else(|| value.clone(), |by| format!("{value}, by {by}"))
}
