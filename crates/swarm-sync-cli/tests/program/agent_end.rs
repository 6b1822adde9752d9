//! How an agent ends: with its last writes at the hub, or because its store failed.

use std::io::Write;
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::support::{PATIENCE, Place, json_of, program, stderr, stdout};

/// Runs an agent on these lines, then the end of its input.
fn fed(hub: &str, data: &std::path::Path, lines: &[Json], more: &[&str]) -> (Vec<String>, String) {
    let data = data.to_string_lossy();
    let args = [
        "agent", "--json", "--hub", hub, "--id", "fed", "--data", &data,
    ];
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
    let (_, log) = fed("127.0.0.1:1", &data, &two, &["--offline"]);
    assert!(log.contains("2 writes wait on disk for the hub"), "{log}");
    let started = Instant::now();
    let (lines, log) = fed("127.0.0.1:1", &data, &[set("c")], &[]);
    assert!(lines[0].contains("\"pending_writes\":2"), "{lines:?}");
    assert!(log.contains("3 writes wait on disk for the hub"), "{log}");
    assert!(started.elapsed() < PATIENCE / 4, "no hub is waited for");
}

/// The system refuses to let the store's file grow further, as on a full disk.
#[test]
#[cfg(target_os = "linux")]
fn an_agent_whose_store_fails_says_so_and_ends() {
    let place = Place::new();
    let data = place.path("a");
    let program = program(&[]);
    let limited = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\"";
    let mut child = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(program.get_program())
        .args([
            "agent",
            "--json",
            "--hub",
            "127.0.0.1:1",
            "--id",
            "a",
            "--data",
        ])
        .arg(&data)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || {
        for number in 0..1_000 {
            // What cannot be compressed.
            let value: Vec<u64> = (0..4_000)
                .map(|n: u64| (n + number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)
                .collect();
            let line =
                json!({"id": number, "op": "set", "key": format!("k{number}"), "value": value});
            if writeln!(stdin, "{line}").is_err() {
                return;
            }
        }
        // Not the end of the input: it is to end by itself.
        std::thread::sleep(PATIENCE);
    });
    let output = child.wait_with_output().expect("it ends");
    drop(writer);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let event = json_of(&output);
    assert_eq!(event["event"], "stopped", "{event}");
    assert_eq!(event["error"]["kind"], "stopped");
    let message = event["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("its store failed"), "{message}");
    assert!(stderr(&output).contains(message), "{}", stderr(&output));
}
