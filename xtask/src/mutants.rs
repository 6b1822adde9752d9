//! Every planted bug, which the oracles of the simulation have to find.

use std::path::Path;

use crate::sim;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Args {
    /// Only this one, by its name as `--list` has it.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Seeds that each of them is given, and that are run first with nothing planted.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Replays this seed with the bug that `--only` names, and prints everything that happens.
    #[arg(long, value_name = "S", requires = "only", conflicts_with_all = ["seeds", "verbose"])]
    seed: Option<u64>,
    /// Replays only as much of that seed as it takes for it to fail.
    #[arg(long, requires = "seed")]
    shrunk: bool,
    /// Lists the names of all planted bugs, and what each breaks; runs nothing.
    #[arg(long, exclusive = true)]
    list: bool,
    /// Tells what was found.
    #[arg(long)]
    verbose: bool,
}

impl Args {
    fn words(self) -> Vec<String> {
        let seeds = self.seeds.map(|seeds| seeds.to_string());
        let seed = self.seed.map(|seed| seed.to_string());
        let given = [("--only", self.only), ("--seeds", seeds), ("--seed", seed)];
        let switches = [
            ("--shrunk", self.shrunk),
            ("--list", self.list),
            ("--verbose", self.verbose),
        ];
        sim::words(given, switches)
    }
}

pub(crate) fn run(root: &Path, args: Args) -> anyhow::Result<()> {
    let what = ["--features", "__planted", "--example", "mutants"];
    sim::run_program(root, &what, args.words())
}
