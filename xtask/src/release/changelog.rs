//! The changelog: what is unreleased becomes the section of a version.

use anyhow::{bail, ensure};

const UNRELEASED: &str = "## Unreleased";

/// A changelog with a release in it.
#[derive(Debug)]
pub(crate) struct Released {
    /// The whole file, with an empty unreleased section above the new one.
    pub(crate) text: String,
    /// What the new section says, without its heading.
    pub(crate) notes: String,
}

/// Gives what stands under "Unreleased" a version and a date.
pub(crate) fn release(text: &str, version: &str, date: &str) -> anyhow::Result<Released> {
    if section(text, version).is_some() {
        bail!("CHANGELOG.md has a section of {version} already");
    }
    let mut headings = text.lines().filter(|line| line.trim_end() == UNRELEASED);
    ensure!(
        headings.next().is_some(),
        "CHANGELOG.md has no line `{UNRELEASED}`; what is new in {version} belongs below it"
    );
    ensure!(
        headings.next().is_none(),
        "CHANGELOG.md has two lines `{UNRELEASED}`; make one section of them"
    );
    let (before, after) = split_at_heading(text, |line| line == UNRELEASED).unwrap_or((text, ""));
    let body = after.split_once('\n').map_or("", |(_, body)| body);
    let (notes, older) =
        split_at_heading(body, |line| line.starts_with("## ")).unwrap_or((body, ""));
    let is_empty = |line: &str| line.trim().is_empty() || line.starts_with('#');
    ensure!(
        !notes.lines().all(is_empty),
        "the section `{UNRELEASED}` of CHANGELOG.md says nothing; write down what is new in {version}"
    );
    let notes = notes.trim();
    let older = if older.is_empty() {
        String::new()
    } else {
        format!("\n{older}")
    };
    Ok(Released {
        text: format!("{before}{UNRELEASED}\n\n## {version} - {date}\n\n{notes}\n{older}"),
        notes: notes.to_owned(),
    })
}

/// What the changelog says of a version.
pub(crate) fn section<'t>(text: &'t str, version: &str) -> Option<&'t str> {
    let is_its =
        |line: &str| line.strip_prefix("## ").and_then(|l| l.split(' ').next()) == Some(version);
    let (_, after) = split_at_heading(text, is_its)?;
    let body = after.split_once('\n').map_or("", |(_, body)| body);
    let notes =
        split_at_heading(body, |line| line.starts_with("## ")).map_or(body, |(notes, _)| notes);
    Some(notes.trim())
}

/// The text before the first line that `is_it`, and from it on. What stands in a block of code is no heading.
fn split_at_heading(text: &str, is_it: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
    let mut at = 0;
    let mut is_code = false;
    for line in text.split_inclusive('\n') {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code && is_it(line.trim_end()) {
            return Some(text.split_at(at));
        }
        at += line.len();
    }
    None
}

/// The day, in UTC, of a moment in seconds since 1970, as `2026-01-31`.
pub(crate) fn date(seconds: i64) -> String {
    // Days are counted from the first of March of the year 0, so that a leap day is the last of its year;
    // 146,097 are in each 400 years, 1,460 in four, and 153 in the five months from March and from August.
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month_of_year = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month_of_year <= 2);
    format!("{year:04}-{month_of_year:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unreleased_becomes_a_section_and_the_rest_stays() {
        let head = "# Changelog\n\nAll of it.\n\n";
        for (before, after) in [
            (
                "## Unreleased\n\n### Added\n\n- a\n",
                "## Unreleased\n\n## 0.2.0 - 2026-01-02\n\n### Added\n\n- a\n",
            ),
            (
                "## Unreleased\n- a\n\n\n## 0.1.0 - 2025-01-01\n\n- old\n",
                "## Unreleased\n\n## 0.2.0 - 2026-01-02\n\n- a\n\n## 0.1.0 - 2025-01-01\n\n- old\n",
            ),
            (
                "## Unreleased\n\n- a\n\n```md\n## not a heading\n```\n",
                "## Unreleased\n\n## 0.2.0 - 2026-01-02\n\n- a\n\n```md\n## not a heading\n```\n",
            ),
        ] {
            let released = release(&format!("{head}{before}"), "0.2.0", "2026-01-02").unwrap();
            assert_eq!(released.text, format!("{head}{after}"));
            assert_eq!(section(&released.text, "0.2.0"), Some(&*released.notes));
            // What was released is no news the next time.
            let again = release(&released.text, "0.3.0", "2026-01-03").unwrap_err();
            assert!(again.to_string().contains("says nothing"), "{again}");
        }
    }

    #[test]
    fn a_changelog_that_says_nothing_new_is_refused() {
        for (text, why) in [
            ("# Changelog\n", "has no line"),
            ("## Unreleased\n", "says nothing"),
            ("## Unreleased\n\n### Added\n\n### Fixed\n", "says nothing"),
            (
                "## Unreleased\n\n## 0.1.0 - 2025-01-01\n\n- old\n",
                "says nothing",
            ),
            ("## Unreleased\n- a\n## Unreleased\n- b\n", "has two lines"),
            (
                "## Unreleased\n- a\n## 0.2.0 - 2025-01-01\n- b\n",
                "has a section of 0.2.0",
            ),
        ] {
            let error = release(text, "0.2.0", "2026-01-02").unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_moment_is_on_the_day_that_the_calendar_says() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_709_164_800, "2024-02-29"),
            (1_767_225_599, "2025-12-31"),
            (1_767_225_600, "2026-01-01"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), day, "{seconds}");
        }
    }
}
