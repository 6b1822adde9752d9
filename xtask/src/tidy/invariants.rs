//! Every invariant of `docs/protocol.md` and every feature of the README that claims a test is held by one.

use std::path::{Path, PathBuf};

use super::Findings;

/// Where tests are named, and how a row begins that names some.
const TABLES: [(&str, &str); 2] = [("docs/protocol.md", "| **"), ("README.md", "| ")];

pub(super) fn check(
    root: &Path,
    tracked: &[PathBuf],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let mut tests = String::new();
    for file in tracked
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "rs"))
    {
        tests.push_str(&std::fs::read_to_string(root.join(file))?);
    }
    for (document, begin) in TABLES {
        let text = std::fs::read_to_string(root.join(document))?;
        let rows = text.lines().filter(|line| line.starts_with(begin));
        let mut count = 0;
        for (row, test) in rows.flat_map(named) {
            count += 1;
            let function = test.rsplit("::").next().unwrap_or_default();
            if !tests.contains(&format!("fn {function}(")) {
                findings.push(format!(
                    "{document}: {row} names `{test}`, which is no test"
                ));
            }
        }
        if count == 0 {
            findings.push(format!("{document} names no test"));
        }
    }
    Ok(())
}

/// The tests that a row names, each with what the row is about.
fn named(row: &str) -> impl Iterator<Item = (&str, &str)> {
    let about = row.split('|').nth(1).unwrap_or_default().trim();
    let quoted = row.split('`').skip(1).step_by(2);
    let tests = quoted.filter(|text| text.contains("::"));
    tests.map(move |test| (about, test))
}
