//! Directories that a disk has damaged: nobody starts from them, and both kinds of nodes come back.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::support::damage::{content, flip, flip_at, places};
use crate::support::{Agent, Hub, Place, Process, agent_args, json_of, run, stderr, stdout};

/// Both engines keep the same promises.
const ENGINES: [&str; 2] = ["sled", "redb"];

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn doctor(directory: &Path) -> Json {
    let output = run(&["doctor", &text(directory), "--json"]);
    let report = json_of(&output);
    let healthy = report["ok"] == true;
    assert_eq!(output.status.code(), Some(if healthy { 0 } else { 4 }));
    assert_eq!(report["store"]["healthy"], healthy, "{report}");
    report
}

/// The one directory that was moved out of the way of `directory`.
fn moved_aside(directory: &Path) -> PathBuf {
    let begin = format!(
        "{}.damaged-2",
        directory.file_name().expect("a name").display()
    );
    let siblings = std::fs::read_dir(directory.parent().expect("a parent")).expect("it is there");
    let siblings = siblings.map(|entry| entry.expect("readable").path());
    let mut moved = siblings.filter(|path| {
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(!name.ends_with(".recovering"), "{name} was left");
        assert!(!name.ends_with(".recovered"), "{name} was left");
        name.starts_with(&begin)
    });
    let found = moved.next().expect("it was moved aside");
    assert_eq!(moved.next(), None);
    found
}

/// Files by their names alone.
fn plain(directory: &Path) -> Vec<(String, Vec<u8>)> {
    without_place(directory, content(directory))
}

/// The same without the place and the times.
fn without_place(directory: &Path, files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let named = files.into_iter().map(|(name, bytes)| {
        let name = name.replace(&text(directory), "");
        let name = name.split(' ').next().unwrap_or_default();
        (name.to_owned(), bytes)
    });
    named.collect()
}

/// Flips one bit, at the last place of `text` that a node needs.
fn flip_one(directory: &Path, text: &str) {
    for place in places(directory, text).into_iter().rev() {
        flip_at(directory, place);
        if doctor(directory)["ok"] == false {
            return;
        }
        // A version that nobody reads any more.
        flip_at(directory, place);
    }
    panic!("no place of {text} is needed");
}

/// Ends it in an orderly way: redb does not let anybody read of a damaged file that was not closed.
fn stop(mut process: Process) {
    process.stdin = None;
    process.signal("TERM");
    assert!(process.end().success());
}

fn refused(args: &[&str], command: &str) {
    let output = run(args);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let told = stderr(&output);
    for words in ["is damaged", "swarm-sync doctor", command] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

fn a_hub_comes_back(engine: &str) {
    let place = Place::new();
    let data = place.path("hub");
    let hub = Hub::start_with(&data, &["--store", engine]);
    let [mut a, mut b] = ["a", "b"].map(|name| place.agent(&hub, name));
    for n in 0..30 {
        a.set(&format!("a{n}"), &json!(format!("value-{n}-of-a")));
        b.ok(json!({"op": "add", "key": "sum", "amount": n}));
    }
    b.set("b", &json!("written-at-b"));
    assert!(hub.client(&["set", "one", "by-command"]).status.success());
    let claimed = json_of(&hub.client(&["claim", "task", "--json"]));
    assert!(claimed["token"].is_string(), "{claimed}");
    for agent in [&mut a, &mut b] {
        agent.flush();
        agent.reads("one", &json!("by-command"));
        agent.reads("sum", &json!(435));
    }
    let address = hub.address.clone();
    hub.process.kill();
    a.set("late", &json!("while it was away"));
    flip(&data, "value-7-of-a");

    let before = content(&data);
    let report = doctor(&data);
    assert_eq!(report["ok"], false, "{report}");
    assert_eq!(content(&data), before, "it was only looked at");
    let listen = ["serve", "--listen", "127.0.0.1:0", "--data", &text(&data)];
    refused(&listen, "swarm-sync serve --recover");
    let before = without_place(&data, before);
    assert_eq!(
        plain(&data),
        before,
        "a node that is refused changes nothing"
    );

    let hub = Hub::start_as(&data, &address, &["--recover"]);
    assert!(hub.process.logged("was damaged").contains("claims"));
    assert!(plain(&moved_aside(&data)) == before, "as it was");
    for agent in [&mut a, &mut b] {
        agent.flush();
        agent.in_step();
    }
    for n in 0..30 {
        let read = hub.client(&["get", &format!("a{n}")]);
        assert_eq!(stdout(&read), format!("value-{n}-of-a\n"));
    }
    for (key, value) in [
        ("b", "written-at-b"),
        ("one", "by-command"),
        ("sum", "435"),
        ("late", "while it was away"),
    ] {
        assert_eq!(stdout(&hub.client(&["get", key])), format!("{value}\n"));
    }
    b.reads("late", &json!("while it was away"));
    assert_eq!(a.digest(), b.digest());
    let paused = json_of(&hub.client(&["claim", "another", "--json"]));
    assert_eq!(paused["error"]["kind"], "claims-paused", "{paused}");
    let status = json_of(&hub.client(&["status", "--json"]));
    assert_eq!(status["id_alarms"], 0, "{status}");

    // From here on it is like any other, and still grants nothing.
    hub.process.kill();
    assert_eq!(doctor(&data)["store"]["engine"], engine);
    let hub = Hub::start_as(&data, &address, &["--recover"]);
    let paused = json_of(&hub.client(&["claim", "another", "--json"]));
    assert_eq!(paused["error"]["kind"], "claims-paused", "{paused}");
    moved_aside(&data);
}

#[test]
fn a_damaged_hub_of_sled_comes_back_with_all_that_agents_hold() {
    a_hub_comes_back("sled");
}

#[test]
fn a_damaged_hub_of_redb_comes_back_with_all_that_agents_hold() {
    a_hub_comes_back("redb");
}

fn a_hub_takes_along_what_it_alone_had(engine: &str) {
    let place = Place::new();
    let data = place.path("hub");
    let hub = Hub::start_with(&data, &["--store", engine]);
    for n in 0..10 {
        let (key, value) = (format!("k{n}"), format!("value-{n}"));
        assert!(hub.client(&["set", &key, &value]).status.success());
    }
    let stored = ["memory", "store", "n", "remember", "--namespace", "notes"];
    let stored = hub.client(&stored);
    assert!(stored.status.success(), "{}", stderr(&stored));
    let cas = hub.client(&["cas", "owner", "me", "--expected", "0"]);
    assert!(cas.status.success(), "{}", stderr(&cas));
    stop(hub.process);
    // What was started again has a snapshot that says nothing of what is older.
    stop(Hub::start_with(&data, &[]).process);
    flip_one(&data, "value-3");
    let report = doctor(&data);
    assert_eq!(report["ok"], false, "{report}");
    let listen = ["serve", "--listen", "127.0.0.1:0", "--data", &text(&data)];
    refused(&listen, "swarm-sync serve --recover");
    let hub = Hub::start_with(&data, &["--recover"]);
    for n in (0..10).filter(|n| *n != 3) {
        let read = hub.client(&["get", &format!("k{n}")]);
        assert_eq!(stdout(&read), format!("value-{n}\n"));
    }
    // If it was the value itself, no agent had it, and it is not made up.
    let read = hub.client(&["get", "k3"]);
    match read.status.code() {
        Some(0) => assert_eq!(stdout(&read), "value-3\n"),
        other => assert_eq!(other, Some(1)),
    }
    let read = hub.client(&["memory", "get", "n", "--namespace", "notes"]);
    assert_eq!(stdout(&read), "remember\n");
    let again = json_of(&hub.client(&["cas", "owner", "you", "--expected", "0", "--json"]));
    assert_eq!(again["error"]["kind"], "conflict", "{again}");
}

#[test]
fn what_a_hub_of_sled_alone_had_and_can_be_read_is_taken_along() {
    a_hub_takes_along_what_it_alone_had("sled");
}

#[test]
fn what_a_hub_of_redb_alone_had_and_can_be_read_is_taken_along() {
    a_hub_takes_along_what_it_alone_had("redb");
}

fn an_agent_comes_back(engine: &str) {
    let place = Place::new();
    let hub = place.hub();
    let data = place.path("a");
    let mut a = Agent::start_with(&hub.address, "a", &data, &["--store", engine]);
    let mut b = place.agent(&hub, "b");
    for n in 0..20 {
        a.set(&format!("a{n}"), &json!(format!("value-{n}-of-a")));
    }
    a.flush();
    b.set("b", &json!("written-at-b"));
    b.flush();
    a.reads("b", &json!("written-at-b"));
    let run_before = a.ready["incarnation"].clone();
    a.ok(json!({"op": "offline"}));
    a.set("late", &json!("no hub has heard of it"));
    stop(a.process);
    // Nobody is there to hear of it.
    let nobody = ["--store", engine, "--offline"];
    let a = Agent::start_with(&hub.address, "a", &data, &nobody);
    stop(a.process);
    flip_one(&data, "value-7-of-a");

    let report = doctor(&data);
    assert_eq!(report["ok"], false, "{report}");
    let path = text(&data);
    refused(
        &agent_args(&hub.address, "a", &path),
        "swarm-sync agent --recover",
    );

    let mut a = Agent::start_with(&hub.address, "a", &data, &["--recover"]);
    assert_ne!(a.ready["incarnation"], run_before);
    let moved = moved_aside(&data);
    a.in_step();
    for n in 0..20 {
        a.reads(&format!("a{n}"), &json!(format!("value-{n}-of-a")));
    }
    a.reads("b", &json!("written-at-b"));
    a.set("new", &json!("of the new run"));
    a.flush();
    b.reads("new", &json!("of the new run"));
    // A flipped bit is one row, and this was another.
    b.reads("late", &json!("no hub has heard of it"));
    assert_eq!(a.digest(), b.digest());
    let status = json_of(&hub.client(&["status", "--json"]));
    assert_eq!(status["id_alarms"], 0, "{status}");
    assert!(moved.join("format").exists(), "it is kept");
}

#[test]
fn a_damaged_agent_of_sled_comes_back_from_its_hub_with_what_waited() {
    an_agent_comes_back("sled");
}

#[test]
fn a_damaged_agent_of_redb_comes_back_from_its_hub_with_what_waited() {
    an_agent_comes_back("redb");
}

#[test]
fn a_recovery_that_was_interrupted_is_brought_to_an_end() {
    let place = Place::new();
    let data = place.path("hub");
    let hub = place.hub();
    assert!(hub.client(&["set", "k", "kept"]).status.success());
    hub.process.kill();
    // As a crash leaves it after the damaged directory was moved.
    let built = place.path("hub.recovered");
    std::fs::rename(&data, &built).expect("renamed");
    let args = ["serve", "--listen", "127.0.0.1:0", "--data", &text(&data)];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(4));
    let told = stderr(&output);
    assert!(
        told.contains("was interrupted") && told.contains("serve --recover"),
        "{told}"
    );
    assert!(!data.exists(), "nothing was begun in its place");
    let hub = Hub::start_with(&data, &["--recover"]);
    assert_eq!(stdout(&hub.client(&["get", "k"])), "kept\n");
    assert!(!built.exists());
}

#[test]
fn what_a_recovery_that_was_killed_has_left_is_removed_by_the_next() {
    let place = Place::new();
    let data = place.path("hub");
    let hub = place.hub();
    assert!(hub.client(&["set", "k", "value-of-k"]).status.success());
    hub.process.kill();
    flip(&data, "value-of-k");
    let left = place.path("hub.recovering").join("copy");
    std::fs::create_dir_all(&left).expect("made");
    std::fs::write(left.join("db"), "half a copy").expect("written");
    let hub = Hub::start_with(&data, &["--recover"]);
    assert!(hub.client(&["set", "k", "new"]).status.success());
    moved_aside(&data);
}

#[test]
fn nothing_is_recovered_that_is_not_damaged_or_not_its_own() {
    let place = Place::new();
    let hub = place.hub();
    let redb = ["--store", "redb"];
    let mut a = Agent::start_with(&hub.address, "a", &place.path("a"), &redb);
    a.set("k", &json!("value-of-a"));
    a.flush();
    let (hub_data, a_data) = (place.path("hub"), place.path("a"));
    let in_use = run(&["doctor", &text(&hub_data)]);
    assert_eq!(in_use.status.code(), Some(4));
    assert!(
        stdout(&in_use).contains("a node runs on"),
        "{}",
        stdout(&in_use)
    );
    hub.process.kill();
    stop(a.process);
    let hub = Hub::start_with(&hub_data, &["--recover"]);
    assert_eq!(stdout(&hub.client(&["get", "k"])), "value-of-a\n");
    hub.process.kill();
    for engine in ENGINES {
        // A name with nothing behind it is a new node's.
        let fresh = Hub::start_with(&place.path(engine), &["--recover", "--store", engine]);
        assert!(fresh.client(&["set", "k", "1"]).status.success());
    }
    flip(&a_data, "value-of-a");
    let args = [
        "serve",
        "--recover",
        "--listen",
        "127.0.0.1:0",
        "--data",
        &text(&a_data),
    ];
    let before = content(&a_data);
    let output = run(&args);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("the agent a"),
        "{}",
        stderr(&output)
    );
    assert_eq!(content(&a_data), before, "it is as it was");
    let doctor = run(&["doctor", &text(&a_data)]);
    assert_eq!(doctor.status.code(), Some(4));
    let told = stdout(&doctor);
    for words in [
        "that of the agent a",
        "is damaged",
        "swarm-sync agent --recover",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
