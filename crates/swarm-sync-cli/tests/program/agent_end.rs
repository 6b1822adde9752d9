//! How an agent ends: with its last writes at the hub, or because its store failed.

#[cfg(target_os = "linux")]
use std::collections::BTreeSet;
use std::io::Write;
#[cfg(target_os = "linux")]
use std::process::ChildStdin;
#[cfg(target_os = "linux")]
use std::thread::{self, JoinHandle};
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::support::{NO_HUB, PATIENCE, Place, agent_args, program, stderr, stdout};
#[cfg(target_os = "linux")]
use crate::support::{Process, SMALL_DISK, program_after};

/// Runs an agent on these lines, then the end of its input.
fn fed(hub: &str, data: &std::path::Path, lines: &[Json], more: &[&str]) -> (Vec<String>, String) {
    let data = data.to_string_lossy();
    let args = agent_args(hub, "fed", &data);
    let mut child = program(&[&args, more].concat())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    for line in lines {
        writeln!(stdin, "{line}").expect("it reads");
    }
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = stdout(&output).lines().map(str::to_owned).collect();
    (lines, stderr(&output))
}

#[test]
fn the_last_writes_reach_a_hub_that_is_there() {
    let place = Place::new();
    let hub = place.hub();
    let set = |key: &str| json!({"op": "set", "key": key, "value": key});
    let cases = [
        vec![set("by-the-end")],
        vec![set("by-quitting"), json!({"op": "quit"})],
    ];
    for lines in cases {
        let (_, log) = fed(&hub.address, &place.path("fed"), &lines, &[]);
        assert_eq!(log, "");
        let key = lines[0]["key"].as_str().expect("a key");
        let read = hub.client(&["get", key]);
        assert_eq!(read.stdout, format!("{key}\n").into_bytes());
    }
}

#[test]
fn writes_that_reach_no_hub_are_counted() {
    let place = Place::new();
    let set = |key: &str| json!({"op": "set", "key": key, "value": 1});
    let (data, two) = (place.path("fed"), [set("a"), set("b")]);
    let (_, log) = fed(NO_HUB, &data, &two, &["--offline"]);
    assert!(log.contains("2 writes wait on disk for the hub"), "{log}");
    let started = Instant::now();
    let (lines, log) = fed(NO_HUB, &data, &[set("c")], &[]);
    assert!(lines[0].contains("\"pending_writes\":2"), "{lines:?}");
    assert!(log.contains("3 writes wait on disk for the hub"), "{log}");
    assert!(started.elapsed() < PATIENCE / 4, "no hub is waited for");
}

/// Starts an agent without a hub whose store fails after half a megabyte.
#[cfg(target_os = "linux")]
fn on_a_small_disk(place: &Place) -> Process {
    let data = place.path("a");
    let data = data.to_string_lossy();
    let args = agent_args(NO_HUB, "a", &data);
    let agent = Process::spawn(program_after(SMALL_DISK, &args));
    assert_eq!(agent.json()["event"], "ready");
    agent
}

/// A write that cannot be compressed.
#[cfg(target_os = "linux")]
fn large_set(number: u64, numbers: u64) -> Json {
    let value: Vec<u64> = (0..numbers)
        .map(|n| (n + number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)
        .collect();
    json!({"id": number, "op": "set", "key": format!("k{number}"), "value": value})
}

/// Writes lines without waiting for answers. The input stays open until the thread is joined, so that
/// its end is not why the agent ends.
#[cfg(target_os = "linux")]
fn feed(agent: &mut Process, lines: Vec<Json>) -> JoinHandle<ChildStdin> {
    let mut stdin = agent.stdin.take().expect("not yet closed");
    thread::spawn(move || {
        // Until an agent that has ended does not read any more.
        let _ = lines.iter().try_for_each(|line| writeln!(stdin, "{line}"));
        stdin
    })
}

/// Bad input, row 21.
#[test]
#[cfg(target_os = "linux")]
fn an_agent_whose_store_fails_says_so_and_ends() {
    let place = Place::new();
    let mut agent = on_a_small_disk(&place);
    let lines = (0..1_000).map(|number| large_set(number, 4_000)).collect();
    let writer = feed(&mut agent, lines);
    assert_eq!(agent.end().code(), Some(4));
    let last = agent.rest().pop().expect("a last line");
    let event: Json = serde_json::from_str(&last).expect("JSON");
    assert_eq!(event["event"], "stopped", "{event}");
    assert_eq!(event["error"]["kind"], "stopped");
    let message = event["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("its store failed"), "{message}");
    assert!(message.contains("start it again"), "{message}");
    agent.logged(message);
    writer.join().expect("it does not panic");
}

#[test]
#[cfg(target_os = "linux")]
fn when_its_store_fails_every_line_it_was_sent_is_answered() {
    let place = Place::new();
    let mut agent = on_a_small_disk(&place);
    // These wait for a hub that is not there and leave one place, so that the writes after them are
    // done one by one and most of the lines are still in the pipe when the store fails.
    let waiting = (1..1_024)
        .map(|id| json!({"id": id, "op": "flush", "level": "hub", "timeout_ms": 3_600_000}));
    let writes = (1_024..1_124).map(|id| large_set(id, 500));
    let lines = std::iter::once(large_set(0, 1))
        .chain(waiting)
        .chain(writes);
    let writer = feed(&mut agent, lines.collect());
    let (mut answered, mut refused) = (BTreeSet::new(), 0);
    loop {
        let line = agent.json();
        if line["event"] == "stopped" {
            break;
        }
        if line["ok"] == false {
            assert_eq!(line["error"]["kind"], "stopped", "{line}");
            refused += 1;
        }
        let id = line["id"].as_u64().expect("a number");
        assert!(answered.insert(id), "answered twice: {line}");
    }
    assert_eq!(agent.end().code(), Some(4));
    assert_eq!(agent.rest(), [""; 0], "`stopped` is the last line");
    writer.join().expect("it does not panic");
    assert!(refused > 1_023, "all that waited, and writes: {refused}");
    let unanswered: Vec<u64> = (0..1_124).filter(|id| !answered.contains(id)).collect();
    assert_eq!(unanswered, [0_u64; 0]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_store_that_fails_over_the_last_lines_is_told_all_the_same() {
    for quit in [false, true] {
        let place = Place::new();
        let mut agent = on_a_small_disk(&place);
        let mut lines: Vec<Json> = (0..50).map(|number| large_set(number, 2_000)).collect();
        if quit {
            lines.push(json!({"id": "q", "op": "quit"}));
        }
        let writer = feed(&mut agent, lines);
        drop(writer.join().expect("it does not panic"));
        assert_eq!(agent.end().code(), Some(4), "quit: {quit}");
        let lines = agent.rest();
        assert_eq!(lines.len(), if quit { 52 } else { 51 });
        assert!(lines[lines.len() - 1].contains(r#""event":"stopped""#));
    }
}
