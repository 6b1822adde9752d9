//! Every planted bug, which the oracles of the simulation have to find.

use std::path::Path;

use crate::sim;

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Args {
    /// Only this one, by its name in `sync_core::planted`.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Seeds that each of them is given, and that are run first with nothing planted.
    #[arg(long)]
    seeds: Option<u64>,
    /// Tells what was found.
    #[arg(long)]
    verbose: bool,
}

impl Args {
    fn words(self) -> Vec<String> {
        let seeds = self.seeds.map(|seeds| seeds.to_string());
        let given = [("--only", self.only), ("--seeds", seeds)];
        sim::words(given, [("--verbose", self.verbose)])
    }
}

pub(crate) fn run(root: &Path, args: Args) -> anyhow::Result<()> {
    let what = ["--features", "__planted", "--example", "mutants"];
    sim::run_program(root, &what, args.words())
}
