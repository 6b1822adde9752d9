//! The arguments about TLS: of a hub, and of everybody who speaks to one.

use std::path::PathBuf;

use clap::Args;

use crate::secret;

/// How agents and commands know the hub, and prove their name.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArgs {
    /// Certificate of the CA that the hub's is of: connects over TLS, and to no other hub.
    #[arg(
        long,
        value_name = "FILE",
        env = "SWARM_SYNC_TLS_CA",
        hide_env_values = true,
        value_parser = secret::path()
    )]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Certificate that names this agent, in its swarm.
    #[arg(
        long,
        value_name = "FILE",
        env = "SWARM_SYNC_TLS_CERT",
        hide_env_values = true,
        requires = "tls_key",
        requires = "tls_ca",
        value_parser = secret::path()
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, which only its owner may be able to read.
    #[arg(
        long,
        value_name = "FILE",
        env = "SWARM_SYNC_TLS_KEY",
        hide_env_values = true,
        requires = "tls_cert",
        value_parser = secret::path()
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Token that names this agent, instead of a certificate: SWARM/AGENT = TOKEN, in a file that only
    /// its owner may be able to read.
    #[arg(
        long,
        value_name = "FILE",
        env = "SWARM_SYNC_TOKEN_FILE",
        hide_env_values = true,
        requires = "tls_ca",
        value_parser = secret::path()
    )]
    pub(crate) token_file: Option<PathBuf>,
}

/// How a hub proves what it is, and finds out who connects.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct HubTlsArgs {
    /// The hub's certificate, for the names and addresses that agents dial: speaks TLS only. All files
    /// of TLS are read anew on `swarm-sync policy reload` and on SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls_key", value_parser = secret::path())]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, which only its owner may be able to read.
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_parser = secret::path())]
    pub(crate) tls_key: Option<PathBuf>,
    /// Certificate of the CA whose certificates of agents are taken.
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_parser = secret::path())]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Tokens of agents that are taken, as hashes: a line SWARM/AGENT = HASH each.
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_parser = secret::path())]
    pub(crate) tokens: Option<PathBuf>,
    /// Who may read, write and administer what, see docs/security.md. Without it everybody who is let in
    /// may do everything. Read anew on `swarm-sync policy reload` and on SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_parser = secret::path())]
    pub(crate) rights: Option<PathBuf>,
}
