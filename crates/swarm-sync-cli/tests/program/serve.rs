//! Starting a hub, and refusing to.

use serde_json::json;

use crate::support::{
    Agent, Hub, Place, Process, json_of, program, run, serve_args, stderr, until,
};
#[cfg(target_os = "linux")]
use crate::support::{SMALL_DISK, program_after};

#[test]
fn the_first_line_names_the_address() {
    let place = Place::new();
    let data = place.path("hub");
    let args = serve_args("127.0.0.1:0", &data);
    let process = Process::start(&args);
    let line = process.line();
    assert!(
        line.starts_with(r#"{"event":"ready","addr":"127.0.0.1:"#),
        "{line}"
    );
    assert!(!line.contains(r#"127.0.0.1:0""#), "{line}");
}

#[test]
fn a_directory_keeps_the_engine_that_it_was_made_with() {
    let place = Place::new();
    let data = place.path("hub");
    let hub = Hub::start_with(&data, &["--store", "redb"]);
    assert!(hub.client(&["set", "k", "kept"]).status.success());
    hub.process.kill();
    assert!(data.join("rows.redb").exists());
    let directory = data.to_string_lossy();
    let other = ["serve", "--data", &directory, "--store", "sled", "--json"];
    let refused = run(&other);
    assert_eq!(refused.status.code(), Some(4), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("is a store of redb"),
        "{}",
        stderr(&refused)
    );
    let hub = Hub::start_with(&data, &[]);
    let read = hub.client(&["get", "k", "--json"]);
    assert_eq!(json_of(&read)["value"], "kept");
}

#[test]
fn without_json_it_says_how_to_go_on() {
    let place = Place::new();
    let data = place.path("hub");
    let process = Process::start(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        &data.to_string_lossy(),
    ]);
    assert!(process.line().starts_with("hub at 127.0.0.1:"));
    assert!(process.line().contains("swarm-sync agent --hub"));
}

/// Bad input, row 15.
#[test]
fn an_address_that_others_reach_needs_a_word() {
    let place = Place::new();
    let data = place.path("hub");
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let args = serve_args(listen, &data);
        let refused = run(&args);
        assert_eq!(refused.status.code(), Some(2), "{listen}");
        assert_eq!(json_of(&refused)["error"]["kind"], "insecure-address");
        assert!(
            stderr(&refused).contains("--insecure"),
            "{}",
            stderr(&refused)
        );
        assert!(!data.exists(), "nothing was made");
    }
    let args = [&serve_args("0.0.0.0:0", &data)[..], &["--insecure"]].concat();
    let process = Process::start(&args);
    assert_eq!(process.json()["event"], "ready");
}

#[test]
fn an_address_that_is_taken_is_refused() {
    let place = Place::new();
    let hub = place.hub();
    let data = place.path("other");
    let data = data.to_string_lossy();
    let refused = run(&["serve", "--listen", &hub.address, "--data", &data, "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(json_of(&refused)["error"]["kind"], "listen");
    let sentence = format!("cannot listen on {}", hub.address);
    assert!(stderr(&refused).contains(&sentence), "{}", stderr(&refused));
    let advice = "stop who listens there, else choose another with --listen";
    assert!(stderr(&refused).contains(advice), "{}", stderr(&refused));
}

/// Bad input, row 21.
#[test]
#[cfg(target_os = "linux")]
fn a_hub_whose_store_fails_says_so_and_ends() {
    let place = Place::new();
    let data = place.path("hub");
    let args = serve_args("127.0.0.1:0", &data);
    let mut process = Process::spawn(program_after(SMALL_DISK, &args));
    let address = process.json()["addr"]
        .as_str()
        .expect("it listens")
        .to_owned();
    let mut told = None;
    let failed = (0_u64..200).any(|number| {
        // What cannot be compressed.
        let value: Vec<u64> = (0..3_000)
            .map(|n| (n + number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)
            .collect();
        let value = serde_json::to_string(&value).expect("JSON");
        let set = ["set", &format!("k{number}"), &value, "--hub", &address];
        let set = run(&set);
        told = Some(stderr(&set));
        !set.status.success()
    });
    assert!(failed, "the store has room");
    // Where its files are is nobody's business but its operator's.
    let told = told.unwrap_or_default();
    let directory = data.to_string_lossy();
    assert!(!told.contains(&*directory), "{told}");
    assert_eq!(process.end().code(), Some(4));
    let event = process.json();
    assert_eq!(
        (&event["event"], &event["error"]["kind"]),
        (&json!("failed"), &json!("stopped"))
    );
    let message = event["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("its store failed"), "{message}");
    assert!(message.contains("start it again"), "{message}");
    assert!(message.contains(&*directory), "{message}");
    process.logged(message);
}

#[test]
fn with_swarms_named_it_serves_only_those() {
    let place = Place::new();
    let data = place.path("hub");
    let args = [
        &serve_args("127.0.0.1:0", &data)[..],
        &["--swarm", "red", "--swarm", "blue"],
    ]
    .concat();
    let process = Process::start(&args);
    let address = process.json()["addr"]
        .as_str()
        .expect("an address")
        .to_owned();
    let hub = Hub {
        process,
        address,
        metrics: None,
    };
    for swarm in ["red", "blue"] {
        assert!(
            hub.client(&["set", "k", "v", "--swarm", swarm])
                .status
                .success()
        );
    }
    let refused = hub.client(&["set", "k", "v", "--swarm", "green"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        stderr(&refused).contains("does not serve the swarm green"),
        "{}",
        stderr(&refused)
    );
    let mut agent = Agent::start_with(&hub.address, "a", &place.path("a"), &["--swarm", "green"]);
    let status = until(
        || agent.ok(json!({"op": "status"})),
        |s| !s["link_error"].is_null(),
    );
    assert!(
        status["link_error"]
            .as_str()
            .is_some_and(|e| e.contains("does not serve")),
        "{status}"
    );
}

#[test]
fn the_environment_has_defaults() {
    let place = Place::new();
    let base = place.path("base");
    let mut child = program(&["serve", "--json"])
        .env("SWARM_SYNC_LISTEN", "127.0.0.1:0")
        .env("SWARM_SYNC_DATA", &base)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    until(|| base.join("hub").join("format").exists(), |there| *there);
    child.kill().expect("it was running");
    child.wait().expect("it was running");

    let hub = place.hub();
    let output = program(&["agent", "--json"])
        .env("SWARM_SYNC_HUB", &hub.address)
        .env("SWARM_SYNC_SWARM", "red")
        .env("SWARM_SYNC_NAME", "agent-9")
        .env("SWARM_SYNC_DATA", &base)
        .output()
        .expect("the program starts");
    assert!(output.status.success());
    let ready = json_of(&output);
    assert_eq!(
        (&ready["id"], &ready["swarm"]),
        (&json!("agent-9"), &json!("red"))
    );
    assert!(base.join("agents/red/agent-9/format").exists());
    let set = program(&["set", "k", "v"])
        .env("SWARM_SYNC_HUB", &hub.address)
        .env("SWARM_SYNC_SWARM", "red")
        .output()
        .expect("the program starts");
    assert!(set.status.success());
    assert_eq!(hub.client(&["get", "k", "--swarm", "red"]).stdout, b"v\n");
}

#[test]
fn it_ends_with_its_stdin_if_asked_to() {
    let place = Place::new();
    let data = place.path("hub");
    let args = [&serve_args("127.0.0.1:0", &data)[..], &["--with-stdin"]].concat();
    let mut process = Process::start(&args);
    process.json();
    drop(process.stdin.take());
    assert!(process.end().success());
}

#[test]
fn a_hub_keeps_its_state_across_an_orderly_stop() {
    let place = Place::new();
    let hub = place.hub();
    assert!(hub.client(&["set", "k", "v"]).status.success());
    drop(hub);
    let hub = place.hub();
    assert_eq!(hub.client(&["get", "k"]).stdout, b"v\n");
}

/// Bad input, row 20.
#[test]
fn its_memory_can_be_bounded() {
    let place = Place::new();
    let hub = Hub::start_with(&place.path("hub"), &["--connections-max", "1"]);
    let mut agent = place.agent(&hub, "only");
    agent.in_step();
    let refused = hub.client(&["get", "k"]);
    assert_eq!(refused.status.code(), Some(3));
    let sentence = stderr(&refused);
    assert!(
        sentence.contains("1 connections is its limit"),
        "{sentence}"
    );
    agent.ok(json!({"op": "quit"}));
    until(
        || hub.client(&["set", "k", "1"]).status.code(),
        |code| *code == Some(0),
    );
}

/// Bad input, row 20.
#[test]
fn the_keys_of_a_swarm_can_be_bounded_and_reads_and_deletes_go_on() {
    let place = Place::new();
    let hub = Hub::start_with(&place.path("hub"), &["--keys-max", "1"]);
    assert_eq!(hub.client(&["set", "k", "1"]).status.code(), Some(0));
    let refused = hub.client(&["set", "l", "1"]);
    assert_ne!(refused.status.code(), Some(0));
    let sentence = stderr(&refused);
    assert!(sentence.contains("may hold 1 keys"), "{sentence}");
    assert_eq!(hub.client(&["get", "k"]).status.code(), Some(0));
    assert_eq!(hub.client(&["delete", "k"]).status.code(), Some(0));
    assert_eq!(hub.client(&["set", "l", "1"]).status.code(), Some(0));
    let refused = run(&["serve", "--memory", "--state-bytes-max", "1"]);
    assert_eq!(refused.status.code(), Some(2));
    let sentence = stderr(&refused);
    assert!(
        sentence.contains("from 1048576 to 1099511627776"),
        "{sentence}"
    );
}

#[test]
fn a_bound_that_cannot_be_is_refused_with_what_could() {
    let cases = [
        ("connections-max", "0", "from 1 to 1048576"),
        ("connections-max", "many", "whole number of connections"),
        ("outbox-bytes-max", "1048575", "from 1048576 to 1073741824"),
        ("outbox-bytes-max", "16M", "bytes, without a unit"),
    ];
    for (name, value, expected) in cases {
        let flag = format!("--{name}");
        let variable = format!("SWARM_SYNC_{}", name.to_uppercase().replace('-', "_"));
        let by_flag = run(&["serve", "--memory", &flag, value]);
        let by_variable = program(&["serve", "--memory"])
            .env(variable, value)
            .output();
        for refused in [by_flag, by_variable.expect("the program starts")] {
            assert_eq!(refused.status.code(), Some(2), "{name} {value}");
            let sentence = stderr(&refused);
            assert!(sentence.contains(expected), "{sentence}");
        }
    }
}
