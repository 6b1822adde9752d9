//! What a change must pass, cheapest first.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};

use crate::shell::{cargo, output};
use crate::{downstream, mutants, release, replay, shell, sim, tidy};

/// Seeds of the simulation, of some 2,600 events each: what two cores run in about four minutes. Every run
/// takes the same ones, so that a change that fails has failed by itself; other seeds are for the nights.
const SEEDS: u64 = 20_000;

fn run_step(name: &str, step: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let start = Instant::now();
    eprintln!("\n=== {name}");
    step().with_context(|| format!("CI step `{name}` failed"))?;
    eprintln!(
        "=== {name}: passed in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// All steps; the first that fails ends the run.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let step = |words: &[&str]| shell::run(cargo(root, words));
    run_step("fmt", || step(&["fmt", "--all", "--check"]))?;
    run_step("tidy", || tidy::run(root))?;
    run_step("clippy", || {
        let flags = [
            "--all-targets",
            "--all-features",
            "--locked",
            "--",
            "-D",
            "warnings",
        ];
        step(&[&["clippy", "--workspace"], &flags[..]].concat())
    })?;
    run_step("test", || step(&["test", "--workspace"]))?;
    run_step("sim", || sim::run(root, sim::Args::of(SEEDS)))?;
    run_step("mutants", || mutants::run(root, mutants::Args::default()))?;
    run_step("doc", || {
        let mut command = cargo(
            root,
            &[
                "doc",
                "--workspace",
                "--no-deps",
                "--all-features",
                "--locked",
            ],
        );
        command.env("RUSTDOCFLAGS", "-D warnings");
        shell::run(command)
    })?;
    run_step("packages", || release::check_packages(root))?;
    run_step("downstream", || downstream::run(root))?;
    run_step("benches compile", || {
        step(&["bench", "--package", "sync-benches", "--no-run"])
    })?;
    run_step("demo", || demo(root))?;
    run_step("replay", || replay::run(root))
}

/// The demo of the README, its facts read back.
fn demo(root: &Path) -> anyhow::Result<()> {
    let printed = output(cargo(root, &["run", "--release", "--", "demo", "--json"]))?;
    let facts: serde_json::Value = serde_json::from_str(&printed)?;
    for fact in ["converged", "survived_hub_kill"] {
        ensure!(
            facts[fact] == true,
            "the demo says {fact} = {}",
            facts[fact]
        );
    }
    eprintln!("{facts:#}");
    Ok(())
}
