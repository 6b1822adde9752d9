//! Arguments as values. Whatever is refused is refused with what was expected.

use std::ops::RangeInclusive;
use std::time::Duration;

use swarm_sync::{AgentId, FIELD_BYTES_MAX, Pattern, Revision, Share, ValueError};

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

/// In milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// The longest that a vote may take, in milliseconds: a day, as the hub has it.
const VOTE_MS_MAX: u64 = 86_400_000;

/// A time that a vote may take.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let millis = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, millis)| number.parse::<u64>().ok()?.checked_mul(*millis))
        .filter(|millis| (1..=VOTE_MS_MAX).contains(millis));
    millis.map(Duration::from_millis).ok_or_else(|| {
        "expected a whole number and a unit, up to a day, as in 500ms, 30s, 5m or 24h".to_owned()
    })
}

/// How much approval something takes.
pub(super) fn share(text: &str) -> Result<Share, String> {
    let expected = |_| "expected a number above 0 and at most 1, such as 0.66".to_owned();
    let number = text.parse::<f64>().map_err(expected)?;
    Share::new(number).map_err(|error| error.to_string())
}

/// What an agent weighs in votes. Whether that is a weight the hub says when it starts.
pub(super) fn weight(text: &str) -> Result<(AgentId, f64), String> {
    let expected = "expected AGENT=WEIGHT, such as agent-1=2";
    let (agent, weight) = text.rsplit_once('=').ok_or(expected)?;
    let agent = AgentId::of_peer(agent).map_err(|error| format!("{error}; {expected}"))?;
    let weight = weight
        .parse()
        .map_err(|_| format!("the weight is no number; {expected}"))?;
    Ok((agent, weight))
}
