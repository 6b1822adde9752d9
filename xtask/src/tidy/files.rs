//! Every source file opens with what lives there and keeps to one idea's length.

use std::path::{Path, PathBuf};

use super::Findings;

/// Past this a file holds more than one idea.
const LINES_MAX: usize = 600;

/// A crate's root is a page, not a drawer.
const LIB_LINES_MAX: usize = 130;

/// Text that marks something unfinished or hidden. Spelled in halves, so that this file passes.
const FORBIDDEN: &[(&str, &str)] = &[
    (
        concat!("#[ig", "nore"),
        "a test that does not run proves nothing",
    ),
    (
        concat!("to", "do!("),
        "finish it or say in the documentation what is missing",
    ),
    (
        concat!("unimple", "mented!("),
        "finish it or say in the documentation what is missing",
    ),
    (concat!("FIX", "ME"), "fix it or open an issue"),
];

/// What runs there takes the same course under the same seed of a simulated net.
const DRIVERS: &[&str] = &["crates/sync-transport/src", "crates/swarm-sync/src"];

/// The lines at which an order is drawn that is not the seed's.
fn draws(text: &str) -> impl Iterator<Item = usize> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_drawn = move |&at: &usize| {
        let mut body = lines[at + 1..]
            .iter()
            .filter(|line| !line.starts_with("//"));
        lines[at].ends_with("select! {") && body.next() != Some(&"biased;")
    };
    (0..text.lines().count()).filter(is_drawn).map(|at| at + 1)
}

pub(super) fn check(
    root: &Path,
    tracked: &[PathBuf],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    for file in tracked
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "rs"))
    {
        let text = std::fs::read_to_string(root.join(file))?;
        let name = file.display();
        let lines = text.lines().count();
        let is_root = file.ends_with("src/lib.rs");
        if !text.starts_with("//!") {
            findings.push(format!(
                "{name}: the first line does not say (`//!`) what lives here"
            ));
        }
        // Under `tests/` a file beside the folder would be a test of its own.
        if file.ends_with("mod.rs") && !file.iter().any(|part| part == "tests") {
            findings.push(format!("{name}: modules are `foo.rs` beside `foo/`"));
        }
        if lines > LINES_MAX || (is_root && lines > LIB_LINES_MAX) {
            let limit = if is_root { LIB_LINES_MAX } else { LINES_MAX };
            findings.push(format!(
                "{name}: {lines} lines; {limit} are allowed, split it by idea"
            ));
        }
        if DRIVERS.iter().any(|drivers| file.starts_with(drivers)) {
            findings.extend(draws(&text).map(|number| {
                format!("{name}:{number}: tokio draws which branch goes first; say `biased;`")
            }));
        }
        for (number, line) in (1..).zip(text.lines()) {
            if line.ends_with([' ', '\t']) {
                findings.push(format!("{name}:{number}: trailing white space"));
            }
            for (mark, advice) in FORBIDDEN {
                if line.contains(mark) {
                    findings.push(format!("{name}:{number}: `{mark}`: {advice}"));
                }
            }
        }
    }
    Ok(())
}
