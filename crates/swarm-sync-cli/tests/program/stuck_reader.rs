//! A reader that keeps its pipe open and reads nothing does not keep the program from ending.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Hub, PATIENCE, Place, agent_args, program, until};

/// More than a pipe holds, and less than an argument may be long.
const LONG: usize = 100_000;

/// How long the first signal leaves to a line that is being printed.
const GIVEN: Duration = Duration::from_secs(2);

fn hub_with_a_long_value(place: &Place) -> Hub {
    let hub = place.hub();
    let set = hub.client(&["set", "k", &"x".repeat(LONG)]);
    assert!(set.status.success(), "{set:?}");
    hub
}

/// The program with a stdout that only the test reads.
fn start(args: &[&str]) -> (Child, ChildStdout) {
    let mut child = program(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = child.stdout.take().expect("piped");
    (child, stdout)
}

/// A watch in the middle of a line that is longer than the pipe.
fn stuck_watch(hub: &Hub) -> (Child, ChildStdout) {
    let args = ["watch", "k", "--from", "start", "--json"];
    let (child, mut stdout) = start(&[&args[..], &["--hub", &hub.address]].concat());
    // The first line is short; of the second so much that its value has begun.
    let mut begun = [0; 1_000];
    stdout.read_exact(&mut begun).expect("it prints");
    assert!(begun.ends_with(b"xxxxxxxxxx"), "{begun:?}");
    (child, stdout)
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let mut kill = std::process::Command::new("kill");
    let sent = kill.args([&format!("-{name}"), &pid]).status();
    assert!(sent.expect("there is a kill").success());
}

fn code(child: &mut Child) -> Option<i32> {
    let ended = until(
        || child.try_wait().expect("it was running"),
        Option::is_some,
    );
    ended.expect("it has ended").code()
}

#[test]
fn a_watch_that_nobody_reads_ends_by_a_signal() {
    let place = Place::new();
    let hub = hub_with_a_long_value(&place);
    for (name, expected) in [("INT", 130), ("TERM", 143)] {
        let (mut child, unread) = stuck_watch(&hub);
        let started = Instant::now();
        signal(&child, name);
        assert_eq!(code(&mut child), Some(expected), "{name}");
        assert!(started.elapsed() < PATIENCE / 4);
        drop(unread);
    }
    // The second one decides, as the first is given time.
    let (mut child, unread) = stuck_watch(&hub);
    signal(&child, "INT");
    let first = Instant::now();
    while first.elapsed() < GIVEN / 10 {
        let ended = child.try_wait().expect("it was running");
        assert_eq!(ended, None, "it was given no time");
        std::thread::yield_now();
    }
    signal(&child, "TERM");
    assert_eq!(code(&mut child), Some(143));
    assert!(first.elapsed() < GIVEN, "the second one decided nothing");
    drop(unread);
}

#[test]
fn a_watch_whose_reader_comes_back_in_time_says_where_to_go_on() {
    let place = Place::new();
    let hub = hub_with_a_long_value(&place);
    let (mut child, mut stdout) = stuck_watch(&hub);
    signal(&child, "TERM");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(code(&mut child), Some(0));
    let end = rest.lines().last().expect("a last line");
    assert!(end.starts_with(r#"{"event":"end""#), "{end}");
}

/// Bad input, row 9.
#[test]
fn an_agent_that_nobody_reads_ends_by_a_signal() {
    let place = Place::new();
    let hub = place.hub();
    let data = place.path("a");
    let data = data.to_string_lossy();
    let (mut child, stdout) = start(&agent_args(&hub.address, "a", &data));
    let mut stdout = BufReader::new(stdout);
    stdout.read_line(&mut String::new()).expect("it is ready");
    let mut stdin = child.stdin.take().expect("piped");
    let value = "x".repeat(2_000);
    writeln!(stdin, r#"{{"op":"set","key":"k","value":"{value}"}}"#).expect("it reads");
    // Fewer than may be under way, so that `quit` is read; more than wait to be written, so that the
    // answer to it finds no place.
    for _ in 0..900 {
        writeln!(stdin, r#"{{"op":"get","key":"k"}}"#).expect("it reads");
    }
    // What the hub has of the last line before it tells that all of them were read.
    writeln!(stdin, r#"{{"op":"set","key":"last","value":1}}"#).expect("it reads");
    writeln!(stdin, r#"{{"op":"quit"}}"#).expect("it reads");
    let arrived = until(
        || hub.client(&["get", "last"]).status.success(),
        |arrived| *arrived,
    );
    assert!(arrived);
    let started = Instant::now();
    signal(&child, "TERM");
    assert_eq!(code(&mut child), Some(0), "its store is closed as always");
    assert!(started.elapsed() < PATIENCE / 4);
    drop(stdout);
}
