//! More synchronizations than a hub has room for: the least urgent gives way, in whole or in part.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value as Json, json};

use crate::support::{Agent, Hub, Place, Process, until};

/// Synchronizations that a hub has room for, and those that one connection may ask for.
const ROOM: usize = 256;
const OF_ONE: usize = 16;

const POLICIES: &str = "[[policy]]\npattern = \"critical_*\"\npriority = \"critical\"\n\
    [[policy]]\npattern = \"background_*\"\npriority = \"background\"\n";

/// A hub that waits long for background keys, and not for critical ones.
fn ranked(place: &Place) -> Hub {
    let file = place.path("p.toml");
    fs::write(&file, POLICIES).expect("it is writable");
    let file = file.to_string_lossy();
    let critical = ["--policy", &*file, "--deadline", "critical=50ms"];
    let background = ["--deadline", "background=60s"];
    Hub::start_with(&place.path("hub"), &[&critical[..], &background].concat())
}

/// Agents that ask for more than there is room for, and what was answered to which of them first: that
/// the hub is full.
fn fill(place: &Place, hub: &Hub) -> (Vec<Agent>, usize, String) {
    let names = (0..=ROOM / OF_ONE).map(|number| format!("agent-{number}"));
    let mut agents: Vec<_> = names.map(|name| place.agent(hub, &name)).collect();
    for agent in &mut agents {
        agent.in_step();
    }
    for agent in &mut agents {
        for id in 0..OF_ONE {
            let request = json!({"id": id, "op": "sync", "keys": ["k"], "timeout_ms": 60_000});
            agent.process.send(request.to_string().as_bytes());
        }
    }
    let first = || {
        let mut agents = agents.iter().enumerate();
        agents.find_map(|(at, agent)| Some((at, agent.process.line_if_any()?)))
    };
    let (at, line) = until(first, Option::is_some).expect("it was waited for");
    (agents, at, line)
}

/// Counts an answer by what it says.
fn count(answers: &mut BTreeMap<String, usize>, line: &str) {
    let answer: Json = serde_json::from_str(line).expect("JSON");
    let kind = answer["error"]["kind"].as_str();
    let said = kind.map_or_else(|| answer["synchronized"].to_string(), str::to_owned);
    *answers.entry(said).or_default() += 1;
}

/// What is urgent in it was done before, so that the report has a line for either.
#[test]
fn of_a_sync_under_pressure_the_urgent_part_is_done_and_the_rest_says_why_not() {
    let place = Place::new();
    let hub = ranked(&place);
    let mut silent = place.agent(&hub, "silent");
    silent.in_step();
    // Until it goes on, or its connection is given up, whatever asks all agents waits for it.
    silent.process.signal("STOP");
    let (agents, first, line) = fill(&place, &hub);

    // The critical key takes a place from what is less urgent, the background key loses it again.
    let keys = ["sync", "critical_1", "background_1"];
    let mut partial = Process::start(&[&keys[..], &["--hub", &hub.address]].concat());
    until(
        || {
            hub.client(&["sync", "k", "--timeout", "1"]);
            partial.child.try_wait().expect("it was running")
        },
        Option::is_some,
    );
    let said = partial.rest().join("\n");
    assert_eq!(partial.end().code(), Some(1), "{said}");
    let reason = "background_1: the hub ended a round over keys of background priority";
    for expected in ["Synchronized 1 of 2", reason, "one of medium priority"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }

    // Everybody is answered: those that there was room for, the one that gave way, those over the room.
    silent.process.signal("CONT");
    let mut answers = BTreeMap::new();
    count(&mut answers, &line);
    for (at, agent) in agents.iter().enumerate() {
        for _ in usize::from(at == first)..OF_ONE {
            count(&mut answers, &agent.process.line());
        }
    }
    let all = [("1", ROOM - 1), ("shed", 1), ("too-many-rounds", OF_ONE)];
    assert_eq!(answers, all.map(|(said, of)| (said.to_owned(), of)).into());
}
