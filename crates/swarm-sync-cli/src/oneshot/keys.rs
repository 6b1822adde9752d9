//! Listing keys, page by page.

use serde_json::json;
use swarm_sync::{Answer, Ask, Key};

use crate::cli::KeysArgs;
use crate::exit::Failure;
use crate::output::{self, visible};

use super::write::unexpected;
use super::{connect, print};

pub(super) async fn keys(args: KeysArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let mut all: Vec<Key> = Vec::new();
    let mut after = None;
    loop {
        let pattern = args.pattern.clone();
        let (page, next) = match client.ask(Ask::Keys { pattern, after }).await? {
            Answer::Keys { keys, next } => (keys.0, next),
            other => return Err(unexpected(&other)),
        };
        if args.hub.json {
            all.extend(page);
        } else if !page.is_empty() {
            let lines: Vec<String> = page.iter().map(|key| visible(key.as_str())).collect();
            output::line(&lines.join("\n"))?;
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    client.close().await;
    if args.hub.json {
        return print(&json!({"keys": all}));
    }
    Ok(())
}
