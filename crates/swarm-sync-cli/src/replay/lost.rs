//! A write that lost against another, in facts and in a sentence.

use serde::Serialize;
use serde_json::Value as Json;
use swarm_sync::{Key, Reason, Receipt, Value, WriteId};

use super::clock::commit_of;

/// A write that lost, and against what.
#[derive(Debug, Serialize)]
pub(super) struct Lost {
    key: Key,
    write: WriteId,
    /// Of which commit, counted from 1.
    commit: u64,
    /// What it wrote; null for a delete.
    value: Option<Json>,
    winner: Option<WriteId>,
    winner_commit: Option<u64>,
    /// What the winner wrote; null for a delete.
    winning_value: Option<Json>,
    sentence: String,
}

impl Lost {
    pub(super) fn new(receipt: &Receipt) -> Self {
        let lost = matches!(receipt.reason, Reason::Superseded { .. });
        let told = lost.then_some(receipt);
        Self {
            key: receipt.key.clone(),
            write: receipt.write.clone(),
            commit: commit_of(receipt.stamp),
            value: receipt.discarded.value().map(|value| value.to_json()),
            winner: told.and_then(Receipt::winner).cloned(),
            winner_commit: told.and_then(Receipt::winner_stamp).map(commit_of),
            winning_value: told.and_then(Receipt::winning_value).map(Value::to_json),
            sentence: receipt.to_string(),
        }
    }

    pub(super) fn has_winner(&self) -> bool {
        self.winner.is_some()
    }

    /// Who wrote it, and who the winner.
    pub(super) fn agents(&self) -> impl Iterator<Item = &str> {
        let writes = std::iter::once(&self.write).chain(&self.winner);
        writes.map(|write| write.writer.agent().as_str())
    }

    /// For people: the path, and who wrote what.
    pub(super) fn line(&self) -> String {
        let (Some(winner), Some(commit)) = (&self.winner, self.winner_commit) else {
            return self.sentence.clone();
        };
        let (ours, theirs) = (self.value.as_ref(), self.winning_value.as_ref());
        let same = ours.is_some() && ours.and_then(object) == theirs.and_then(object);
        format!(
            "{}: {} lost against {}",
            self.key,
            side(&self.write, self.commit, ours, same),
            side(winner, commit, theirs, same)
        )
    }
}

/// One side of a conflict. `mode`: its mode tells it from the other, as the objects are one.
fn side(write: &WriteId, commit: u64, value: Option<&Json>, mode: bool) -> String {
    let agent = write.writer.agent();
    let mode = value
        .filter(|_| mode)
        .and_then(|value| value["mode"].as_str());
    let mode = mode.map_or_else(String::new, |mode| format!(", mode {mode}"));
    format!("commit {commit} by {agent} ({}{mode})", brief(value))
}

/// What was written, in a word or two.
fn brief(value: Option<&Json>) -> String {
    const DIGITS: usize = 10;
    let Some(value) = value else {
        return "deleted".to_owned();
    };
    object(value)
        .unwrap_or_default()
        .chars()
        .take(DIGITS)
        .collect()
}

/// The blob, or the commit of a submodule.
fn object(value: &Json) -> Option<&str> {
    value["blob"].as_str().or_else(|| value["commit"].as_str())
}
