//! `doctor`: what it finds of hub, clock and disk, and that it disturbs nobody.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use serde_json::Value as Json;
use swarm_sync::{
    Clock, CoordinatorOptions, MemoryStore, Now, StateSynchronizer, SystemClock, TcpCoordinator,
};

use crate::security::{Secured, ask, mode};
use crate::support::{Hub, NO_HUB, Place, json_of, program, run, stderr, stdout};

/// How a check came out, and what was said.
fn verdict_of<'a>(report: &'a Json, check: &str) -> (&'a str, &'a str) {
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|found| found["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check} in {report}"));
    (
        found["verdict"].as_str().expect("a verdict"),
        found["message"].as_str().expect("a message"),
    )
}

fn doctor(hub: &str, data: &Path, more: &[&str]) -> Output {
    let data = data.to_string_lossy();
    let args = ["doctor", "--json", "--hub", hub, "--data", &data];
    run(&[&args, more].concat())
}

/// It ends with this code, and these words for that check.
fn assert_fails(output: &Output, code: i32, check: &str, words: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", stdout(output));
    assert_eq!(stderr(output), "", "everything is said on stdout");
    let report = json_of(output);
    assert_eq!(report["ok"], false, "{report}");
    let (verdict, message) = verdict_of(&report, check);
    assert_eq!(verdict, "fail", "{report}");
    assert!(message.contains(words), "{words}: {report}");
}

/// Names, lengths and times of all files.
fn content(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("it is there");
    let mut found: Vec<String> = entries
        .map(|entry| {
            let entry = entry.expect("readable");
            let told = entry.metadata().expect("readable");
            format!(
                "{} {} {:?}",
                entry.file_name().display(),
                told.len(),
                told.modified().ok()
            )
        })
        .collect();
    found.sort();
    found
}

#[test]
fn all_is_well_with_a_hub_that_runs_and_goes_on_undisturbed() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.set("k", &serde_json::json!(1));
    agent.flush();
    agent.in_step();
    let before = content(&place.path("agent-1"));
    let output = doctor(&hub.address, &place.path("agent-1"), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let report = json_of(&output);
    assert_eq!(report["ok"], true, "{report}");
    for (check, words) in [
        ("name", "127.0.0.1"),
        ("tcp", "listens"),
        ("tls", "in the clear"),
        ("hello", "of the swarm default in"),
        ("versions", "protocol 1 here and 1 at the hub"),
        ("hub's clock", "the clock here is"),
        ("data", "that of this program"),
        ("disk", "fsynced"),
        ("clock", "evenly"),
    ] {
        let (verdict, message) = verdict_of(&report, check);
        assert_eq!(verdict, "ok", "{check}: {report}");
        assert!(message.contains(words), "{words}: {report}");
    }
    if cfg!(target_os = "linux") {
        let (_, message) = verdict_of(&report, "in use");
        let process = format!("process {} has it open", agent.process.child.id());
        assert!(message.starts_with(&process), "{report}");
    }
    // Nothing was left, the agent is still there, and nobody else is on the roster.
    assert_eq!(content(&place.path("agent-1")), before);
    agent.set("k", &serde_json::json!(2));
    agent.flush();
    let status = json_of(&hub.client(&["status", "--json"]));
    let members = status["members"].as_array().expect("members");
    assert_eq!(members.len(), 1, "{status}");
    assert_eq!(members[0]["connected"], true, "{status}");
}

#[test]
fn a_line_each_says_how_it_is_to_a_person() {
    let place = Place::new();
    let hub = place.hub();
    let data = place.path("new");
    let data_text = data.to_string_lossy();
    let output = hub.client(&["doctor", "--data", &data_text]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    let (last, checks) = lines.split_last().expect("lines");
    assert!(last.contains("0 failed"), "{text}");
    for line in checks {
        assert!(
            ["ok    ", "WARN  "]
                .iter()
                .any(|word| line.starts_with(word)),
            "{text}"
        );
    }
    assert!(text.contains("holds nothing yet"), "{text}");
    assert!(!data.exists(), "it was only looked at");
}

#[test]
fn where_no_hub_is_the_step_that_failed_says_what_to_do() {
    let place = Place::new();
    let data = place.path("hub");
    let output = doctor(NO_HUB, &data, &[]);
    assert_fails(&output, 3, "tcp", "start one with `swarm-sync serve");
    let report = json_of(&output);
    assert_eq!(verdict_of(&report, "name").0, "ok");
    assert_eq!(verdict_of(&report, "disk").0, "ok", "the rest is looked at");
    let unknown = doctor("no-such-host.invalid:7420", &data, &[]);
    assert_fails(&unknown, 3, "name", "check --hub");
}

#[test]
fn another_program_at_the_hubs_port_is_told_from_a_hub() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let web = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 64]);
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let output = doctor(&address, &place.path("hub"), &[]);
    assert_fails(&output, 3, "hello", "another program may listen there");
    web.join().unwrap();
}

#[test]
fn one_that_says_nothing_is_given_up() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = doctor(&address, &place.path("hub"), &["--timeout", "1"]);
    assert_fails(&output, 3, "hello", "took longer than 1000 ms");
}

#[test]
fn tls_on_one_side_only_is_said_and_so_is_who_is_not_believed() {
    let secured = Secured::new();
    let (token, line) = secured.token("agent-1");
    let (wrong, _) = secured.token("agent-2");
    let tokens = secured.private("tokens", &line);
    let hub = secured.serve(&["--tokens", &tokens]);
    let data = secured.place.path("doctor");
    let with = |args: &[String]| -> Output {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        doctor(&hub.address, &data, &args)
    };
    assert_fails(&with(&[]), 3, "tls", "give --tls-ca");
    assert_fails(
        &with(&wrong),
        3,
        "hello",
        "the token is not one of team/agent-2",
    );
    let strangers = Secured::new();
    let mut elsewhere = token.clone();
    elsewhere[3] = strangers.file("ca.pem");
    assert_fails(&with(&elsewhere), 3, "tls", "not issued by the CA");
    let well = with(&token);
    assert_eq!(well.status.code(), Some(0), "{}", stdout(&well));
    let report = json_of(&well);
    let (_, message) = verdict_of(&report, "hello");
    assert!(message.contains("agent-1 of the swarm team"), "{report}");
    mode(Path::new(&token[5]), 0o644);
    if cfg!(unix) {
        assert_fails(&with(&token), 2, "files", "chmod 600");
        mode(Path::new(&token[5]), 0o600);
    }
    let plain = Place::new();
    let plain = plain.hub();
    let secure = ask(
        &plain,
        &["doctor", "--json", "--data", &data.to_string_lossy()],
        &token,
    );
    assert_fails(&secure, 3, "tls", "does not speak TLS");
}

#[test]
fn a_directory_that_cannot_be_a_nodes_is_said_with_what_to_do() {
    let place = Place::new();
    let hub = place.hub();
    let file = place.path("file");
    std::fs::write(&file, "not a directory").unwrap();
    let below = doctor(&hub.address, &file.join("hub"), &[]);
    assert_fails(&below, 4, "data", "choose another directory");
    let letters = place.path("letters");
    std::fs::create_dir(&letters).unwrap();
    std::fs::write(letters.join("to-mother"), "dear").unwrap();
    let foreign = doctor(&hub.address, &letters, &[]);
    assert_fails(&foreign, 4, "data", "it has to-mother");
    if cfg!(target_os = "linux") {
        // Nobody may make a file there, whoever he is.
        let denied = doctor(&hub.address, Path::new("/proc/sys"), &[]);
        assert_fails(&denied, 4, "filesystem", "choose a directory on a disk");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_system_makes_up_is_no_place_for_a_node() {
    let output = doctor(NO_HUB, Path::new("/proc/x"), &[]);
    let report = json_of(&output);
    let (verdict, message) = verdict_of(&report, "filesystem");
    assert_eq!(verdict, "fail", "{report}");
    assert!(
        message.starts_with("/proc is proc, which holds"),
        "{message}"
    );
    for silly in ["holds nothing yet", "0 MiB", "local disk"] {
        assert!(!report.to_string().contains(silly), "{silly}: {report}");
    }
}

#[cfg(unix)]
#[test]
fn a_directory_that_others_may_enter_is_to_be_looked_at() {
    let place = Place::new();
    let hub = place.hub();
    let data = place.path("shared");
    std::fs::create_dir(&data).unwrap();
    mode(&data, 0o755);
    let output = doctor(&hub.address, &data, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let report = json_of(&output);
    let (verdict, message) = verdict_of(&report, "permissions");
    assert_eq!(verdict, "warn", "{report}");
    assert!(message.contains("chmod 700"), "{report}");
}

/// The system's clock, moved.
#[derive(Debug)]
struct Moved {
    clock: SystemClock,
    by_ms: i64,
}

impl Clock for Moved {
    fn now(&self) -> Now {
        let now = self.clock.now();
        Now {
            wall_ms: now.wall_ms.saturating_add_signed(self.by_ms),
            ..now
        }
    }
}

/// A hub in this process whose clock is off.
async fn hub_with_clock(by_ms: i64) -> (StateSynchronizer, String) {
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", CoordinatorOptions::default());
    let coordinator = coordinator.await.expect("a free port");
    let address = coordinator.local_addr().to_string();
    let clock = Moved {
        clock: SystemClock::new(),
        by_ms,
    };
    let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), Arc::new(coordinator));
    let hub = hub.clock(Arc::new(clock)).start().await.expect("it starts");
    (hub, address)
}

/// Bad input, row 12.
#[test]
fn a_clock_that_is_off_is_found_against_the_hubs() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (by_ms, verdict, words) in [
        (0, "ok", "the clock here is"),
        (30_000, "warn", "behind it"),
        (
            -120_000,
            "fail",
            "writes from further ahead than 1m are refused",
        ),
        (120_000, "fail", "behind it"),
    ] {
        let (hub, address) = runtime.block_on(hub_with_clock(by_ms));
        let output = doctor(&address, &place.path("hub"), &[]);
        let report = json_of(&output);
        let found = verdict_of(&report, "hub's clock");
        assert_eq!(found.0, verdict, "{report}");
        assert!(found.1.contains(words), "{report}");
        let code = i32::from(verdict == "fail");
        assert_eq!(output.status.code(), Some(code), "{report}");
        runtime.block_on(hub.shutdown());
    }
}

#[test]
fn a_hub_that_is_stopped_does_not_hold_it_up() {
    let place = Place::new();
    let hub: Hub = place.hub();
    if !cfg!(unix) {
        return;
    }
    hub.process.signal("STOP");
    let output = doctor(&hub.address, &place.path("hub"), &["--timeout", "1"]);
    hub.process.signal("CONT");
    assert_fails(&output, 3, "hello", "took longer");
    assert!(hub.client(&["status"]).status.success());
}

#[test]
fn options_that_say_nothing_inside_a_directory_are_refused_and_the_environment_is_not() {
    let place = Place::new();
    let hub = place.hub();
    assert!(hub.client(&["set", "k", "1"]).status.success());
    let address = hub.address.clone();
    hub.process.kill();
    let data = place.path("hub");
    let data = data.to_string_lossy();
    for (more, named) in [
        (&["--agent"][..], "--agent would do nothing"),
        (&["--agent", "--hub", &address], "--agent, --hub would"),
        (&["--swarm", "team", "--json"], "--swarm would"),
        (&["--timeout", "3"], "--timeout would"),
        (
            &["--token-file", "t", "--tls-ca", "c"],
            "--tls-ca, --token-file would",
        ),
    ] {
        let refused = run(&[&["doctor", &data][..], more].concat());
        assert_eq!(refused.status.code(), Some(2), "{more:?}: {refused:?}");
        let told = stderr(&refused);
        assert!(told.contains(named), "{named}: {told}");
        assert!(told.contains("--data"), "{told}");
    }
    let environment = [("SWARM_SYNC_HUB", &*address), ("SWARM_SYNC_SWARM", "team")];
    let mut looked = program(&["doctor", &data, "--json", "-v"]);
    let looked = looked.envs(environment).output().expect("it starts");
    assert!(looked.status.success(), "{looked:?}");
}
