//! Documents that say what is true: the toolchain version, links that lead somewhere.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Findings;

pub(super) fn check(
    root: &Path,
    tracked: &[PathBuf],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let version = manifest
        .lines()
        .find_map(|l| l.strip_prefix("rust-version = "));
    let version = version
        .context("Cargo.toml names a rust-version")?
        .trim_matches('"');
    let readme = std::fs::read_to_string(root.join("README.md"))?;
    if !readme.contains(&format!("Rust {version}")) {
        findings.push(format!(
            "README.md does not name the toolchain of Cargo.toml, Rust {version}"
        ));
    }
    for file in tracked
        .iter()
        .filter(|f| f.extension().is_some_and(|e| e == "md"))
    {
        let text = std::fs::read_to_string(root.join(file))?;
        let folder = root
            .join(file)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        for target in links(&text) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !folder.join(path).exists() {
                findings.push(format!(
                    "{}: the link to {target} leads nowhere",
                    file.display()
                ));
            }
        }
    }
    Ok(())
}

/// The targets of inline links that are not addresses.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets.filter(|t| !t.contains("://") && !t.starts_with("mailto:"))
}
