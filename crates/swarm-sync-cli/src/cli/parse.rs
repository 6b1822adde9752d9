//! Arguments as values. Whatever is refused is refused with what was expected.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use swarm_sync::{
    AgentId, FIELD_BYTES_MAX, Limits, Pattern, Priority, Revision, Share, ValueError,
};

use super::rounds::Every;

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

/// Room for the largest value at least, and no more than there is a use for.
pub(super) fn memory_bytes(text: &str) -> Result<usize, String> {
    within(text, 1 << 20..=1 << 30, "bytes, without a unit")
}

/// No more than a machine holds.
pub(super) fn keys_max(text: &str) -> Result<u64, String> {
    within(text, 1..=1_000_000_000, "keys")
}

/// Room for the largest value at least, and no more than a machine holds.
pub(super) fn state_bytes(text: &str) -> Result<u64, String> {
    within(text, 1 << 20..=1 << 40, "bytes, without a unit")
}

/// No more than any disk has.
pub(super) fn keep_free(text: &str) -> Result<u64, String> {
    within(text, 0..=1 << 60, "bytes, without a unit")
}

fn within<N>(text: &str, range: RangeInclusive<N>, what: &str) -> Result<N, String>
where
    N: FromStr + PartialOrd + Display,
{
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

/// A time that a vote may take: a day at most, as the hub has it.
pub(super) fn vote_time(text: &str) -> Result<Duration, String> {
    let most = Limits::default().vote_deadline_max;
    let time = span(text)?;
    let fits = (time <= most).then_some(time);
    fits.ok_or_else(|| "a vote may take up to a day".to_owned())
}

/// Often enough to be of use, and not without a pause.
pub(super) fn backup_time(text: &str) -> Result<Duration, String> {
    let time = span(text)?;
    let fits = (Duration::from_secs(1)..=Duration::from_hours(24 * 365)).contains(&time);
    let fits = fits.then_some(time);
    fits.ok_or_else(|| "expected a time from 1s to 365d".to_owned())
}

/// At least the one that was just made.
pub(super) fn backups_kept(text: &str) -> Result<usize, String> {
    within(text, 1..=10_000, "backups")
}

/// How long a command waits, up to an hour.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|n| (1..=3_600).contains(n));
    number.ok_or_else(|| {
        "expected a whole number of seconds, from 1 to 3600, without a unit".to_owned()
    })
}

/// How many, at least one.
pub(super) fn count<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|_| "expected a whole number from 1, for instance 5".to_owned())
}

/// Under which name something is done.
pub(super) fn name(text: &str) -> Result<AgentId, String> {
    AgentId::of_peer(text).map_err(|error| error.to_string())
}

/// How often a screen is renewed: not so often that the questions are a load, and within what anybody
/// looks at.
pub(super) fn pace(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(100)..=Duration::from_hours(1);
    let fits = Some(span(text)?).filter(|time| range.contains(time));
    fits.ok_or_else(|| "expected a time from 100ms to 1h".to_owned())
}

/// A whole number and a unit, which is not nothing.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    more_than_nothing(written_span(text)?)
}

fn written_span(text: &str) -> Result<Duration, String> {
    let expected = || "expected a whole number and a unit, as in 500ms, 30s, 5m or 2h".to_owned();
    swarm_sync::span::parse(text).ok_or_else(expected)
}

fn more_than_nothing(time: Duration) -> Result<Duration, String> {
    let some = (!time.is_zero()).then_some(time);
    some.ok_or_else(|| "the time must be more than nothing, 1ms or longer".to_owned())
}

/// How often, and perhaps the keys of which priority.
pub(super) fn every(text: &str) -> Result<Every, String> {
    let (priority, interval) = match text.split_once('=') {
        Some((name, time)) => (Some(priority(name)?), time),
        None => (None, text),
    };
    let interval = written_span(interval).map_err(|e| {
        format!("{e}, after the name of a priority and `=` if it is for one, as in critical=5s")
    })?;
    let interval = more_than_nothing(interval)?;
    Ok(Every { priority, interval })
}

/// A priority and a time.
pub(super) fn deadline(text: &str) -> Result<(Priority, Duration), String> {
    let expected = || "expected a priority and a time, as in critical=30s".to_owned();
    let (name, time) = text.split_once('=').ok_or_else(expected)?;
    Ok((priority(name)?, span(time)?))
}

fn priority(name: &str) -> Result<Priority, String> {
    let known = Priority::ALL.into_iter().find(|p| p.as_str() == name);
    known.ok_or_else(|| {
        let names = Priority::ALL.map(Priority::as_str).join(", ");
        format!("the priority is none of {names}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_may_come_before_a_time() {
        let seconds = Duration::from_secs;
        let interval = seconds(5);
        let priority = Some(Priority::Critical);
        assert_eq!(every("critical=5s"), Ok(Every { priority, interval }));
        let priority = None;
        assert_eq!(every("5s"), Ok(Every { priority, interval }));
        assert!(every("urgent=5s").unwrap_err().contains("critical, high"));
        assert!(every("low=").unwrap_err().contains("a unit"));
        assert_eq!(deadline("low=1m"), Ok((Priority::Low, seconds(60))));
        assert!(deadline("1m").is_err() && deadline("=1m").is_err());
    }

    #[test]
    fn a_pace_is_within_its_bounds() {
        for (text, millis) in [("100ms", 100), ("1s", 1_000), ("1h", 3_600_000)] {
            assert_eq!(pace(text), Ok(Duration::from_millis(millis)));
        }
        for text in ["99ms", "2h", "0s", "1", "-1s"] {
            assert!(pace(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_of_nothing_is_told_so_and_not_to_have_a_unit() {
        let every = |text: &str| every(text).map(|every| every.interval);
        let deadline = |text: &str| deadline(text).map(|(_, time)| time);
        let told = [
            vote_time("0s"),
            vote_time("0ms"),
            every("0s"),
            every("critical=0m"),
            deadline("critical=0s"),
            span("0d"),
        ];
        for told in told.map(Result::unwrap_err) {
            assert!(told.contains("more than nothing"), "{told}");
            assert!(!told.contains("a unit"), "{told}");
        }
        for told in [vote_time("0"), every("0"), deadline("critical=0")] {
            assert!(told.unwrap_err().contains("a unit"));
        }
    }
}
