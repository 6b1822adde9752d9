//! Every test that a row of "Bad input" in `docs/testing.md` names says in its comment that it is about that
//! row: whoever changes the test sees what depends on it.

use super::Findings;
use super::invariants::{Sources, named};

/// How the comment of such a test begins that.
const SAYS: &str = "Bad input, row";

/// Each row that is a number, with the tests that it names.
pub(super) fn check(document: &str, sources: &Sources, findings: &mut Findings) {
    let rows = document.lines().filter(|line| line.starts_with("| **"));
    for (about, test) in rows.flat_map(named) {
        let Ok(row) = about.trim_matches('*').parse::<u32>() else {
            continue;
        };
        // One that is not there is a finding already.
        let comments = sources.comments(test);
        if !comments.is_empty() && !comments.iter().any(|comment| is_about(comment, row)) {
            findings.push(format!(
                "docs/testing.md: row {row} names `{test}`, whose comment does not say \"{SAYS} {row}\""
            ));
        }
    }
}

/// Whether a comment says it: "row 8", "rows 1 and 6".
fn is_about(comment: &str, row: u32) -> bool {
    let told = comment.split(SAYS).skip(1);
    let sentences = told.filter_map(|rest| rest.split(['.', ':']).next());
    let mut numbers = sentences.flat_map(|said| said.split(|c: char| !c.is_ascii_digit()));
    numbers.any(|number| number.parse() == Ok(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_about_the_rows_that_it_names() {
        for (comment, row, holds) in [
            ("Bad input, row 8.", 8, true),
            ("Bad input, rows 1 and 6. Found: 9 of them.", 6, true),
            ("Bad input, rows 1 and 6. Found: 9 of them.", 9, false),
            ("Bad input, row 11: of the revision.", 11, true),
            ("Bad input, row 11.", 1, false),
            ("Row 8.", 8, false),
        ] {
            assert_eq!(is_about(comment, row), holds, "{comment}");
        }
    }
}
