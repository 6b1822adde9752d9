//! Synchronization by priority and by schedule: flags, status, and how each key went.

#[cfg(unix)]
use std::fs;

use serde_json::{Value as Json, json};

use crate::support::{Hub, Place, json_of, run, stderr, stdout, until};

fn status(hub: &Hub) -> Json {
    json_of(&hub.client(&["status", "--json"]))
}

fn hub_with(place: &Place, more: &[&str]) -> Hub {
    Hub::start_with(&place.path("hub"), more)
}

#[test]
fn a_schedule_shows_in_status() {
    let place = Place::new();
    let flags = [
        "--sync-every",
        "200ms",
        "--sync-keys",
        "task_*",
        "--sync-keys",
        "leader",
        "--sync-every",
        "critical=5s",
        "--sync-jitter",
        "50ms",
    ];
    let hub = hub_with(&place, &flags);
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    agent.set("task_1", &json!(1));
    agent.flush();
    let shown = until(
        || status(&hub),
        |status| {
            let line = &status["periodic"][0];
            line["runs"].as_u64() > line["failed"].as_u64().map(|failed| failed + 1)
        },
    );
    let plain = &shown["periodic"][0];
    assert_eq!(
        (&plain["name"], &plain["covers"]),
        (&json!("keys"), &json!("task_*, leader"))
    );
    assert_eq!(
        (&plain["interval_ms"], &plain["jitter_ms"]),
        (&json!(200), &json!(50))
    );
    assert_eq!(plain["last_failure"], Json::Null);
    let critical = &shown["periodic"][1];
    assert_eq!(
        (&critical["name"], &critical["interval_ms"]),
        (&json!("critical"), &json!(5_000))
    );
    let text = stdout(&hub.client(&["status"]));
    for part in [
        "1 key in ",
        "of the hub, all swarms:",
        "both ways",
        "synchronizes",
        "task_*, leader",
        "200ms",
        "critical",
        "5s",
        "missed",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

/// Nobody is there: counted, said in status, and one line in the log.
#[test]
#[cfg(unix)]
fn a_schedule_without_agents_is_quiet() {
    let place = Place::new();
    let hub = hub_with(&place, &["-v", "--sync-every", "50ms"]);
    // A swarm that somebody has written to is one that the hub keeps.
    assert!(hub.client(&["set", "k", "1"]).status.success());
    until(
        || status(&hub),
        |status| status["periodic"][0]["failed"].as_u64() > Some(3),
    );
    let text = stdout(&hub.client(&["status"]));
    assert!(
        text.contains("failed last time: no agent is connected"),
        "{text}"
    );
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    let mut process = hub.process;
    process.logged("goes well again");
    process.signal("TERM");
    assert!(process.end().success());
}

#[test]
#[cfg(unix)]
fn a_sync_says_how_many_keys_it_has_reached() {
    let place = Place::new();
    let file = place.path("p.toml");
    let text = "[[policy]]\npattern = \"low_*\"\npriority = \"low\"\n";
    fs::write(&file, text).expect("it is writable");
    let file = file.to_string_lossy();
    let flags = [
        "--policy",
        &*file,
        "--deadline",
        "low=150ms",
        "--deadline",
        "medium=250ms",
    ];
    let hub = hub_with(&place, &flags);
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    agent.set("k", &json!(1));
    agent.flush();
    let synced = hub.client(&["sync", "low_1", "k", "k"]);
    assert!(synced.status.success(), "{}", stderr(&synced));
    assert!(
        stdout(&synced).contains("\nSynchronized 2 of 2\n"),
        "{}",
        stdout(&synced)
    );
    let report = json_of(&hub.client(&["sync", "low_1", "k", "--json"]));
    assert_eq!(report["synchronized"], 2);
    assert_eq!(report["keys"][0]["key"], "low_1", "in the order asked for");
    let through = agent.ok(json!({"op": "sync", "keys": ["k", "low_1"]}));
    assert_eq!(through["synchronized"], 2);
    // It hears nothing any more: each priority has its own time.
    agent.process.signal("STOP");
    for (key, time) in [("low_1", "150 ms"), ("k", "250 ms")] {
        let silent = hub.client(&["sync", key]);
        assert_eq!(silent.status.code(), Some(1));
        assert!(stderr(&silent).contains(time), "{}", stderr(&silent));
    }
    let named = hub.client(&["sync", "low_1", "k", "--timeout", "1"]);
    assert!(
        stderr(&named).contains("within 1000 ms"),
        "{}",
        stderr(&named)
    );
}

/// The flag or value, and a part of the sentence.
const WRONG: &[(&[&str], &str)] = &[
    (&["--sync-every", "60"], "a unit"),
    (
        &["--sync-every", "urgent=5s"],
        "critical, high, medium, low, background",
    ),
    (&["--sync-every", "critical="], "a unit"),
    (&["--sync-every", "0s"], "more than nothing"),
    (&["--deadline", "critical=0s"], "more than nothing"),
    (&["--sync-every", "1ms"], "10 ms"),
    (&["--sync-every", "9999d"], "366 days"),
    (&["--sync-every", "5s", "--sync-every", "6s"], "twice"),
    (
        &["--sync-every", "low=5s", "--sync-every", "low=6s"],
        "for low is there twice",
    ),
    (&["--sync-keys", "k"], "--sync-every"),
    (
        &["--sync-every", "low=5s", "--sync-keys", "k"],
        "--sync-every 60s",
    ),
    (&["--sync-every", "5s", "--sync-keys", ""], "empty"),
    (&["--sync-jitter", "5s"], "--sync-every"),
    (&["--sync-every", "5s", "--sync-jitter", "5s"], "jitter"),
    (&["--deadline", "30s"], "critical=30s"),
    (&["--deadline", "soon=30s"], "critical, high"),
    (
        &["--deadline", "low=2h"],
        "wait 2h; it can wait from 1ms to 1h",
    ),
    (&["--deadline", "critical=1d"], "is to wait 1d;"),
    (&["--deadline", "low=2s", "--deadline", "low=3s"], "twice"),
];

#[test]
fn what_makes_no_sense_is_refused_in_a_sentence() {
    for (flags, part) in WRONG {
        let args = ["serve", "--listen", "127.0.0.1:0", "--memory"];
        let refused = run(&[&args, *flags].concat());
        let sentence = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{flags:?}: {sentence}");
        assert!(sentence.contains(part), "{flags:?}: {sentence}");
    }
}

#[test]
fn the_help_teaches_schedules_and_priorities() {
    let help = stdout(&run(&["serve", "--help"]));
    for part in [
        "--sync-every critical=5s",
        "--sync-jitter",
        "--deadline critical=45s",
        "missed",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let help = stdout(&run(&["sync", "--help"]));
    assert!(help.contains("Synchronized 5 of 6"), "{help}");
}
