//! Tasks of this repository. `cargo xtask --help` lists them.
#![expect(
    clippy::print_stderr,
    reason = "a task talks to the person who runs it"
)]

mod ci;
mod downstream;
mod replay;
mod shell;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Tasks of this repository")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Task {
    /// Everything a change must pass: fmt, clippy, tidy, tests, docs, downstream crates, benches
    /// compile, demo, replay.
    Ci,
    /// The conventions no compiler checks: layering, file headers and sizes, links, invariants.
    Tidy,
    /// Builds small crates that use single layers and looks at what they pull in.
    Downstream,
    /// Replays this repository, and generated histories of many authors and of many paths.
    Replay,
}

fn main() -> ExitCode {
    let root = shell::root();
    let result = match Args::parse().task {
        Task::Ci => ci::run(&root),
        Task::Tidy => tidy::run(&root),
        Task::Downstream => downstream::run(&root),
        Task::Replay => replay::run(&root),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
