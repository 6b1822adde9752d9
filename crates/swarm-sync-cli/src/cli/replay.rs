//! The command line of `replay`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::parse::count;

pub(super) const REPLAY_HELP: &str = "\
Replays the first-parent history of HEAD: each author is an agent, each path a key, each
commit's changes are writes and deletes of what git tracks (blob, mode, size). Nothing is
written to the repository, and nothing fetched.

Plainly, each agent catches up before it writes, so nobody loses anything, and at the end
every replica must equal the tree of HEAD as git lists it, path by path. One agent is
connected at a time, the one that writes; at the end each of them catches up. With
--offline-every M an agent writes cut off and syncs after every M of its own commits: of
concurrent writes to one path the later commit's wins, every write that lost is listed with
its winner, all replicas must be equal, and every path of HEAD must be as in HEAD. Paths
that HEAD does not have may be there: a delete takes away what it finds, and not what an
agent that was cut off still brings.

A path that is no key (1 to 1,024 bytes of UTF-8) becomes one that begins with a slash,
as no path does: /% and the path with %XX for each byte that is not UTF-8, or, if that is
too long, /# and a hash.

Examples:
  swarm-sync replay .
  swarm-sync replay ~/src/project --agents 5 --offline-every 3
  swarm-sync replay . --offline-every 3 --json | jq '.lost[].key'

Exits with 1 if the replicas are not what they must be.";

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A git repository: its working tree or its bare directory.
    #[arg(value_parser = crate::secret::path())]
    pub(crate) path: PathBuf,
    /// So many agents take turns, commit by commit, instead of one per author.
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = count::<NonZeroUsize>)]
    pub(crate) agents: Option<NonZeroUsize>,
    /// Agents write cut off and sync after every M of their own commits.
    #[arg(long, value_name = "M", allow_hyphen_values = true, value_parser = count::<NonZeroUsize>)]
    pub(crate) offline_every: Option<NonZeroUsize>,
    /// Connect over sockets of the loopback interface instead of within the process.
    #[arg(long)]
    pub(crate) tcp: bool,
    /// Print one JSON object with all the facts.
    #[arg(long)]
    pub(crate) json: bool,
}
