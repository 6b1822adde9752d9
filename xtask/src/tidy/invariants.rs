//! Every invariant of `docs/protocol.md`, every feature of the README and every row of `docs/testing.md` is held
//! by the tests that it names.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Findings, bad_input};

/// Where the tests of bad input are named.
const TESTING: &str = "docs/testing.md";

/// Where tests are named, and how a row begins that names some.
const TABLES: [(&str, &str); 3] = [
    ("docs/protocol.md", "| **"),
    ("README.md", "| "),
    (TESTING, "| **"),
];

/// All there is to find tests in.
#[derive(Debug)]
pub(super) struct Sources {
    /// The name of every package as Rust spells it, and its directory.
    crates: Vec<(String, PathBuf)>,
    /// Every source file: where it is, and what it says.
    files: Vec<(PathBuf, String)>,
}

pub(super) fn check(
    root: &Path,
    tracked: &[PathBuf],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let sources = Sources {
        crates: crates(root, tracked)?,
        files: files(root, tracked)?,
    };
    for (document, begin) in TABLES {
        let text = std::fs::read_to_string(root.join(document))?;
        let rows = text.lines().filter(|line| line.starts_with(begin));
        let mut count = 0;
        for (row, test) in rows.flat_map(named) {
            count += 1;
            if sources.comments(test).is_empty() {
                findings.push(format!(
                    "{document}: {row} names `{test}`, which is no test there"
                ));
            }
        }
        if count == 0 {
            findings.push(format!("{document} names no test"));
        }
        if document == TESTING {
            bad_input::check(&text, &sources, findings);
        }
    }
    Ok(())
}

/// The tests that a row names, each with what the row is about.
pub(super) fn named(row: &str) -> impl Iterator<Item = (&str, &str)> {
    let about = row.split('|').nth(1).unwrap_or_default().trim();
    let quoted = row.split('`').skip(1).step_by(2);
    let tests = quoted.filter(|text| text.contains("::"));
    tests.map(move |test| (about, test))
}

/// The name of every package as Rust spells it, and its directory.
fn crates(root: &Path, tracked: &[PathBuf]) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut crates = Vec::new();
    for file in tracked.iter().filter(|file| file.ends_with("Cargo.toml")) {
        let manifest = std::fs::read_to_string(root.join(file))?;
        let Some((_, package)) = manifest.split_once("[package]\n") else {
            continue;
        };
        let name = package.lines().find_map(|l| l.strip_prefix("name = \""));
        let name = name.and_then(|l| l.strip_suffix('"'));
        let name = name.with_context(|| format!("{}: a package has a name", file.display()))?;
        let directory = file.parent().unwrap_or_else(|| Path::new(""));
        crates.push((name.replace('-', "_"), directory.to_owned()));
    }
    Ok(crates)
}

fn files(root: &Path, tracked: &[PathBuf]) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let rust = |file: &&PathBuf| file.extension().is_some_and(|e| e == "rs");
    let read = |file: &PathBuf| Ok((file.clone(), std::fs::read_to_string(root.join(file))?));
    tracked.iter().filter(rust).map(read).collect()
}

impl Sources {
    /// What stands before each test that `crate::place::name` is, attributes and comment; nothing if it is none.
    pub(super) fn comments(&self, test: &str) -> Vec<String> {
        let parts: Vec<&str> = test.split("::").collect();
        let [package, places @ .., name] = &parts[..] else {
            return Vec::new();
        };
        let Some((_, directory)) = self.crates.iter().find(|(known, _)| known == package) else {
            return Vec::new();
        };
        let files = self.files.iter().filter(|(file, _)| {
            let within = file.strip_prefix(directory);
            within.is_ok_and(|within| is_at(within, places))
        });
        files
            .flat_map(|(_, text)| comments_of(text, name))
            .collect()
    }
}

/// Whether a file of a crate is where `places` says: in the test target that the first names, or among
/// the unit tests of a module; the others are modules on the way.
fn is_at(file: &Path, places: &[&str]) -> bool {
    let stem = file.with_extension("");
    let steps: Vec<&str> = stem.iter().filter_map(|step| step.to_str()).collect();
    let Some((folder, modules)) = steps.split_first() else {
        return false;
    };
    let begins = match *folder {
        "tests" => !places.is_empty() && modules.first() == places.first(),
        "src" => !places.is_empty(),
        _ => false,
    };
    begins && places.iter().all(|place| modules.contains(place))
}

/// What stands before each function of this name in `text` that has the attribute of a test.
fn comments_of(text: &str, name: &str) -> Vec<String> {
    let function = format!("fn {name}(");
    let found = text.match_indices(&function).map(|(at, _)| {
        let before = text[..at].lines().rev();
        // Up to the end of what comes before the function.
        let own = before.take_while(|line| !line.is_empty() && line.trim() != "}");
        own.map(str::trim).collect::<Vec<_>>()
    });
    let is_test = |line: &&str| *line == "#[test]" || line.starts_with("#[tokio::test");
    let tests = found.filter(|own| own.iter().any(is_test));
    tests
        .map(|own| own.into_iter().rev().collect::<Vec<_>>().join("\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
#[test]
fn it_holds() {
}
fn it_helps() {}

/// Why.
#[tokio::test(start_paused = true)]
#[expect(clippy::unwrap_used, reason = \"short\")]
async fn it_holds_in_time() {}
";

    #[test]
    fn a_name_is_one_of_a_test_in_its_crate_and_place_or_wrong() {
        let crates = [
            ("a_b".to_owned(), PathBuf::from("crates/a-b")),
            ("c".to_owned(), PathBuf::from("crates/c")),
        ];
        let at = |file: &str| (PathBuf::from(file), TEXT.to_owned());
        let files = [
            at("crates/a-b/tests/facade/sync.rs"),
            at("crates/a-b/src/gate.rs"),
            at("crates/c/tests/laws.rs"),
        ];
        let sources = Sources {
            crates: crates.into(),
            files: files.into(),
        };
        for (test, holds) in [
            ("a_b::facade::it_holds", true),
            ("a_b::facade::sync::it_holds", true),
            ("a_b::facade::it_holds_in_time", true),
            ("a_b::gate::it_holds", true),
            ("c::laws::it_holds", true),
            ("a_b::facade::it_helps", false),
            ("a_b::facade::it", false),
            ("a_b::facade::links::it_holds", false),
            ("a_b::sync::it_holds", false),
            ("a_b::laws::it_holds", false),
            ("a_b::it_holds", false),
            ("c::facade::it_holds", false),
            ("d::laws::it_holds", false),
        ] {
            assert_eq!(!sources.comments(test).is_empty(), holds, "{test}");
        }
        let comments = sources.comments("a_b::gate::it_holds_in_time");
        assert!(
            comments[0].starts_with("/// Why.\n#[tokio::test"),
            "{comments:?}"
        );
    }
}
