//! That the hub does not have the agent, and that it has it after all, as lines of the conversation.

use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::answer::{self, Fields};

/// Sends a line for each change, what was so before included, until it is stopped.
pub(super) fn follow(
    mut refused: watch::Receiver<Option<String>>,
    out: mpsc::Sender<String>,
) -> JoinHandle<()> {
    refused.mark_changed();
    tokio::spawn(async move {
        let mut was_refused = false;
        while refused.changed().await.is_ok() {
            let reason = refused.borrow_and_update().clone();
            let is_refused = reason.is_some();
            if !is_refused && !was_refused {
                continue;
            }
            was_refused = is_refused;
            // Fails only if stdout is closed, which ends the conversation.
            if out.send(line(reason)).await.is_err() {
                return;
            }
        }
    })
}

fn line(reason: Option<String>) -> String {
    match reason {
        Some(reason) => answer::event("refused", answer::object(json!({"message": reason}))),
        None => answer::event("admitted", Fields::new()),
    }
}
