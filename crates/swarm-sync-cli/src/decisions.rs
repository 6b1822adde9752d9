//! Compare-and-set as commands and agents ask for it, and what it has come to.

use serde_json::{Value as Json, json};
use swarm_sync::{CommitOutcome, Key, Token, Transaction, Value, Version};

/// One key, set or deleted if it is at a version, or only as long as a claim lasts.
pub(crate) fn transaction(
    key: &Key,
    value: Option<Value>,
    expected: Option<Version>,
    claim: Option<(Key, Token)>,
) -> Transaction {
    let mut transaction = Transaction::new();
    if let Some(version) = expected {
        transaction = transaction.expect(key.clone(), version);
    }
    if let Some((claimed, token)) = claim {
        transaction = transaction.expect_claim(claimed, token);
    }
    match value {
        Some(value) => transaction.set(key.clone(), value),
        None => transaction.delete(key.clone()),
    }
}

/// The version that it has now; none if it was deleted.
pub(crate) fn version(outcome: &CommitOutcome) -> Option<Version> {
    outcome.versions.0.first().and_then(|(_, version)| *version)
}

pub(crate) fn to_json(key: &Key, outcome: &CommitOutcome) -> Json {
    json!({
        "key": key,
        "version": version(outcome),
        "revision": outcome.revision,
        "epoch": outcome.epoch,
    })
}
