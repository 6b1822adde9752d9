//! Seeds of the simulation, optimised and with every assertion.

use std::path::Path;

use crate::shell;

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Args {
    /// How many seeds; 1,000 if neither this nor a time is given.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first of them.
    #[arg(long)]
    first: Option<u64>,
    /// Replays this one and prints everything that happens.
    #[arg(long, conflicts_with_all = ["seeds", "first", "hours", "keep_going"])]
    seed: Option<u64>,
    /// For how long.
    #[arg(long)]
    hours: Option<u64>,
    /// Goes on once a seed has failed.
    #[arg(long)]
    keep_going: bool,
}

impl Args {
    fn words(self) -> Vec<String> {
        let numbers = [
            ("--seeds", self.seeds),
            ("--first", self.first),
            ("--seed", self.seed),
            ("--hours", self.hours),
        ];
        let given = numbers
            .into_iter()
            .filter_map(|(name, number)| Some([name.to_owned(), number?.to_string()]));
        let going = self.keep_going.then(|| "--keep-going".to_owned());
        given.flatten().chain(going).collect()
    }
}

pub(crate) fn run(root: &Path, args: Args) -> anyhow::Result<()> {
    let build = [
        "run",
        "--quiet",
        "--profile",
        "sim",
        "--package",
        "sync-sim",
        "--",
    ];
    let mut command = shell::cargo(root, &build);
    command.args(args.words());
    shell::run(command)
}
