//! Arguments as values. Whatever is refused is refused with what was expected.

use std::ops::RangeInclusive;

use swarm_sync::{FIELD_BYTES_MAX, Pattern, Revision, ValueError};

/// The longest name that the domain name system knows.
const HOST_BYTES_MAX: usize = 253;

/// The shape only: the name is looked up when it is used.
pub(super) fn address(text: &str) -> Result<String, String> {
    let parts = text.rsplit_once(':');
    match parts.filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        // No name is longer; whoever could not reach it would repeat it.
        Some((host, _)) if host.len() > HOST_BYTES_MAX => Err(format!(
            "the host has {} bytes; the limit is {HOST_BYTES_MAX}: expected HOST:PORT",
            host.len()
        )),
        Some(_) => Ok(text.to_owned()),
        None => Err("expected HOST:PORT, for instance 127.0.0.1:7420".to_owned()),
    }
}

pub(super) fn amount(text: &str) -> Result<i64, String> {
    let number = text.parse();
    number.map_err(|_| format!("expected a whole number from {} to {}", i64::MIN, i64::MAX))
}

pub(super) fn revision(text: &str) -> Result<Revision, String> {
    let number = text.strip_prefix('r').unwrap_or(text).parse();
    number.map(Revision::new).map_err(|_| {
        "expected a revision, a whole number from 0; `swarm-sync status` shows the last one"
            .to_owned()
    })
}

/// As many connections as a hub counts to.
pub(super) fn connections(text: &str) -> Result<usize, String> {
    within(text, 1..=1 << 20, "connections")
}

/// Room for a few answers at least, else a peer that reads at once would be too slow already; and no
/// more than there is a use for.
pub(super) fn outbox_bytes(text: &str) -> Result<usize, String> {
    within(text, 1 << 20..=1 << 30, "bytes, without a unit")
}

fn within(text: &str, range: RangeInclusive<usize>, what: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    let (least, most) = (range.start(), range.end());
    number.ok_or_else(|| format!("expected a whole number of {what}, from {least} to {most}"))
}

/// A name of a field, as the data model has it.
pub(super) fn field(text: &str) -> Result<String, String> {
    let range = 1..=FIELD_BYTES_MAX;
    if range.contains(&text.len()) {
        return Ok(text.to_owned());
    }
    let bytes = text.len();
    Err(ValueError::FieldName { bytes }.to_string())
}

pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|error| error.to_string())
}
