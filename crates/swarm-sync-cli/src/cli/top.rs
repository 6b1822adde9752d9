//! The arguments of `top`.

use std::time::Duration;

use clap::Args;

use super::SwarmArgs;
use super::parse::pace;

pub(super) const HELP: &str = "\
Asks the hub again and again what `swarm-sync status` asks once, and shows what it says,
and how much that is per second since the time before. \"lag\" is by how many revisions an
agent is behind; \"?\" if it has confirmed none since the hub started. Bytes are those of
the hub for all its swarms, these questions included. If the hub does not answer for a
second, or goes away, the screen says so, keeps what was known last, and goes on when the
hub is back. Names that are longer than their column are cut in the middle.

Keys:
  q, Esc, Ctrl-C         leave
  Up, Down, k, j         scroll the agents by one
  PgUp, PgDn, Space      by a screen
  Home, End              to the first, to the last
  l                      the agents that are furthest behind first
  n                      the agents by name
  Ctrl-L                 draw everything anew

Examples:
  swarm-sync top
  swarm-sync top --hub 127.0.0.1:7420 --swarm team --interval 5s
  NO_COLOR=1 swarm-sync top

It needs a terminal, of 80 columns and 24 lines for everything. Where there is none, see
`swarm-sync status` and `swarm-sync status --json`.";

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) at: SwarmArgs,
    /// How often to ask, from 100ms to 1h.
    #[arg(long, value_name = "TIME", default_value = "1s", allow_hyphen_values = true, value_parser = pace)]
    pub(crate) interval: Duration,
}
