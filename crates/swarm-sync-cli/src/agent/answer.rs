//! Answers and events, one JSON object each.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use swarm_sync::{
    Fate, Receipt, ReplicaStatus, RequestError, Sibling, Stamp, StateVersion, WatchEvent, WriteId,
};

use crate::exit::Failure;
use crate::json::object_line;

use super::request::Refused;

/// The fields of an answer, apart from `id` and `ok`.
pub(super) type Fields = Map<String, Json>;

/// The line that answers request `id`.
pub(super) fn line(id: &Json, result: Result<Fields, Refused>) -> String {
    let head = [("id", id.clone()), ("ok", result.is_ok().into())];
    let fields = result.unwrap_or_else(|refused| {
        let mut error = json!({"kind": refused.kind, "message": refused.message});
        if let Some(current) = refused.current {
            error["current"] = current;
        }
        object(json!({"error": error}))
    });
    object_line(&head, fields)
}

/// The answer to `quit`, the last line.
pub(super) fn quit(id: &Json, failure: Option<&Failure>) -> String {
    let result = match failure {
        None => Ok(Fields::new()),
        Some(failure) => Err(Refused {
            kind: failure.kind(),
            message: failure.message().to_owned(),
            current: None,
        }),
    };
    line(id, result)
}

/// The fields of a report as they are.
pub(super) fn fields(report: &impl Serialize) -> Result<Fields, Refused> {
    match serde_json::to_value(report) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(other) => Err(unserialized(&other.to_string())),
        Err(error) => Err(unserialized(&error.to_string())),
    }
}

fn unserialized(what: &str) -> Refused {
    RequestError::Invalid {
        reason: format!("the answer is not a JSON object: {what}"),
    }
    .into()
}

/// One object from `json!`.
pub(super) fn object(json: Json) -> Fields {
    match json {
        Json::Object(fields) => fields,
        other => Map::from_iter([("result".to_owned(), other)]),
    }
}

/// A key that holds no value in a replica.
pub(super) fn no_state(key: &str, provisional: bool, replica: &ReplicaStatus) -> Fields {
    object(json!({
        "found": false,
        "key": key,
        "value": null,
        "version": null,
        "revision": null,
        "provisional": provisional,
        "age_ms": replica.age_ms,
        "connected": replica.connected,
        "behind": replica.behind,
    }))
}

/// A key as it was read.
pub(super) fn state(state: &StateVersion) -> Fields {
    let mut fields = change(state);
    fields.insert("found".to_owned(), true.into());
    let metadata = &state.metadata;
    fields.insert("provisional".to_owned(), metadata.provisional.into());
    fields.insert("age_ms".to_owned(), metadata.age_ms.into());
    fields.insert("connected".to_owned(), metadata.connected.into());
    fields.insert("behind".to_owned(), metadata.behind.into());
    if let Some(why) = &metadata.unmerged {
        fields.insert("unmerged".to_owned(), why.as_str().into());
    }
    fields
}

/// A key in a delta. Whether it has expired is said of one that is deleted.
pub(super) fn change(state: &StateVersion) -> Fields {
    let metadata = &state.metadata;
    let omitted = metadata.omitted_bytes;
    let mut fields = object(json!({
        "key": state.key,
        "value": state.value,
        "deleted": state.value.is_none() && omitted.is_none(),
        "omitted_bytes": omitted,
        "version": state.version,
        "revision": state.revision,
        "agent": state.agent,
        "rule": metadata.rule,
        "siblings": siblings(&state.siblings),
        "undecided": metadata.undecided,
        "merged_from": metadata.merged_from,
        "timestamp_ms": state.timestamp.map(Stamp::millis),
        "metadata": metadata.user.as_ref().map(|user| user.0.to_json()),
    }));
    if metadata.expired {
        fields.insert("expired".to_owned(), true.into());
    }
    fields
}

/// The concurrent values of a key that keeps them.
fn siblings(siblings: &[Sibling]) -> Vec<Json> {
    let object = |sibling: &Sibling| {
        json!({
            "value": sibling.value,
            "write": sibling.write,
            "timestamp_ms": sibling.timestamp.millis(),
        })
    };
    siblings.iter().map(object).collect()
}

/// What a watch has come upon; `position` is where another can go on after it.
pub(super) fn watch_event(watch: u64, position: Option<String>, met: &WatchEvent) -> String {
    let (name, mut fields) = match met {
        WatchEvent::Change(met) => {
            let mut fields = change(&met.state);
            fields.insert("kind".to_owned(), json!(met.kind));
            ("change", fields)
        }
        WatchEvent::Compacted { from, to } => {
            ("compacted", object(json!({"from": from, "to": to})))
        }
        WatchEvent::Reload { reason } => ("reload", object(json!({"reason": reason}))),
        _ => ("unknown", Fields::new()),
    };
    fields.insert("watch".to_owned(), watch.into());
    fields.insert("cursor".to_owned(), position.into());
    event(name, fields)
}

/// A watch has ended by itself; `position` is where another can go on.
pub(super) fn watch_end(watch: u64, position: Option<&str>, error: RequestError) -> String {
    let error = Refused::from(error);
    let error = json!({"kind": error.kind, "message": error.message});
    let fields = object(json!({"watch": watch, "cursor": position, "error": error}));
    event("watch-end", fields)
}

/// A receipt, with a sentence.
pub(super) fn receipt(receipt: &Receipt) -> Result<Fields, Refused> {
    let mut fields = fields(receipt)?;
    fields.insert("message".to_owned(), receipt.to_string().into());
    Ok(fields)
}

/// Where a write is.
pub(super) fn fate(write: &WriteId, fate: Fate) -> Result<Fields, Refused> {
    let (name, mut fields) = match fate {
        Fate::Local { durability } => ("local", object(json!({ "durability": durability }))),
        Fate::AtHub { revision, .. } => ("at-hub", object(json!({ "revision": revision }))),
        Fate::OnReplicas { replicas, revision } => (
            "on-replicas",
            object(json!({"replicas": replicas, "revision": revision})),
        ),
        Fate::Superseded(told) => ("superseded", told_by(&told)?),
        Fate::Merged(told) => ("merged", told_by(&told)?),
        Fate::Refused(told) => ("refused", told_by(&told)?),
        Fate::Overwritten => ("overwritten", Fields::new()),
        _ => ("unknown", Fields::new()),
    };
    fields.insert("fate".to_owned(), name.into());
    fields.insert("write".to_owned(), json!(write));
    Ok(fields)
}

fn told_by(told: &Receipt) -> Result<Fields, Refused> {
    let told = receipt(told)?;
    Ok(object(json!({ "receipt": told })))
}

/// A line that nobody asked for.
pub(super) fn event(name: &str, fields: Fields) -> String {
    object_line(&[("event", name.into())], fields)
}

/// The agent stopped by itself.
pub(super) fn stopped(reason: &str) -> String {
    let error = json!({"error": {"kind": "stopped", "message": reason}});
    event("stopped", object(error))
}

/// A receipt that has arrived.
pub(super) fn receipt_event(arrived: &Receipt) -> String {
    // The sentence at least.
    let sentence = |_| object(json!({"message": arrived.to_string()}));
    event("receipt", receipt(arrived).unwrap_or_else(sentence))
}
