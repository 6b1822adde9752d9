//! The arguments of `cert`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use swarm_sync::{AgentId, SwarmId};

pub(super) const HELP: &str = "\
For a start on a network of one's own; a CA that is there already does as well. The hub's
certificate is for the names and addresses that agents dial. An agent's names it and its
swarm as swarm-sync://SWARM/AGENT among its subject alternative names. Keys and tokens are
written so that only their owner can read them, and nothing is overwritten without --replace.

Examples:
  swarm-sync cert ca
  swarm-sync cert hub --host hub.example --host 10.0.0.7
  swarm-sync cert agent --swarm team --id agent-1
  swarm-sync cert token --swarm team --id agent-2 >> tokens && chmod 600 tokens
  swarm-sync cert hub --host hub.example --replace && swarm-sync policy reload
                                        a new one while the hub runs

Then:
  swarm-sync serve --listen 0.0.0.0:7420 --tls-cert swarm-sync-certs/hub.pem \\
    --tls-key swarm-sync-certs/hub.key --tls-ca swarm-sync-certs/ca.pem --tokens tokens
  swarm-sync agent --hub hub.example:7420 --swarm team --id agent-1 --json \\
    --tls-ca swarm-sync-certs/ca.pem --tls-cert swarm-sync-certs/team.agent-1.pem \\
    --tls-key swarm-sync-certs/team.agent-1.key
  swarm-sync get k --hub hub.example:7420 --swarm team --tls-ca swarm-sync-certs/ca.pem \\
    --token-file swarm-sync-certs/team.agent-2.token";

#[derive(Debug, Args)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    pub(crate) command: CertCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Make a CA: ca.pem, which everybody gets, and ca.key, which stays where it is.
    Ca {
        /// Its name.
        #[arg(long, value_name = "NAME", default_value = "swarm-sync CA")]
        name: String,
        #[command(flatten)]
        validity: Validity,
        #[command(flatten)]
        directory: Directory,
    },
    /// Issue the certificate of a hub: hub.pem and hub.key.
    Hub {
        /// A name or address that agents dial; can be given more than once.
        #[arg(long = "host", value_name = "HOST", required = true)]
        hosts: Vec<String>,
        #[command(flatten)]
        validity: Validity,
        #[command(flatten)]
        directory: Directory,
    },
    /// Issue the certificate of an agent, or of whoever uses commands: SWARM.AGENT.pem and .key.
    Agent {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        validity: Validity,
        #[command(flatten)]
        directory: Directory,
    },
    /// Make the token of an agent, SWARM.AGENT.token, and print the line for the hub's list.
    Token {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        directory: Directory,
    },
}

/// Who is named.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// Name of the swarm.
    #[arg(
        long,
        value_name = "NAME",
        env = "SWARM_SYNC_SWARM",
        default_value = "default"
    )]
    pub(crate) swarm: SwarmId,
    /// Name of the agent.
    #[arg(long, value_name = "NAME", value_parser = AgentId::of_peer)]
    pub(crate) id: AgentId,
}

/// For how long.
#[derive(Debug, Args)]
pub(crate) struct Validity {
    /// Days until it expires.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

impl Validity {
    pub(crate) fn span(&self) -> Duration {
        Duration::from_secs(u64::from(self.days) * 24 * 60 * 60)
    }
}

/// Where the files are.
#[derive(Debug, Args)]
pub(crate) struct Directory {
    /// Directory of the files, where the CA is, too.
    #[arg(long, value_name = "DIR", default_value = "swarm-sync-certs", value_parser = crate::secret::path())]
    pub(crate) dir: PathBuf,
    /// Replace what is there.
    #[arg(long)]
    pub(crate) replace: bool,
}
