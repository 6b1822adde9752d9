//! Times as people write them: a whole number and a unit, in policies and on the command line.

use std::time::Duration;

use tokio::time::Instant;

/// The smallest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Reads `500ms`, `30s`, `5m`, `2h` or `7d`; none for anything else.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let millis = number.parse::<u64>().ok()?.checked_mul(*millis)?;
    Some(Duration::from_millis(millis))
}

/// In the largest unit that it is a whole number of.
pub fn text(span: Duration) -> String {
    let millis = span.as_millis();
    let whole = |(_, unit): &&(&str, u64)| millis.is_multiple_of(u128::from(*unit));
    match UNITS.iter().rev().find(whole) {
        Some((name, unit)) => format!("{}{name}", millis / u128::from(*unit)),
        None => format!("{millis}ms"),
    }
}

/// Longer than anybody waits, and short of what a clock can hold.
const LIMIT_MAX: Duration = Duration::from_hours(24 * 365);

/// The moment at which somebody has waited for so long.
pub(crate) fn after(limit: Duration) -> Instant {
    Instant::now() + limit.min(LIMIT_MAX)
}

/// In milliseconds, as they are counted on the wire.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_whole_number_and_a_unit() {
        let cases = [
            ("500ms", Some(500)),
            ("60s", Some(60_000)),
            ("10m", Some(600_000)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("0s", Some(0)),
            ("60", None),
            ("s", None),
            ("-5s", None),
            ("1.5s", None),
            ("5 s", None),
            ("5sec", None),
            ("99999999999999999999s", None),
            ("9999999999999999d", None),
            ("", None),
        ];
        for (text, millis) in cases {
            let found = parse(text).map(|time| time.as_millis());
            assert_eq!(found, millis, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (given, written) in [
            ("1ms", "1ms"),
            ("90s", "90s"),
            ("60m", "1h"),
            ("36h", "36h"),
            ("168h", "7d"),
        ] {
            assert_eq!(text(parse(given).unwrap()), written);
        }
    }
}
