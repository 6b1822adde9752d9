//! What all commands take that write a key at the hub.

use clap::Args;

use super::HubArgs;

#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    /// Wait until so many agents have confirmed that they hold it, as long as --timeout says: each in its own
    /// store, which is its disk, or its memory if it was started with --memory. Exits with 7 if they have
    /// not by then: the write stays.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) replicas: Option<u32>,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}
