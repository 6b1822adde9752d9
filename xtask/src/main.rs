//! Tasks of this repository. `cargo xtask --help` lists them.
#![expect(
    clippy::print_stderr,
    reason = "a task talks to the person who runs it"
)]

mod ci;
mod downstream;
mod mutants;
mod release;
mod replay;
mod shell;
mod sim;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Tasks of this repository")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything a change must pass: fmt, clippy, tidy, tests, planted bugs, docs, packages, downstream
    /// crates, benches compile, demo, replay.
    Ci,
    /// The conventions no compiler checks: layering, file headers and sizes, links, invariants.
    Tidy,
    /// Builds small crates that use single layers and looks at what they pull in.
    Downstream,
    /// Packages the crates as they stand, without building the packages.
    Packages,
    /// Replays this repository, and generated histories of many authors and of many paths.
    Replay,
    /// Makes a release: versions, changelog, packages, archive, commit and tag; publishes if told to.
    Release(release::Options),
    /// Runs seeds of the simulation until one fails; prints how to replay it and what of it is needed.
    Sim(sim::Args),
    /// Plants bugs on purpose, one after the other, and runs seeds until an oracle has found each.
    Mutants(mutants::Args),
}

fn main() -> ExitCode {
    let root = shell::root();
    let result = match Args::parse().task {
        Task::Ci => ci::run(&root),
        Task::Tidy => tidy::run(&root),
        Task::Downstream => downstream::run(&root),
        Task::Packages => release::check_packages(&root),
        Task::Replay => replay::run(&root),
        Task::Release(options) => release::run(&options),
        Task::Sim(args) => sim::run(&root, args),
        Task::Mutants(args) => mutants::run(&root, args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
