//! Every invariant of `docs/protocol.md` that claims a test is named by one.

use std::path::{Path, PathBuf};

use super::Findings;

pub(super) fn check(
    root: &Path,
    tracked: &[PathBuf],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let protocol = std::fs::read_to_string(root.join("docs/protocol.md"))?;
    let mut tests = String::new();
    for file in tracked
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "rs"))
    {
        tests.push_str(&std::fs::read_to_string(root.join(file))?);
    }
    let mut count = 0;
    for row in protocol.lines().filter(|line| line.starts_with("| **")) {
        let Some(name) = row.split("**").nth(1) else {
            continue;
        };
        for test in row
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|t| t.contains("::"))
        {
            count += 1;
            let function = test.rsplit("::").next().unwrap_or_default();
            if !tests.contains(&format!("fn {function}(")) {
                findings.push(format!(
                    "docs/protocol.md: {name} names `{test}`, which is no test"
                ));
            }
        }
    }
    if count == 0 {
        findings.push("docs/protocol.md names no test for any invariant".to_owned());
    }
    Ok(())
}
