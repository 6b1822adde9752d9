//! Watching: a line per event until Ctrl-C, and the position to go on from.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use swarm_sync::{Change, ChangeKind, Client, Cursor, Revision, Since, Watch, WatchEvent};
use tokio::time::timeout;

use crate::cli::WatchArgs;
use crate::exit::{Code, Failure};
use crate::json::object_line;
use crate::output::{self, brief_text, or_dash};
use crate::position::since_text;
use crate::signals::Signals;

use super::{connect, link, name, unmerged_text, value_text};

/// How long there is nothing before it is looked whether the hub is there: longer than one takes to come
/// back that was only restarted.
const GLANCE: Duration = Duration::from_secs(1);

pub(super) async fn watch(args: WatchArgs) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    // A hub that is not there at the start is said at once; later it is waited for.
    let mut client = connect(&args.hub).await?;
    let status = client.status().await;
    client.close().await;
    let status = status?;
    let here = Cursor {
        epoch: status.epoch,
        revision: status.revision,
        head: status.revision,
    };
    // From a position of its own, so that a connection lost before the first answer loses nothing.
    let from = args.from.unwrap_or(Since::Cursor(here));
    let (link, name) = link(&args.hub.at, name()?)?;
    let link = Arc::new(link);
    let (swarm, pattern) = (args.hub.at.swarm.clone(), args.pattern.clone());
    let mut watch = Client::watch(link, swarm, name, pattern, Some(from));
    let (json, count) = (args.hub.json, args.count.map(NonZeroU64::get));
    let mut shown = false;
    let ended = tokio::select! {
        ended = follow(&mut watch, json, count, &mut shown) => ended.map(|()| "count"),
        () = signals.end() => Ok("interrupted"),
    };
    for event in &watch.rest_of_commit() {
        print(event, &watch, json)?;
    }
    // Whoever was shown nothing and is refused has nowhere to go on from.
    let position = watch.position().filter(|_| ended.is_ok() || shown);
    let Some(position) = position.map(since_text) else {
        return ended.map(drop);
    };
    let why = ended.as_ref().map_or("failed", |why| why);
    output::line(&if json {
        let fields = [
            ("event", json!("end")),
            ("why", json!(why)),
            ("cursor", json!(position)),
        ];
        object_line(&fields, Map::new())
    } else {
        format!("to go on: --from {position}")
    })?;
    ended.map(|_| ())
}

/// Prints events until there were `count` changes, and notes whether there was any event.
async fn follow(
    watch: &mut Watch,
    json: bool,
    count: Option<u64>,
    shown: &mut bool,
) -> Result<(), Failure> {
    let mut changes = 0;
    let mut told = false;
    while count.is_none_or(|count| changes < count) {
        // Giving up a wait loses nothing.
        let Ok(event) = timeout(GLANCE, watch.next()).await else {
            told = say_away(watch, told);
            continue;
        };
        let event = event?;
        told = false;
        changes += u64::from(matches!(event, WatchEvent::Change(_)));
        print(&event, watch, json)?;
        *shown = true;
    }
    Ok(())
}

/// Says that the hub is away, once each time; whether it is.
fn say_away(watch: &Watch, told: bool) -> bool {
    let away = watch.away();
    if let Some(error) = away.filter(|_| !told) {
        output::complain(&format!(
            "{error}; the watch goes on by itself once the hub answers"
        ));
    }
    away.is_some()
}

fn print(event: &WatchEvent, watch: &Watch, json: bool) -> Result<(), Failure> {
    output::line(&if json {
        json_line(event, watch)?
    } else {
        sentence(event)
    })?;
    Ok(())
}

/// With the position after it, as the one that is told at the end may not come to that.
fn json_line(event: &WatchEvent, watch: &Watch) -> Result<String, Failure> {
    let (name, fields) = match event {
        WatchEvent::Change(change) => {
            let fields = serde_json::to_value(change)
                .map_err(|e| Failure::new(Code::Failed, "json", e.to_string()))?;
            ("change", fields)
        }
        WatchEvent::Compacted { from, to } => ("compacted", json!({"from": from, "to": to})),
        WatchEvent::Reload { reason } => ("reload", json!({"reason": reason})),
        _ => ("unknown", json!({})),
    };
    let fields = match fields {
        Json::Object(fields) => fields,
        _ => Map::new(),
    };
    let cursor = json!(watch.position().map(since_text));
    Ok(object_line(
        &[("event", name.into()), ("cursor", cursor)],
        fields,
    ))
}

fn sentence(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Change(change) => changed(change),
        WatchEvent::Compacted { to, .. } => format!(
            "-- the hub has not kept every change up to revision {}; of each key only the last follows",
            to.get()
        ),
        WatchEvent::Reload { reason } => {
            format!("-- {}; everything follows anew", output::visible(reason))
        }
        _ => "-- something happened that this program does not know".to_owned(),
    }
}

fn changed(change: &Change) -> String {
    let state = &change.state;
    let revision = or_dash(state.revision.map(Revision::get));
    let key = brief_text(state.key.as_str());
    let what = match (change.kind, value_text(state)) {
        (ChangeKind::Changed, Some(value)) => format!("= {value}"),
        (ChangeKind::Expired, _) => "has expired".to_owned(),
        _ => "was deleted".to_owned(),
    };
    let by = state.agent.as_ref();
    let by = by.map_or_else(String::new, |agent| format!(" (by {agent})"));
    let kept = match state.siblings.len() {
        0 => String::new(),
        count => format!("; one of {count} concurrent values"),
    };
    let unmerged = unmerged_text(state).map_or_else(String::new, |why| format!("; {why}"));
    format!("{revision} {key} {what}{by}{kept}{unmerged}")
}
