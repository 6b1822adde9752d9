//! Commands that ask the hub and leave.

use serde_json::{Value as Json, json};

use crate::support::{Place, json_of, run, stderr, stdout, until};

#[test]
fn values_are_json_or_else_text() {
    let place = Place::new();
    let hub = place.hub();
    let cases = [
        ("hello", json!("hello"), "hello"),
        ("-3", json!(-3), "-3"),
        ("-x", json!("-x"), "-x"),
        ("two words", json!("two words"), "two words"),
        ("{\"a\":[1,2.5]}", json!({"a": [1, 2.5]}), "{\"a\":[1,2.5]}"),
        ("\"42\"", json!("42"), "42"),
        ("null", Json::Null, "null"),
        (
            "9007199254740993",
            json!(9_007_199_254_740_993_i64),
            "9007199254740993",
        ),
    ];
    for (number, (typed, value, printed)) in (1_u64..).zip(cases) {
        let set = hub.client(&["set", "k", typed]);
        assert!(set.status.success(), "{typed}: {}", stderr(&set));
        assert_eq!(stdout(&hub.client(&["get", "k"])), format!("{printed}\n"));
        let read = json_of(&hub.client(&["get", "k", "--json"]));
        assert_eq!((&read["value"], &read["version"]), (&value, &json!(number)));
    }
    assert_eq!(stdout(&hub.client(&["version", "k"])), "8\n");
}

#[test]
fn counters_count_and_answers_can_be_json() {
    let place = Place::new();
    let hub = place.hub();
    for amount in ["42", "45", "-3"] {
        let added = json_of(&hub.client(&["add", "n", amount, "--json"]));
        assert_eq!(added["durability"], "hub");
        assert!(
            added["write"]
                .as_str()
                .is_some_and(|w| w.starts_with("cli/")),
            "{added}"
        );
    }
    assert_eq!(stdout(&hub.client(&["get", "n"])), "84\n");
    let refused = hub.client(&["set", "n", "1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("does not fit"),
        "{}",
        stderr(&refused)
    );
    let refused = hub.client(&["add", "n", "1", "--json", "--swarm", "other"]);
    assert!(
        refused.status.success(),
        "another swarm's `n` is another key"
    );
}

#[test]
fn what_is_not_there_is_a_sentence_and_a_code() {
    let place = Place::new();
    let hub = place.hub();
    for command in ["get", "version"] {
        let absent = hub.client(&[command, "nope"]);
        assert_eq!(absent.status.code(), Some(1));
        assert_eq!(stdout(&absent), "");
        assert!(
            stderr(&absent).contains("\"nope\" holds no value"),
            "{}",
            stderr(&absent)
        );
        let absent = hub.client(&[command, "nope", "--json"]);
        assert_eq!(absent.status.code(), Some(1));
        let told = json_of(&absent);
        for (field, value) in [("key", json!("nope")), ("value", json!(null))] {
            assert_eq!(told.get(field).unwrap_or(&Json::Null), &value, "{told}");
        }
        assert_eq!(told["version"], json!(null));
        // It can be expected to be absent.
        assert!(
            told["expected"]
                .as_str()
                .is_some_and(|e| e.starts_with("0@")),
            "{told}"
        );
    }
}

#[test]
fn deltas_and_status_show_the_log_and_the_roster() {
    let place = Place::new();
    let hub = place.hub();
    for (key, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
        hub.client(&["set", key, value]);
    }
    let delta = json_of(&hub.client(&["delta", "--json"]));
    assert_eq!(delta["head"], 3);
    assert_eq!(delta["changes"].as_array().map(Vec::len), Some(3));
    let delta = json_of(&hub.client(&["delta", "--since", "2", "--json"]));
    assert_eq!(delta["changes"][0]["key"], "c");
    assert!(
        stdout(&hub.client(&["delta", "--since", "r1"]))
            .contains("2 keys changed after revision 1")
    );
    assert!(
        stdout(&hub.client(&["delta", "--since", "2"])).contains("1 key changed after revision 2")
    );
    let ahead = hub.client(&["delta", "--since", "99"]);
    assert_eq!(ahead.status.code(), Some(1));
    assert!(
        stderr(&ahead).contains("ahead of the hub"),
        "{}",
        stderr(&ahead)
    );

    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    // What it holds it tells the hub right after.
    let status = until(
        || json_of(&hub.client(&["status", "--json"])),
        |status| status["members"][0]["lag"] == 0,
    );
    assert_eq!(
        (&status["revision"], &status["keys"]),
        (&json!(3), &json!(3))
    );
    let members = status["members"].as_array().expect("a list");
    assert_eq!(members.len(), 1, "clients do not join the roster: {status}");
    assert_eq!(
        (&members[0]["agent"], &members[0]["connected"]),
        (&json!("agent-1"), &json!(true))
    );
    assert_eq!(status["digest"], agent.digest());
    assert_eq!(
        (&members[0]["lag"], &members[0]["receipts"]),
        (&json!(0), &json!(0))
    );
    let did = &status["activity"];
    assert_eq!(
        (&did["commits"], &did["rounds"]["run"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(did["conflicts"], json!([]));
    assert!(
        status["store_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 0)
    );
    let table = stdout(&hub.client(&["status"]));
    assert!(
        table.contains("agent-1") && table.contains("revision 3"),
        "{table}"
    );
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
}

#[test]
fn a_sync_needs_somebody_to_reach() {
    let place = Place::new();
    let hub = place.hub();
    let alone = hub.client(&["sync", "k"]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(
        stderr(&alone).contains("no agent is connected"),
        "{}",
        stderr(&alone)
    );

    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    agent.set("k", &json!(1));
    let report = json_of(&hub.client(&["sync", "k", "l", "--json"]));
    assert_eq!(report["responded"], json!(["agent-1"]));
    assert_eq!(report["keys"][0]["version"], 1);
    let text = stdout(&hub.client(&["sync", "k"]));
    assert!(
        text.contains("answered: agent-1") && text.contains("missing: none"),
        "{text}"
    );
}

#[test]
fn without_a_hub_the_sentence_says_how_to_start_one() {
    let place = Place::new();
    let hub = place.hub();
    let address = hub.address.clone();
    hub.process.kill();
    let commands: [&[&str]; 18] = [
        &["get", "k"],
        &["set", "k", "v"],
        &["add", "n", "1"],
        &["sync", "k"],
        &["delta"],
        &["version", "k"],
        &["status"],
        &["delete", "k"],
        &["insert", "s", "x"],
        &["remove", "s", "x"],
        &["put", "m", "f", "x"],
        &["unset", "m", "f"],
        &["clear", "--all"],
        &["keys"],
        &["watch", "*"],
        &["policy", "show"],
        &["policy", "explain", "k"],
        &["policy", "reload"],
    ];
    for command in commands {
        let refused = run(&[command, &["--hub", &address]].concat());
        assert_eq!(refused.status.code(), Some(3), "{command:?}");
        let sentence = stderr(&refused);
        let start = format!("start one with `swarm-sync serve --listen {address}`");
        assert!(
            sentence.contains(&format!("no hub at {address}")),
            "{sentence}"
        );
        assert!(sentence.contains(&start), "{sentence}");
        let refused = run(&[command, &["--hub", &address, "--json"]].concat());
        let object = json_of(&refused);
        assert_eq!(
            (object["ok"] == json!(false), &object["error"]["kind"]),
            // What speaks in lines has an event for it.
            (object["event"] != json!("failed"), &json!("no-hub"))
        );
    }
}

#[test]
fn a_bad_command_line_is_code_2() {
    let long = "k".repeat(1_025);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let cases: [&[&str]; 27] = [
        &[],
        &["delete"],
        &["put", "m", "f"],
        &["put", "m", "f", "1e999"],
        &["insert", "s", "NaN"],
        &["clear", "k", "--all"],
        &["keys", ""],
        &["watch"],
        &["watch", "*", "--from", "yesterday"],
        &["watch", "*", "--count", "0"],
        &["completions", "tcsh"],
        &["policy"],
        &["frobnicate"],
        &["get"],
        &["get", ""],
        &["get", &long],
        &["add", "n", "many"],
        &["set", "k", "9223372036854775808"],
        &["set", "k", "1e999"],
        &["set", "k", "[1e999]"],
        &["set", "k", &deep],
        &["delta", "--since", "-1"],
        &["status", "--timeout", "0"],
        &["status", "--hub", "nonsense"],
        &["agent", "--hub", ":1"],
        &["serve", "--listen", "127.0.0.1:99999"],
        &["serve", "--listen", ""],
    ];
    for args in cases {
        let refused = run(args);
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{args:?}: {}",
            stderr(&refused)
        );
        assert_eq!(stdout(&refused), "");
    }
}

/// Bad input, row 5.
#[test]
#[cfg(unix)]
fn a_key_that_is_not_text_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let refused = crate::support::program(&["get"])
        .arg(OsStr::from_bytes(b"\xff"))
        .output()
        .expect("the program starts");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("UTF-8"), "{}", stderr(&refused));
}

#[test]
fn a_closed_pipe_is_no_complaint() {
    let place = Place::new();
    let hub = place.hub();
    hub.client(&["set", "k", "v"]);
    let mut child = crate::support::program(&["get", "k", "--hub", &hub.address])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(stderr(&output), "");
    assert!(output.status.success());
}

#[test]
fn a_closed_pipe_changes_no_finding() {
    let place = Place::new();
    let hub = place.hub();
    for command in ["get", "version"] {
        let mut child =
            crate::support::program(&[command, "none", "--json", "--hub", &hub.address])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("holds no value"));
    }
}

/// Bad input, row 5.
#[test]
fn what_others_wrote_does_not_steer_the_terminal() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    let (key, value) = ("k\u{1b}[31m\nforged", "v\u{1b}]0;title\u{7}\u{9b}2J");
    agent.set(key, &json!(value));
    agent.set("list", &json!([value]));
    agent.set(&"l".repeat(1_000), &json!(1));
    agent.flush();
    for args in [&["delta"][..], &["sync", key], &["status"]] {
        let table = stdout(&hub.client(args));
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!table.contains(steers), "{table:?}");
        assert!(!table.contains("\nforged"), "{table:?}");
        assert!(!table.contains(&"l".repeat(100)), "{table:?}");
    }
    let table = stdout(&hub.client(&["delta"]));
    assert!(table.contains("\\u{1b}"), "{table}");
    // Asked for by itself, a value comes as it is.
    assert_eq!(stdout(&hub.client(&["get", key])), format!("{value}\n"));
}
