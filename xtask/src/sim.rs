//! Seeds of the simulation, optimised and with every assertion.

use std::path::Path;

use crate::shell;

#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Args {
    /// How many seeds; 1,000 if neither this nor a time is given.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// The first of them.
    #[arg(long)]
    first: Option<u64>,
    /// Replays this one and prints everything that happens.
    #[arg(long, conflicts_with_all = ["seeds", "first", "hours", "keep_going"])]
    seed: Option<u64>,
    /// Replays only as much of that one as it takes for it to fail.
    #[arg(long, requires = "seed")]
    shrunk: bool,
    /// For how long.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    hours: Option<u64>,
    /// Goes on once a seed has failed.
    #[arg(long)]
    keep_going: bool,
}

impl Args {
    /// The first so many.
    pub(crate) fn of(seeds: u64) -> Self {
        Self {
            seeds: Some(seeds),
            ..Self::default()
        }
    }

    fn words(self) -> Vec<String> {
        let text = |number: Option<u64>| number.map(|number| number.to_string());
        let given = [
            ("--seeds", text(self.seeds)),
            ("--first", text(self.first)),
            ("--seed", text(self.seed)),
            ("--hours", text(self.hours)),
        ];
        let switches = [("--shrunk", self.shrunk), ("--keep-going", self.keep_going)];
        words(given, switches)
    }
}

/// The words of a command line: what is given, and what is switched on.
pub(crate) fn words<const N: usize, const M: usize>(
    given: [(&str, Option<String>); N],
    switches: [(&str, bool); M],
) -> Vec<String> {
    let given = given.into_iter();
    let given = given.filter_map(|(name, value)| Some([name.to_owned(), value?]));
    let switches = switches.into_iter().filter(|(_, on)| *on);
    let switches = switches.map(|(name, _)| name.to_owned());
    given.flatten().chain(switches).collect()
}

pub(crate) fn run(root: &Path, args: Args) -> anyhow::Result<()> {
    run_program(root, &[], args.words())
}

/// Runs a program of the simulator, which `what` names, in the profile of the simulation.
pub(crate) fn run_program(root: &Path, what: &[&str], words: Vec<String>) -> anyhow::Result<()> {
    let build = [
        "run",
        "--quiet",
        "--profile",
        "sim",
        "--package",
        "sync-sim",
    ];
    let mut command = shell::cargo(root, &[&build, what, &["--"]].concat());
    command.args(words);
    shell::run(command)
}
