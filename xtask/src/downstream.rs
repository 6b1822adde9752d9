//! Users of single layers: each small crate in `xtask/downstream` must build and run, and must not
//! pull in what its layer has no business with.

use std::path::Path;

use anyhow::ensure;

use crate::shell::{self, cargo, output};

/// A crate and what may not be in its tree.
const CRATES: &[(&str, &[&str])] = &[
    (
        "merge",
        &[
            "tokio",
            "sled",
            "sync-store",
            "sync-transport",
            "sync-protocol",
        ],
    ),
    (
        "store",
        &["tokio", "sled", "sync-transport", "sync-protocol"],
    ),
    (
        "transport",
        &[
            "sled",
            "sync-store",
            "sync-protocol",
            "zstd",
            "rustls",
            "ring",
        ],
    ),
    (
        "facade",
        &["sled", "toml", "socket2", "zstd", "moka", "rustls", "rcgen"],
    ),
];

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    for (name, forbidden) in CRATES {
        let dir = root.join("xtask/downstream").join(name);
        // The versions that everything else was tested with.
        std::fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock"))?;
        let target = root.join("target/downstream");
        let mut build = cargo(&dir, &["run", "--quiet"]);
        build.env("CARGO_TARGET_DIR", &target);
        shell::run(build)?;
        let tree = output(cargo(
            &dir,
            &["tree", "--edges", "normal", "--prefix", "none"],
        ))?;
        for line in tree.lines() {
            let package = line.split(' ').next().unwrap_or_default();
            ensure!(
                !forbidden.contains(&package),
                "a crate that uses only {name} pulls in {package}; see `cargo tree -i {package}` in {}",
                dir.display()
            );
        }
        eprintln!(
            "{name}: {} packages, none of {forbidden:?}",
            tree.lines().count()
        );
    }
    Ok(())
}
