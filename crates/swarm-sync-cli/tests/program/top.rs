//! `top` on a terminal: what its screen shows of a hub that works, goes and comes back, and how it leaves.

#![cfg(unix)]

use serde_json::json;
use swarm_sync::{LinkOptions, TcpLink};

use crate::support::{Agent, Hub, NO_HUB, Place, Terminal, ending_signals, run, stderr, until};

fn top(hub: &str, environment: &[(&str, &str)]) -> Terminal {
    let args = ["top", "--hub", hub, "--interval", "100ms"];
    Terminal::start(&args, environment)
}

fn two_agents(place: &Place, hub: &Hub) -> (Agent, Agent) {
    let (mut first, mut second) = (place.agent(hub, "agent-1"), place.agent(hub, "agent-2"));
    first.in_step();
    second.in_step();
    (first, second)
}

/// Roster entries without a process each.
fn join(hub: &str, count: usize) -> (tokio::runtime::Runtime, Vec<swarm_sync::Agent>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let agents = runtime.block_on(async {
        let mut agents = Vec::new();
        for number in 0..count {
            let name = format!("worker-{number:02}");
            let link = TcpLink::new(hub, LinkOptions::default());
            let agent = swarm_sync::Agent::builder(name, link);
            agents.push(agent.start().await.expect("it starts"));
        }
        agents
    });
    (runtime, agents)
}

#[test]
fn a_screen_shows_the_agents_and_what_a_write_changes() {
    let place = Place::new();
    let hub = place.hub();
    let (mut first, mut second) = two_agents(&place, &hub);
    let top = top(&hub.address, &[]);
    top.shows(&["swarm-sync top", &hub.address, "swarm default"]);
    top.shows(&["connected, asked every 100ms"]);
    top.shows(&["agents", "2 of 2 connected, 0 not in step"]);
    top.shows(&["keys", "0 at revision 0"]);
    assert!(top.taken());
    // One that holds still is behind from the next write on.
    second.process.signal("STOP");
    first.set("k", &json!(1));
    first.flush();
    top.shows(&["keys", "1 at revision 1"]);
    top.shows(&["agents", "1 not in step"]);
    let behind = top.shows(&["agent-2", "yes", " 1 "]);
    let lines = top.lines();
    let place_of = |name: &str| lines.iter().position(|line| line.contains(name));
    assert!(
        place_of("agent-2") < place_of("agent-1"),
        "{behind}: {lines:?}"
    );
    second.process.signal("CONT");
    top.shows(&["agents", "2 of 2 connected, 0 not in step"]);
    // Two write to one key, and neither has seen what the other wrote.
    for agent in [&mut first, &mut second] {
        agent.ok(json!({"op": "offline"}));
        agent.set("contested", &json!(1));
    }
    for agent in [&mut first, &mut second] {
        agent.ok(json!({"op": "online"}));
        agent.flush();
    }
    top.shows(&["conflicts", "lww 1"]);
    let synced = hub.client(&["sync", "k"]);
    assert!(synced.status.success(), "{synced:?}");
    top.shows(&["rounds", "1 complete"]);
    top.shows(&["all swarms take", "on disk"]);
}

#[test]
fn a_hub_that_is_killed_is_missed_and_found_again() {
    let place = Place::new();
    let hub = place.hub();
    let address = hub.address.clone();
    let (mut first, _second) = two_agents(&place, &hub);
    let mut top = top(&address, &[]);
    top.shows(&["2 of 2 connected"]);
    hub.process.kill();
    top.shows(&["the hub is away for", "Trying again"]);
    // What was known stays, keys work, and it counts.
    top.shows(&["agent-1"]);
    top.press("n");
    top.shows(&["agent ▲"]);
    top.shows(&["the hub is away for 1 s"]);
    first.set("meanwhile", &json!(1));

    let _hub = Hub::start_at(&place.path("hub"), &address);
    top.shows(&["connected, asked every"]);
    top.shows(&["agents", "2 of 2 connected, 0 not in step"]);
    top.shows(&["keys", "1 at revision"]);
    top.shows_no("is away");
    top.press("q");
    assert!(top.end().success());
}

#[test]
fn a_hub_that_is_frozen_is_seen_to_be_silent_and_a_long_name_by_both_its_ends() {
    let place = Place::new();
    let hub = place.hub();
    let name = format!("planner-{}-of-team-7", "x".repeat(90));
    let _agent = place.agent(&hub, &name);
    let mut top = top(&hub.address, &[]);
    let row = top.shows(&["planner-", "of-team-7", "yes"]);
    assert!(row.contains('…'), "{row}");
    hub.process.signal("STOP");
    // Long before a connection is given up.
    let silent = top.shows(&["no answer for"]);
    assert!(silent.contains("what the hub said last stays"), "{silent}");
    top.shows(&["planner-"]);
    hub.process.signal("CONT");
    top.shows(&["connected, asked every"]);
    top.press("q");
    assert!(top.end().success());
}

#[test]
fn it_leaves_by_every_way_with_the_terminal_as_it_was() {
    let place = Place::new();
    let hub = place.hub();
    let keys = [("q", "q"), ("Esc", "\u{1b}"), ("Ctrl-C", "\u{3}")];
    for (name, key) in keys {
        let mut top = top(&hub.address, &[]);
        top.shows(&["connected, asked"]);
        assert!(!top.set_as_before(), "keys come as they are typed");
        top.press(key);
        assert_eq!(top.end().exit_code(), 0, "{name}");
        top.given_back();
    }
    for signal in ending_signals() {
        let mut top = top(&hub.address, &[]);
        top.shows(&["connected, asked"]);
        top.signal(signal);
        assert_eq!(top.end().exit_code(), 0, "{signal}");
        top.given_back();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_that_nobody_reads_does_not_hold_it() {
    let place = Place::new();
    let hub = place.hub();
    let args = ["top", "--hub", &hub.address, "--interval", "100ms"];
    let mut top = Terminal::start_unread(&args, &[]);
    until(|| top.set_as_before(), |before| !before);
    // As often drawn anew as is more than a terminal takes unread.
    for _ in 0..60 {
        top.press("\u{c}");
    }
    top.stuck();
    top.signal("TERM");
    assert_eq!(top.end().exit_code(), 143);
    assert!(top.set_as_before());
}

#[test]
fn a_long_list_is_scrolled_on_screens_of_any_size() {
    let place = Place::new();
    let hub = place.hub();
    let (_runtime, agents) = join(&hub.address, 40);
    let mut top = top(&hub.address, &[]);
    top.shows(&["agents", "40 of 40 connected, 0 not in step"]);
    top.press("n");
    top.shows(&["worker-00"]);
    top.shows(&[" of 40"]);
    top.press("\u{1b}[F");
    top.shows(&["worker-39"]);
    top.shows_no("worker-00");
    top.press("\u{1b}[5~");
    top.shows_no("worker-39");
    top.press("\u{1b}[H");
    top.shows(&["worker-00"]);
    top.press("\u{1b}[B\u{1b}[B");
    top.shows_no("worker-01");
    top.resize(60, 132);
    top.shows(&["worker-39"]);
    top.shows(&["worker-00"]);
    top.resize(8, 40);
    top.shows_no("worker-39");
    top.shows(&["worker-0"]);
    top.press("\u{1b}[6~");
    top.resize(24, 80);
    // Only a screen of that width has this. A key that comes with a resize may be read with the next key only.
    top.shows(&["in step up to", "receipts"]);
    // Drawn anew over whatever stands there.
    top.press("\u{c}");
    top.press("n");
    top.shows(&["agent ▲"]);
    top.press("q");
    assert!(top.end().success());
    top.given_back();
    drop(agents);
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let place = Place::new();
    let hub = place.hub();
    for (environment, wanted) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let top = top(&hub.address, environment);
        top.shows(&["connected, asked every"]);
        assert_eq!(top.coloured() > 0, wanted);
    }
}

#[test]
fn without_a_terminal_or_a_hub_it_says_so_and_draws_nothing() {
    let place = Place::new();
    let hub = place.hub();
    let refused = run(&["top", "--hub", &hub.address]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty(), "{refused:?}");
    let sentence = stderr(&refused);
    assert!(sentence.contains("stdout is not a terminal"), "{sentence}");
    assert!(sentence.contains("`swarm-sync status`"), "{sentence}");

    let mut dumb = top(&hub.address, &[("TERM", "dumb")]);
    assert_eq!(dumb.end().exit_code(), 2);
    dumb.shows(&["can only print lines"]);
    dumb.given_back();

    let mut nobody = top(NO_HUB, &[]);
    assert_eq!(nobody.end().exit_code(), 3);
    nobody.shows(&[NO_HUB]);
    nobody.given_back();
}

#[test]
fn what_is_logged_is_not_written_across_the_screen() {
    let place = Place::new();
    let hub = place.hub();
    let top = top(&hub.address, &[("RUST_LOG", "trace")]);
    top.shows(&["connected, asked every"]);
    for written in [1, 2, 3] {
        let set = hub.client(&["set", "k", &written.to_string()]);
        assert!(set.status.success());
        top.shows(&["keys", &format!("1 at revision {written}")]);
    }
    assert!(
        top.lines().iter().all(|line| !line.contains("TRACE")),
        "{:?}",
        top.lines()
    );
}

#[test]
fn an_interval_that_cannot_be_is_refused_with_what_could() {
    for interval in ["0s", "99ms", "2h", "1"] {
        let refused = run(&["top", "--interval", interval]);
        assert_eq!(refused.status.code(), Some(2), "{interval}");
        assert!(!stderr(&refused).is_empty());
    }
}
