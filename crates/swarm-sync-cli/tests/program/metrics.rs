//! Measuring a hub over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Agent, Hub, Place, Process, json_of, run, serve_args, stderr, until};

const MEASURED: &[&str] = &["--metrics", "127.0.0.1:0"];

/// Everything that an address answers to these bytes, until it closes.
fn exchange(address: &str, said: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let patience = Some(Duration::from_mins(1));
    stream.set_read_timeout(patience).expect("a time");
    stream.write_all(said).expect("it reads");
    let mut answer = Vec::new();
    // Who was sent rubbish may close without having read all of it.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

/// The head and the body of what is answered to a GET.
fn get(address: &str, path: &str) -> (String, String) {
    let said = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let answer = exchange(address, said.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

pub(crate) fn measured(place: &Place) -> (Hub, String) {
    let hub = Hub::start_with(&place.path("hub"), MEASURED);
    let address = hub.metrics.clone().expect("it is measured");
    (hub, address)
}

/// The value of the line of `/metrics` with this name and these labels.
fn value(metrics: &str, line: &str) -> Option<f64> {
    let mut lines = metrics.lines();
    let found = lines.find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
    found?.parse().ok()
}

/// What is measured at an address under this name and these labels.
pub(crate) fn scraped(address: &str, line: &str) -> Option<f64> {
    value(&get(address, "/metrics").1, line)
}

/// Reads until each line has the value.
pub(crate) fn tells(address: &str, lines: &[(&str, f64)]) -> String {
    until(
        || get(address, "/metrics").1,
        |told| {
            lines
                .iter()
                .all(|(l, wanted)| value(told, l) == Some(*wanted))
        },
    )
}

fn have_grown(told: &str) {
    for line in [
        r#"swarm_sync_connection_bytes_total{direction="received"}"#,
        r#"swarm_sync_connection_bytes_total{direction="sent"}"#,
        r#"swarm_sync_store_flush_duration_seconds_count{node="hub"}"#,
        "swarm_sync_store_bytes",
        "swarm_sync_disk_free_bytes",
    ] {
        assert!(value(told, line).is_some_and(|v| v > 0.0), "{line}: {told}");
    }
}

#[test]
fn what_a_hub_does_is_counted_where_it_is_measured() {
    let place = Place::new();
    let (hub, address) = measured(&place);
    let path = place.path("agent-1");
    let mut agent = Agent::start_with(&hub.address, "agent-1", &path, &["--offline"]);
    for key in ["a", "b", "k"] {
        let set = hub.client(&["set", key, "mine"]);
        assert!(set.status.success(), "{}", stderr(&set));
    }
    // Later than the command, which it has not seen.
    agent.set("k", &json!("theirs"));
    agent.ok(json!({"op": "online"}));
    agent.flush();
    agent.in_step();
    let synced = hub.client(&["sync", "a", "k"]);
    assert!(synced.status.success(), "{}", stderr(&synced));
    let told = tells(
        &address,
        &[
            (r#"swarm_sync_commits_total{swarm="default"}"#, 4.0),
            (
                r#"swarm_sync_conflicts_total{swarm="default",rule="lww"}"#,
                1.0,
            ),
            (
                r#"swarm_sync_rounds_total{swarm="default",outcome="complete"}"#,
                1.0,
            ),
            (
                r#"swarm_sync_round_duration_seconds_count{swarm="default"}"#,
                1.0,
            ),
            (r#"swarm_sync_same_answers_total{swarm="default"}"#, 1.0),
            (
                r#"swarm_sync_agent_lag_revisions{swarm="default",agent="agent-1"}"#,
                0.0,
            ),
            (r#"swarm_sync_keys{swarm="default"}"#, 3.0),
            (r#"swarm_sync_receipts_waiting{swarm="default"}"#, 1.0),
            ("swarm_sync_connections", 1.0),
        ],
    );
    have_grown(&told);
    assert!(told.contains("# TYPE swarm_sync_round_duration_seconds histogram"));
    // The same as the status tells.
    let status = json_of(&hub.client(&["status", "--json"]));
    assert_eq!(
        status["activity"]["conflicts"],
        json!([{"rule": "lww", "writes": 1}])
    );
    assert_eq!(status["activity"]["rounds"]["complete"], 1);
    // Who is taken off the roster is not told of for ever.
    drop(agent);
    let gone = hub.client(&["unregister", "agent-1"]);
    assert!(gone.status.success(), "{}", stderr(&gone));
    until(
        || get(&address, "/metrics").1,
        |told| !told.contains(r#"agent="agent-1""#),
    );
}

#[test]
fn a_hub_that_runs_is_healthy_and_stops_being_measured_with_it() {
    let place = Place::new();
    let (mut hub, address) = measured(&place);
    let (head, body) = get(&address, "/health");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, "the hub runs, and its store writes\n");
    let (head, _) = get(&address, "/metrics");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    hub.process.signal("INT");
    assert!(hub.process.end().success());
    assert!(TcpStream::connect(&address).is_err(), "nobody listens");
}

#[test]
fn an_address_for_metrics_that_is_taken_is_refused_before_anything_is_made() {
    let place = Place::new();
    let (_hub, address) = measured(&place);
    let data = place.path("other");
    let text = data.to_string_lossy();
    let taken = ["--listen", "127.0.0.1:0", "--metrics", &address];
    let args = [&["serve", "--data", &text, "--json"], &taken[..]].concat();
    let refused = run(&args);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(json_of(&refused)["error"]["kind"], "listen");
    let said = stderr(&refused);
    assert!(
        said.contains(&format!("cannot listen on {address} for metrics")),
        "{said}"
    );
    assert!(said.contains("choose another with --metrics"), "{said}");
    assert!(!data.exists(), "nothing was made");
}

/// Bad input, row 15.
#[test]
fn what_others_could_read_is_warned_of() {
    let place = Place::new();
    let data = place.path("hub");
    let data = data.to_string_lossy();
    let listen = ["--listen", "127.0.0.1:0", "--metrics", "0.0.0.0:0"];
    let process = Process::start(&[&["serve", "--data", &data, "--json"], &listen[..]].concat());
    assert_eq!(process.json()["event"], "ready");
    process.logged("the names of its swarms and agents");
}

/// Bad input, row 17.
#[test]
fn only_two_questions_are_answered_there() {
    let place = Place::new();
    let (_hub, address) = measured(&place);
    for (said, status) in [
        (
            "POST /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc",
            "405",
        ),
        ("DELETE /health HTTP/1.1\r\nhost: localhost\r\n\r\n", "405"),
        ("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", "404"),
        (
            "GET /metrics/../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "404",
        ),
        (
            "GET /metrics HTTP/1.1\r\nhost: evil.example:7421\r\n\r\n",
            "403",
        ),
        (
            "GET /metrics HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\n\r\n",
            "403",
        ),
        ("GET /health HTTP/1.0\r\n\r\n", "200"),
    ] {
        let answer = exchange(&address, said.as_bytes());
        assert!(
            answer.starts_with("HTTP/1.") && answer[8..].starts_with(&format!(" {status}")),
            "{said}: {answer}"
        );
    }
}

/// Bad input, rows 8 and 19.
#[test]
fn rubbish_and_slow_readers_disturb_neither_the_hub_nor_the_next_one() {
    let place = Place::new();
    let (hub, address) = measured(&place);
    // More than there are places, each with half a question.
    let slow: Vec<_> = (0..32)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).expect("it listens");
            stream.write_all(b"GET /metr").expect("it reads");
            stream
        })
        .collect();
    let began = Instant::now();
    let set = hub.client(&["set", "k", "1"]);
    assert!(set.status.success(), "{}", stderr(&set));
    // Those are cut off, and then there is a place.
    let (head, _) = get(&address, "/health");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(began.elapsed() < Duration::from_mins(1));
    drop(slow);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20));
    for rubbish in [&b"\0\xff\x16\x03\x01 rubbish\r\n\r\n"[..], long.as_bytes()] {
        let answer = exchange_some(&address, rubbish);
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let (head, _) = get(&address, "/health");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(hub.client(&["get", "k"]).status.success());
}

/// The same for what need not be read to its end.
fn exchange_some(address: &str, said: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let _ = stream.write_all(said);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_spans_of_a_hub_have_their_names() {
    let place = Place::new();
    let data = place.path("hub");
    let log = std::path::Path::new("swarm_sync=trace");
    let args = serve_args("127.0.0.1:0", &data);
    let process = Process::start_in(&args, &[("RUST_LOG", log)]);
    let address = process.json()["addr"]
        .as_str()
        .expect("an address")
        .to_owned();
    let mut agent = Agent::start(&address, "agent-1", &place.path("agent-1"));
    let delta = process.logged("a delta is asked for");
    assert!(delta.contains("delta{swarm=default session="), "{delta}");
    agent.set("k", &json!(1));
    agent.flush();
    let commit = process.logged("a group of batches was flushed");
    assert!(commit.contains(r#"commit{node="hub" batches="#), "{commit}");
    assert!(run(&["sync", "k", "--hub", &address]).status.success());
    let round = process.logged("a round has ended");
    assert!(
        round.contains("round{swarm=default number=1 priority=medium}"),
        "{round}"
    );
    assert!(round.contains(r#"outcome="complete""#), "{round}");
}
