//! Who may depend on whom. A new edge is its own decision, so each is written down here.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::Findings;
use crate::shell::{cargo, output};

/// Every crate of the workspace and the crates of the workspace it may use, in tests too: siblings
/// do not know each other.
const EDGES: &[(&str, &[&str])] = &[
    ("sync-core", &[]),
    ("sync-resolve", &["sync-core"]),
    ("sync-protocol", &["sync-core"]),
    ("sync-store", &["sync-core"]),
    ("sync-transport", &["sync-core"]),
    ("sync-sim", &["sync-core", "sync-protocol", "sync-resolve"]),
    (
        "swarm-sync",
        &[
            "sync-core",
            "sync-resolve",
            "sync-protocol",
            "sync-store",
            "sync-transport",
        ],
    ),
    ("swarm-sync-cli", &["swarm-sync"]),
    ("sync-benches", &["swarm-sync", "sync-core"]),
    (
        "sync-fuzz-checks",
        &["swarm-sync", "sync-core", "sync-transport"],
    ),
    ("xtask", &[]),
];

/// Crates that touch neither the world nor a runtime, whatever their optional features do.
const PURE: &[&str] = &["sync-core", "sync-resolve", "sync-protocol", "sync-sim"];

/// What touches the world or a runtime.
const WORLDLY: &[&str] = &["tokio", "sled", "rand", "getrandom", "tracing-subscriber"];

pub(super) fn check(root: &Path, findings: &mut Findings) -> anyhow::Result<()> {
    let printed = output(cargo(
        root,
        &[
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ],
    ))
    .or_else(|_| {
        output(cargo(
            root,
            &["metadata", "--no-deps", "--format-version", "1"],
        ))
    })?;
    let metadata: Value = serde_json::from_str(&printed)?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists packages")?;
    let members: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
            findings.push(format!("{name}: a crate that tidy/layers.rs does not know"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            if members.contains(&used) && used != name && !allowed.contains(&used) {
                findings.push(format!("{name} may not depend on {used}"));
            }
            let shipped = dependency["kind"].is_null() && dependency["optional"] == false;
            if PURE.contains(&name) && WORLDLY.contains(&used) && shipped {
                findings.push(format!(
                    "{name} may not depend on {used}: it touches the world"
                ));
            }
        }
    }
    Ok(())
}
