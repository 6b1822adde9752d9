//! Proposals, votes and decisions: through agents, from the command line, and with the hub killed in
//! between.

use serde_json::{Value as Json, json};

use crate::support::{Agent, Hub, Place, Process, json_of, stderr, stdout};

/// The next line of this kind that came by itself.
fn event(agent: &mut Agent, kind: &str) -> Json {
    loop {
        let next = if agent.events.is_empty() {
            agent.process.json()
        } else {
            agent.events.remove(0)
        };
        assert!(next["event"].is_string(), "{next}");
        if next["event"] == kind {
            return next;
        }
    }
}

/// The proposal that an agent is to vote on next.
pub(crate) fn asked(agent: &mut Agent) -> Json {
    event(agent, "proposal")
}

pub(crate) fn vote(agent: &mut Agent, proposal: &Json, vote: &str, reason: &str) -> Json {
    let id = &proposal["proposal_id"];
    agent.ok(json!({"op": "vote", "proposal_id": id, "vote": vote, "reason": reason}))
}

/// Agents of these names, in step.
pub(crate) fn agents<const N: usize>(place: &Place, hub: &Hub, names: [&str; N]) -> [Agent; N] {
    names.map(|name| {
        let mut agent = place.agent(hub, name);
        agent.in_step();
        agent
    })
}

/// Sends a proposal; the answer comes when it is decided.
pub(crate) fn propose(agent: &mut Agent, mut request: Json) {
    request["op"] = json!("propose");
    request["id"] = json!("decided");
    agent.process.send(request.to_string().as_bytes());
}

pub(crate) fn decision(agent: &mut Agent) -> Json {
    let answer = agent.answer(&json!("decided"));
    assert_eq!(answer["ok"], true, "{answer}");
    answer
}

#[test]
fn the_answer_to_a_proposal_is_the_whole_decision() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a, mut b, mut c] = agents(&place, &hub, ["a", "b", "c"]);
    let subject = json!({"action": "raise", "to": 100});
    propose(
        &mut a,
        json!({"proposal": subject, "key": "limit", "value": 100, "algorithm": "quorum",
               "threshold": 0.5, "timeout_ms": 60_000, "sync": true}),
    );
    let seen = asked(&mut b);
    assert_eq!(seen["proposal"], subject);
    assert_eq!(
        (&seen["proposer"], &seen["participants"]),
        (&json!("a"), &json!(3))
    );
    assert_eq!(
        (&seen["key"], &seen["value"]),
        (&json!("limit"), &json!(100))
    );
    assert_eq!(
        (&seen["algorithm"], &seen["threshold"]),
        (&json!("quorum"), &json!(0.5))
    );
    assert!(
        seen["remaining_ms"].as_u64().is_some_and(|ms| ms <= 60_000),
        "{seen}"
    );

    let counted = vote(&mut b, &seen, "against", "too high");
    assert_eq!(counted["vote"], "against");
    let own = asked(&mut a);
    vote(&mut a, &own, "for", "needed");
    let seen_by_c = asked(&mut c);
    vote(&mut c, &seen_by_c, "for", "fine");
    let decided = decision(&mut a);
    assert_eq!(decided["proposal_id"], seen["proposal_id"]);
    assert_eq!(
        (&decided["decision"], &decided["algorithm"]),
        (&json!("approved"), &json!("quorum"))
    );
    assert_eq!(
        (&decided["threshold"], &decided["participants"]),
        (&json!(0.5), &json!(["a", "b", "c"]))
    );
    let votes = json!([
        {"agent": "a", "vote": "for", "reason": "needed"},
        {"agent": "b", "vote": "against", "reason": "too high"},
        {"agent": "c", "vote": "for", "reason": "fine"},
    ]);
    assert_eq!(decided["votes"], votes);
    assert_eq!(decided["dissent"], json!([votes[1]]));
    assert!(decided["duration_ms"].is_u64(), "{decided}");
    assert_eq!(decided["committed"]["key"], "limit");
    assert_eq!(decided["synced"]["in_step"], json!(["a", "b", "c"]));
    // Whoever was asked hears of it, and holds it.
    let told = event(&mut b, "decided");
    assert_eq!(
        (&told["proposal_id"], &told["decision"]),
        (&seen["proposal_id"], &json!("approved"))
    );
    assert_eq!(b.value("limit"), 100);
    the_status_counts_one_approval(&hub);
}

#[track_caller]
fn the_status_counts_one_approval(hub: &Hub) {
    let status = stdout(&hub.client(&["status"]));
    assert!(
        status.contains("quorum") && status.contains("3 of 3"),
        "{status}"
    );
    let status = json_of(&hub.client(&["status", "--json"]));
    let counts = status["consensus"].as_array().expect("a list");
    let quorum = counts.iter().find(|one| one["algorithm"] == "quorum");
    assert_eq!(quorum.expect("it was used")["approved"], 1, "{status}");
}

fn voters(decided: &Json) -> Vec<&Json> {
    let votes = decided["votes"].as_array().expect("a list");
    votes.iter().map(|vote| &vote["agent"]).collect()
}

#[test]
fn a_hub_killed_in_the_middle_of_a_vote_counts_every_vote_once() {
    let place = Place::new();
    let hub = place.hub();
    let address = hub.address.clone();
    let [mut a, mut b, mut c] = agents(&place, &hub, ["a", "b", "c"]);
    propose(
        &mut a,
        json!({"proposal": "across a kill", "key": "n", "add": 1, "algorithm": "unanimous",
               "timeout_ms": 600_000}),
    );
    let seen = asked(&mut b);
    vote(&mut b, &seen, "for", "before the kill");
    // From afar the same way, and its hub dies as well.
    let afar = [
        "propose",
        "from afar",
        "--key",
        "n",
        "--add",
        "10",
        "--algorithm",
        "unanimous",
        "--timeout",
        "10m",
        "--json",
        "--hub",
        &address,
    ];
    let afar = Process::start(&afar);
    let other = asked(&mut b);
    // What approval writes is the command line's, which is told what becomes of it.
    assert_eq!(other["proposer"], "cli", "{other}");
    vote(&mut b, &other, "for", "before the kill");

    hub.process.kill();
    // A vote that is cast while there is no hub waits for the next one.
    let own = asked(&mut a);
    let id = json!("vote-of-a");
    let request = json!({"id": id, "op": "vote", "proposal_id": own["proposal_id"], "vote": "for"});
    a.process.send(request.to_string().as_bytes());
    let hub = Hub::start_at(&place.path("hub"), &address);
    let answered = a.answer(&id);
    // Cut off it is told so at once; had it not noticed yet, it waits. The vote stays all the same.
    let kind = answered["error"]["kind"].as_str();
    let kept = matches!(kind, Some("unavailable" | "deadline"));
    assert!(answered["ok"] == true || kept, "{answered}");
    let last = asked(&mut c);
    c.ok(json!({"op": "wait", "timeout_ms": 60_000}));
    vote(&mut c, &last, "for", "after the kill");
    let decided = decision(&mut a);
    assert_eq!(decided["decision"], "approved", "{decided}");
    assert_eq!(voters(&decided), ["a", "b", "c"]);
    assert_eq!(decided["votes"][1]["reason"], "before the kill");

    for agent in [&mut a, &mut c] {
        let seen = asked(agent);
        vote(agent, &seen, "for", "");
    }
    let decided = afar.json();
    assert_eq!(decided["decision"], "approved", "{decided}");
    assert_eq!(decided["votes"].as_array().map(Vec::len), Some(3));
    // Once each, whatever was asked again.
    assert_eq!(stdout(&hub.client(&["get", "n"])), "11\n");
    for agent in [&mut a, &mut b, &mut c] {
        agent.reads("n", &json!(11));
    }
}

#[test]
fn a_vote_that_does_not_count_is_answered_with_why() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a, mut b] = agents(&place, &hub, ["a", "b"]);
    propose(&mut a, json!({"proposal": "?", "timeout_ms": 600_000}));
    let seen = asked(&mut b);
    let id = &seen["proposal_id"];
    vote(&mut b, &seen, "for", "once");
    vote(&mut b, &seen, "for", "once");
    let argued = json!({"op": "vote", "proposal_id": id, "vote": "for", "reason": "twice"});
    assert_eq!(b.refused(argued).0, "already-voted");
    let against = json!({"op": "vote", "proposal_id": id, "vote": "against"});
    let (kind, message) = b.refused(against.clone());
    assert_eq!(kind, "already-voted");
    assert!(message.contains("has voted for"), "{message}");

    let [mut late] = agents(&place, &hub, ["late"]);
    let (kind, message) = late.refused(against.clone());
    assert_eq!(kind, "unknown-proposal");
    assert!(message.contains("joined the roster later"), "{message}");
    let unknown = json!({"op": "vote", "proposal_id": "00000000000000ff", "vote": "for"});
    let (_, message) = late.refused(unknown);
    assert!(
        message.contains("told of no proposal 00000000000000ff"),
        "{message}"
    );

    let own = asked(&mut a);
    vote(&mut a, &own, "for", "");
    let decided = decision(&mut a);
    assert_eq!(
        (&decided["decision"], &decided["committed"]),
        (&json!("approved"), &Json::Null)
    );
    let reason = "r".repeat(1_025);
    let long = json!({"op": "vote", "proposal_id": id, "vote": "for", "reason": reason});
    let (_, message) = a.refused(long);
    assert!(message.contains("1024"), "{message}");
}

#[test]
fn a_vote_on_an_id_that_stands_for_nothing_is_none_on_what_is_proposed_under_it() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a, mut b] = agents(&place, &hub, ["a", "b"]);
    let id = "00000000000000a7";
    for agent in [&mut a, &mut b] {
        let (kind, _) = agent.refused(json!({"op": "vote", "proposal_id": id, "vote": "for"}));
        assert_eq!(kind, "unknown-proposal");
    }
    propose(
        &mut a,
        json!({"proposal": "whatever", "proposal_id": id, "key": "k", "value": 1,
               "timeout_ms": 600_000}),
    );
    for agent in [&mut a, &mut b] {
        let seen = asked(agent);
        vote(agent, &seen, "against", "read it");
    }
    assert_eq!(decision(&mut a)["decision"], "rejected");
}

#[test]
fn proposals_from_afar_are_not_counted_as_those_of_one() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a] = agents(&place, &hub, ["a"]);
    let one = ["propose", "?", "--timeout", "10m", "--hub", &hub.address];
    let open: Vec<Process> = (0..17).map(|_| Process::start(&one)).collect();
    for _ in &open {
        asked(&mut a);
    }
}

#[test]
fn exit_codes_tell_approved_rejected_and_timeout_apart() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a, mut b] = agents(&place, &hub, ["a", "b"]);
    let command = |args: &[&str]| {
        let hub = ["--hub", &hub.address];
        Process::start(
            &[
                &["propose", "the subject", "--key", "k", "--value", "7"],
                args,
                &hub,
            ]
            .concat(),
        )
    };
    let mut approved = command(&["--sync"]);
    for agent in [&mut a, &mut b] {
        let seen = asked(agent);
        vote(agent, &seen, "for", "looks right");
    }
    assert_eq!(approved.end().code(), Some(0));
    let said = approved.rest().join("\n");
    for expected in [
        "approved by quorum",
        "2 of 2 voted",
        "committed k at",
        "looks right",
        "2 of 2 agents",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }

    let mut rejected = command(&["--algorithm", "unanimous"]);
    for agent in [&mut a, &mut b] {
        let seen = asked(agent);
        vote(agent, &seen, "against", "\u{1b}[31mnot now");
    }
    assert_eq!(rejected.end().code(), Some(5));
    let said = rejected.rest().join("\n");
    assert!(
        said.contains("rejected by unanimous") && !said.contains('\u{1b}'),
        "{said}"
    );

    let late = hub.client(&["propose", "nobody votes", "--timeout", "50ms", "--json"]);
    assert_eq!(late.status.code(), Some(6), "{}", stderr(&late));
    let decided = json_of(&late);
    assert_eq!(
        (&decided["decision"], &decided["votes"]),
        (&json!("timeout"), &json!([]))
    );
    assert_eq!(stdout(&hub.client(&["get", "k"])), "7\n");
    // The same under the same id is not asked again.
    let id = decided["proposal_id"].as_str().expect("an id");
    let again = [
        "propose",
        "nobody votes",
        "--timeout",
        "50ms",
        "--json",
        "--id",
        id,
    ];
    assert_eq!(json_of(&hub.client(&again)), decided);
}

#[cfg(unix)]
#[test]
fn who_stops_waiting_for_a_vote_has_been_told_its_id() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a] = agents(&place, &hub, ["a"]);
    let args = ["propose", "go", "--timeout", "10m", "--hub", &hub.address];
    let mut process = Process::start(&args);
    let said = process.logged("proposal ");
    let (_, id) = said.rsplit_once(' ').expect("an id");
    let seen = asked(&mut a);
    assert_eq!(seen["proposal_id"], id);
    // Not SIGINT, which a shell has what it runs in the background ignore.
    process.signal("TERM");
    assert!(!process.end().success());
    vote(&mut a, &seen, "for", "why not");
    let again = hub.client(&["propose", "go", "--timeout", "10m", "--id", id]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(!stderr(&again).contains(id), "who gave it knows it");
}
