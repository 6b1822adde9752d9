//! Changes as the hub commits them, and where to go on.

use serde_json::{Value as Json, json};

use crate::security::{Secured, ask};
use crate::support::{Hub, Place, Process, json_of, stderr, stdout, until};

fn watch(hub: &Hub, args: &[&str]) -> Process {
    let watch = ["watch", "--json", "--hub", &hub.address];
    Process::start(&[&watch[..], args].concat())
}

/// The events after which everything was told, up to the end.
fn end_of(process: &mut Process) -> (Vec<Json>, String) {
    assert!(process.end().success());
    let lines = process.rest();
    let mut events: Vec<Json> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}")))
        .collect();
    let end = events.pop().expect("an end");
    assert_eq!(end["event"], "end", "{end}");
    let cursor = end["cursor"].as_str().expect("a cursor").to_owned();
    (events, cursor)
}

fn keys(events: &[Json]) -> Vec<&str> {
    let changes = events.iter().filter(|e| e["event"] == "change");
    changes.map(|e| e["key"].as_str().expect("a key")).collect()
}

#[test]
#[cfg(unix)]
fn a_watch_prints_each_change_and_ends_with_where_to_go_on() {
    let place = Place::new();
    let hub = place.hub();
    hub.client(&["set", "task_0", "before"]);
    let mut watching = watch(&hub, &["task_*", "--from", "start"]);
    // The hub keeps changes for those who watch; before that it has the last of each key.
    assert_eq!(watching.json()["event"], "compacted");
    let first = watching.json();
    assert_eq!(
        (&first["event"], &first["key"]),
        (&json!("change"), &json!("task_0"))
    );
    assert_eq!(first["value"], "before");
    hub.client(&["set", "task_1", "1"]);
    hub.client(&["set", "other", "1"]);
    hub.client(&["delete", "task_0"]);
    let second = watching.json();
    assert_eq!(
        (&second["key"], &second["kind"]),
        (&json!("task_1"), &json!("changed"))
    );
    let third = watching.json();
    assert_eq!(
        (&third["key"], &third["kind"]),
        (&json!("task_0"), &json!("deleted"))
    );
    assert_eq!(
        (&third["value"], &third["revision"]),
        (&Json::Null, &json!(4))
    );
    watching.signal("INT");
    let (rest, cursor) = end_of(&mut watching);
    assert!(rest.is_empty(), "{rest:?}");

    hub.client(&["set", "task_2", "2"]);
    let mut watching = watch(&hub, &["task_*", "--from", &cursor, "--count", "1"]);
    let (events, _) = end_of(&mut watching);
    assert_eq!(
        keys(&events),
        ["task_2"],
        "nothing twice, nothing missed: {events:?}"
    );
}

#[test]
fn a_count_ends_it_and_what_it_prints_goes_on_from_there() {
    let place = Place::new();
    let hub = place.hub();
    for number in 0..7 {
        hub.client(&["set", &format!("k{number}"), "1"]);
    }
    let mut from = "start".to_owned();
    let mut met = Vec::new();
    for _ in 0..3 {
        let watched = hub.client(&["watch", "k*", "--from", &from, "--count", "2", "--json"]);
        assert!(watched.status.success(), "{}", stderr(&watched));
        let lines = stdout(&watched);
        let events: Vec<Json> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        met.extend(keys(&events).into_iter().map(str::to_owned));
        let end = events.last().expect("an end");
        assert_eq!(end["why"], "count");
        from = end["cursor"].as_str().expect("a cursor").to_owned();
    }
    assert_eq!(met, ["k0", "k1", "k2", "k3", "k4", "k5"]);
}

#[test]
fn a_commit_of_several_keys_is_not_cut() {
    let place = Place::new();
    let hub = place.hub();
    for key in ["a", "b", "c"] {
        hub.client(&["set", key, "1"]);
    }
    hub.client(&["clear", "--all"]);
    hub.client(&["set", "d", "1"]);
    let watched = hub.client(&["watch", "*", "--from", "start", "--count", "1"]);
    let text = stdout(&watched);
    for line in ["4 a was deleted", "4 b was deleted", "4 c was deleted"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains("d = 1"), "{text}");
    let position = text
        .lines()
        .last()
        .and_then(|l| l.strip_prefix("to go on: --from "));
    let position = position.unwrap_or_else(|| panic!("{text}"));
    let next = hub.client(&["watch", "*", "--from", position, "--count", "1"]);
    assert!(stdout(&next).contains("5 d = 1"), "{}", stdout(&next));
}

#[test]
fn a_watch_goes_on_after_a_restart_of_the_hub() {
    let place = Place::new();
    let mut hub = place.hub();
    hub.client(&["set", "k0", "1"]);
    let watching = watch(&hub, &["k*", "--from", "start"]);
    let mut met: Vec<Json> = vec![watching.json(), watching.json()];
    assert_eq!(keys(&met), ["k0"]);
    let address = hub.address.clone();
    for round in 1..=8 {
        if round % 4 == 0 {
            hub.process.kill();
            hub = Hub::start_at(&place.path("hub"), &address);
        }
        let key = format!("k{round}");
        assert!(hub.client(&["set", &key, "1"]).status.success());
        assert!(hub.client(&["set", "other", "1"]).status.success());
    }
    while met.last().is_none_or(|e| e["key"] != "k8") {
        met.push(watching.json());
    }
    let expected: Vec<String> = (0..=8).map(|n| format!("k{n}")).collect();
    assert!(keys(&met).iter().eq(expected.iter()), "{met:?}");
    assert!(met.iter().all(|e| e["event"] != "reload"), "{met:?}");
}

#[test]
fn a_watch_says_once_that_its_hub_is_away() {
    let place = Place::new();
    let hub = place.hub();
    let address = hub.address.clone();
    let mut watching = watch(&hub, &["k*", "--from", "start"]);
    hub.client(&["set", "k0", "1"]);
    until(|| watching.json()["key"].clone(), |key| key == "k0");
    hub.process.kill();
    watching.logged("the watch goes on by itself");
    let hub = Hub::start_at(&place.path("hub"), &address);
    hub.client(&["set", "k1", "1"]);
    until(|| watching.json()["key"].clone(), |key| key == "k1");
    watching.signal("TERM");
    assert!(watching.end().success());
    assert!(watching.logs().is_empty(), "said once");
}

#[test]
fn the_end_of_a_lifetime_is_told() {
    let place = Place::new();
    let file = place.path("p.toml");
    let text = "[[policy]]\npattern = \"short_*\"\nttl = \"200ms\"\n";
    std::fs::write(&file, text).expect("it is writable");
    let hub = Hub::start_with(&place.path("hub"), &["--policy", &file.to_string_lossy()]);
    hub.client(&["set", "first", "1"]);
    let watching = watch(&hub, &["*", "--from", "start"]);
    watching.json();
    assert_eq!(watching.json()["key"], "first");
    hub.client(&["set", "short_1", "1"]);
    assert_eq!(watching.json()["kind"], "changed");
    let expired = watching.json();
    assert_eq!(
        (&expired["kind"], &expired["key"]),
        (&json!("expired"), &json!("short_1"))
    );
    assert_eq!(hub.client(&["get", "short_1"]).status.code(), Some(1));
    // Also to those who ask later.
    let late = watch(&hub, &["short_*", "--from", "start"]);
    let later = [late.json(), late.json()];
    assert_eq!(later[1]["kind"], "expired", "{later:?}");
    let delta = stdout(&hub.client(&["delta", "--since", "0"]));
    assert!(delta.contains("(expired)"), "{delta}");
    let delta = json_of(&hub.client(&["delta", "--since", "0", "--json"]));
    assert_eq!(delta["changes"][1]["metadata"]["expired"], true, "{delta}");
}

#[test]
#[cfg(unix)]
fn people_read_sentences() {
    let place = Place::new();
    let hub = place.hub();
    hub.client(&["set", "k\u{1b}[31m", "v\u{1b}[2J"]);
    let address = ["--hub", &hub.address];
    let from = ["watch", "*", "--from", "99"];
    let mut watching = Process::start(&[&from[..], &address].concat());
    let reload = watching.line();
    assert!(reload.contains("ahead of the hub"), "{reload}");
    assert!(reload.ends_with("everything follows anew"), "{reload}");
    let compacted = watching.line();
    assert!(compacted.contains("only the last follows"), "{compacted}");
    let change = watching.line();
    assert!(
        change.starts_with("1 k\\u{1b}[31m = v\\u{1b}[2J (by cli)"),
        "{change}"
    );
    hub.client(&["delete", "k\u{1b}[31m"]);
    assert!(watching.line().starts_with("2 k\\u{1b}[31m was deleted"));
    watching.signal("TERM");
    assert!(watching.end().success());
    let rest = watching.rest();
    assert!(rest[0].starts_with("to go on: --from "), "{rest:?}");
}

#[test]
fn a_position_of_another_hub_starts_anew() {
    let place = Place::new();
    let hub = place.hub();
    hub.client(&["set", "k", "here"]);
    for from in ["00000000000000ff:1", "99", "00000000000000ff:7:9"] {
        let mut watching = watch(&hub, &["*", "--from", from, "--count", "1"]);
        let (events, cursor) = end_of(&mut watching);
        assert_eq!(events[0]["event"], "reload", "{from}: {events:?}");
        assert!(
            events[0]["reason"]
                .as_str()
                .is_some_and(|r| r.contains("hub")),
            "{events:?}"
        );
        assert_eq!(keys(&events), ["k"]);
        assert!(cursor.ends_with(":1"), "{cursor}");
    }
}

#[test]
fn a_watch_that_is_refused_says_so() {
    let place = Place::new();
    let hub = Hub::start_with(&place.path("hub"), &["--swarm", "red"]);
    let refused = hub.client(&["watch", "*", "--json"]);
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(json_of(&refused)["error"]["kind"], "refused");
    let refused = hub.client(&["watch", "*", "--from", "a:b"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("EPOCH:REVISION"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_watch_without_the_right_is_one_sentence_and_says_nothing_of_going_on() {
    let secured = Secured::new();
    let text = "[[right]]\nagent = \"narrow\"\nkeys = \"task_*\"\nallow = [\"read\"]\n";
    let rights = secured.private("rights.toml", text);
    let narrow = secured.agent("narrow");
    let hub = secured.serve(&["--rights", &rights]);
    let refused = ask(&hub, &["watch", "secret_*"], &narrow);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(stdout(&refused), "");
    let told = stderr(&refused);
    assert!(told.contains("no right to read"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    let refused = ask(&hub, &["watch", "secret_*", "--json"], &narrow);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(stdout(&refused).lines().count(), 1, "{refused:?}");
    let failed = json_of(&refused);
    assert_eq!(
        (&failed["event"], &failed["error"]["kind"]),
        (&json!("failed"), &json!("forbidden"))
    );
}
