//! Compare-and-set as commands and agents ask for it, and what it has come to.

use serde_json::{Map, Value as Json, json};
use swarm_sync::{CommitOutcome, Expected, Key, Seen, Token, Transaction, Value, Version};

use crate::position::hand_back;

/// One key, set or deleted if it is at a version, or only as long as a claim lasts.
pub(crate) fn transaction(
    key: &Key,
    value: Option<Value>,
    expected: Option<Expected>,
    claim: Option<(Key, Token)>,
) -> Transaction {
    let mut transaction = Transaction::new();
    if let Some(expected) = expected {
        transaction = transaction.expect(key.clone(), expected);
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
    let (epoch, revision) = (outcome.epoch, outcome.revision);
    let now = version(outcome);
    let mut object = Map::from_iter([
        ("key".to_owned(), json!(key)),
        ("version".to_owned(), json!(now)),
        ("revision".to_owned(), json!(revision)),
        ("epoch".to_owned(), json!(epoch)),
    ]);
    let next = Expected::read_at(now.unwrap_or_default(), Seen { epoch, revision });
    hand_back(&mut object, next);
    Json::Object(object)
}
