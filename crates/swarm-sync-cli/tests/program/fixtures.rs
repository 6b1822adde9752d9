//! Directories and a backup as earlier programs wrote them: this one opens them and finds what is in them.
//!
//! They are under `tests/fixtures`, by the number of the format. Those of the present format are made by
//! `SWARM_SYNC_FIXTURES=DIR cargo test -p swarm-sync-cli --test program fixtures`, which leaves in DIR what
//! it has made; without the variable the same is made and looked at in a place that is removed. A new
//! format gets a directory of its own, and the old ones stay.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Agent, Hub, NO_HUB, Place, json_of, run, stderr, stdout};

const ENGINES: [&str; 2] = ["sled", "redb"];

/// Where those are that are checked in.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn done(hub: &Hub, args: &[&str]) {
    let output = hub.client(args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
}

/// A hub and an agent that were stopped: `hub-ENGINE`, `agent-ENGINE`, and a backup of the hub.
fn make(into: &Path, engine: &str) {
    let hub_data = into.join(format!("hub-{engine}"));
    let agent_data = into.join(format!("agent-{engine}"));
    let more = ["--store", engine];
    let hub = Hub::start_with(&hub_data, &more);
    let mut agent = Agent::start_with(&hub.address, "a", &agent_data, &more);
    agent.set("text", &json!("hello"));
    agent.set("list", &json!([1, 2.5, null, {"deep": true}]));
    agent.set("gone", &json!("for a while"));
    agent.ok(json!({"op": "delete", "key": "gone"}));
    agent.ok(json!({"op": "add", "key": "sum", "amount": 40}));
    agent.ok(json!({"op": "insert", "key": "set", "element": "x"}));
    agent.ok(json!({"op": "put", "key": "map", "field": "f", "value": 1}));
    agent.set("large", &json!("0123456789".repeat(1_000)));
    agent.flush();
    done(&hub, &["add", "sum", "2"]);
    done(&hub, &["cas", "owner", "me", "--expected", "0"]);
    done(&hub, &["claim", "task"]);
    done(&hub, &["memory", "store", "note", "remember"]);
    agent.reads("owner", &json!("me"));
    agent.reads("sum", &json!(42));
    agent.ok(json!({"op": "offline"}));
    agent.set("late", &json!("waits"));
    for mut process in [agent.process, hub.process] {
        process.stdin = None;
        process.signal("TERM");
        assert!(process.end().success());
    }
    if engine == "sled" {
        let file = into.join("hub.backup");
        let output = run(&["backup", "--data", &text(&hub_data), &text(&file)]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
}

/// A copy that may be opened.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("readable");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// Everything below a directory: files with what is in them, directories without.
fn content(of: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(of).expect("it is there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(content(&path));
            found.insert(path, None);
        } else {
            let bytes = std::fs::read(&path).expect("readable");
            found.insert(path, Some(bytes));
        }
    }
    found
}

fn holds_it(hub: &Hub) {
    for (key, value) in [
        ("text", "\"hello\""),
        ("list", "[1,2.5,null,{\"deep\":true}]"),
        ("sum", "42"),
        ("set", "[\"x\"]"),
        ("map", "{\"f\":1}"),
        ("owner", "\"me\""),
    ] {
        let read = json_of(&hub.client(&["get", key, "--json"]));
        assert_eq!(read["value"].to_string(), value, "{read}");
    }
    let large = json_of(&hub.client(&["get", "large", "--json"]));
    assert_eq!(large["value"], "0123456789".repeat(1_000));
    assert_eq!(hub.client(&["get", "gone"]).status.code(), Some(1));
    let note = hub.client(&["memory", "get", "note"]);
    assert_eq!(stdout(&note), "remember\n");
}

/// Both nodes of `engine` in `from` are opened and go on together.
fn opens(from: &Path, engine: &str) {
    let place = Place::new();
    let names = ["hub", "agent"].map(|node| format!("{node}-{engine}"));
    let [hub_data, agent_data] = names.map(|name| {
        copy(&from.join(&name), &place.path(&name));
        place.path(&name)
    });
    for (data, owner) in [(&hub_data, "a hub"), (&agent_data, "the agent a")] {
        let report = json_of(&run(&["doctor", "--json", &text(data)]));
        assert_eq!(report["ok"], true, "{report}");
        assert_eq!(report["store"]["owner"], owner, "{report}");
        assert_eq!(report["store"]["engine"], engine, "{report}");
    }
    let hub = Hub::start(&hub_data);
    holds_it(&hub);
    let mut agent = Agent::start(NO_HUB, "a", &agent_data);
    assert_eq!(agent.ready["pending_writes"], 1, "{}", agent.ready);
    for (key, value) in [
        ("text", json!("hello")),
        ("sum", json!(42)),
        ("late", json!("waits")),
    ] {
        assert_eq!(agent.value(key), value);
    }
    agent.process.kill();
    let mut agent = Agent::start(&hub.address, "a", &agent_data);
    agent.flush();
    agent.in_step();
    assert_eq!(stdout(&hub.client(&["get", "late"])), "waits\n");
    let status = json_of(&hub.client(&["status", "--json"]));
    assert_eq!(status["id_alarms"], 0, "{status}");
}

fn restores(from: &Path) {
    let place = Place::new();
    let data = place.path("hub");
    let file = text(&from.join("hub.backup"));
    let output = run(&["restore", &file, "--data", &text(&data)]);
    assert!(output.status.success(), "{}", stderr(&output));
    holds_it(&Hub::start(&data));
}

#[test]
fn directories_of_sled_of_format_1_are_opened() {
    opens(&kept(), "sled");
}

#[test]
fn directories_of_redb_of_format_1_are_opened() {
    opens(&kept(), "redb");
}

#[test]
fn a_backup_of_format_1_is_restored() {
    restores(&kept());
}

#[cfg(unix)]
#[test]
fn what_is_made_now_is_what_is_opened_then() {
    let place = Place::new();
    let wanted = std::env::var_os("SWARM_SYNC_FIXTURES");
    let into = wanted.map_or_else(|| place.path("made"), PathBuf::from);
    for engine in ENGINES {
        make(&into, engine);
        opens(&into, engine);
    }
    restores(&into);
    // Nobody has them open.
    for entry in std::fs::read_dir(&into).expect("it is there") {
        let _ = std::fs::remove_file(entry.expect("readable").path().join("lock"));
    }
}

/// Bad input, row 22.
#[test]
fn a_directory_of_a_newer_format_is_refused_and_stays_as_it_is() {
    for (node, engine) in [
        ("hub", "sled"),
        ("hub", "redb"),
        ("agent", "sled"),
        ("agent", "redb"),
    ] {
        let place = Place::new();
        let data = place.path("newer");
        copy(&kept().join(format!("{node}-{engine}")), &data);
        let file = data.join("format");
        let format = std::fs::read_to_string(&file).expect("it is there");
        let newer = format.replace("format 1", "format 2");
        assert_ne!(newer, format);
        std::fs::write(&file, &newer).expect("written");
        // As in every directory that a program has had open; only those checked in are without it.
        std::fs::write(data.join("lock"), "").expect("written");
        // What lies beside it, too: nothing is put aside.
        let around = data.parent().expect("it has one");
        let before = content(around);
        assert!(before.len() > 3, "{:?}", before.keys());
        let data = text(&data);
        let start: &[&str] = match node {
            "hub" => &["serve", "--listen", "127.0.0.1:0"],
            _ => &["agent", "--id", "a", "--hub", NO_HUB],
        };
        for args in [start, &["doctor"][..], &["backup", "x"]] {
            let of = if args[0] == "doctor" {
                vec![data.as_str()]
            } else {
                vec!["--data", &data]
            };
            let output = run(&[args, &of].concat());
            assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
            let told = stdout(&output) + &stderr(&output);
            let words = "has storage format 2, this program reads 1; use a newer program";
            assert!(told.contains(words), "{args:?}: {told}");
            assert!(content(around) == before, "{node}, {engine}: {args:?}");
        }
        let output = run(&[start, &["--recover", "--data", &data]].concat());
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        assert!(content(around) == before, "{node}, {engine}: --recover");
    }
}
