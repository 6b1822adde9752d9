//! A stamp as people read times.

use super::Stamp;

const DAY_MS: u64 = 24 * 3_600 * 1_000;

impl Stamp {
    /// The moment in UTC and the counter: `2023-11-14T22:13:20.000Z/3`.
    pub fn utc(self) -> String {
        let (days, ms) = (self.millis() / DAY_MS, self.millis() % DAY_MS);
        let (year, month, day) = date(days);
        let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
        let (seconds, millis, counter) = (ms / 1_000 % 60, ms % 1_000, self.counter());
        format!(
            "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z/{counter}"
        )
    }
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: years are counted from March, so
/// that the day a leap year adds is its last, in eras of 400 years, which are all equally long.
fn date(days: u64) -> (u64, u64, u64) {
    let since_march_of_0 = days + 719_468;
    let (era, day) = (since_march_of_0 / 146_097, since_march_of_0 % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    if month < 10 {
        (year, month + 3, of_month)
    } else {
        (year + 1, month - 9, of_month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_the_calendar_has_them() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z/0"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z/0"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z/0"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z/0"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z/0"),
        ];
        for (ms, expected) in cases {
            assert_eq!(Stamp::at_millis(ms).utc(), expected);
        }
        let last = Stamp::from_bits(u64::MAX);
        assert_eq!(last.utc(), "10889-08-02T05:31:50.655Z/65535");
    }
}
