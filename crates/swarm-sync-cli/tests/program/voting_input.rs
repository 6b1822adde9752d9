//! Proposals, votes and settings of votes that are refused, each with a sentence.

use serde_json::json;

use crate::support::{Agent, Hub, NO_HUB, Place, json_of, run, stderr, stdout};
use crate::voting::{agents, asked, decision, propose, vote};

/// What an agent is asked, and what its refusal says.
const WRONG: [(&str, &str); 21] = [
    (r#"{"op":"propose"}"#, "`propose` needs \"proposal\""),
    (
        r#"{"op":"propose","proposal":1,"algorithm":"raft"}"#,
        "knows quorum, unanimous",
    ),
    (
        r#"{"op":"propose","proposal":1,"algorithm":7}"#,
        "\"algorithm\": a string",
    ),
    (
        r#"{"op":"propose","proposal":1,"threshold":1.5}"#,
        "above 0 and at most 1",
    ),
    (
        r#"{"op":"propose","proposal":1,"threshold":0}"#,
        "above 0 and at most 1",
    ),
    (
        r#"{"op":"propose","proposal":1,"threshold":-0.5}"#,
        "above 0 and at most 1",
    ),
    (
        r#"{"op":"propose","proposal":1,"threshold":"most"}"#,
        "a number above 0",
    ),
    (
        r#"{"op":"propose","proposal":1,"timeout_ms":-1}"#,
        "at most 86400000",
    ),
    (
        r#"{"op":"propose","proposal":1,"timeout_ms":0}"#,
        "some time",
    ),
    (
        r#"{"op":"propose","proposal":1,"key":"k"}"#,
        "one of value, add",
    ),
    (
        r#"{"op":"propose","proposal":1,"value":2}"#,
        "one of value, add",
    ),
    (
        r#"{"op":"propose","proposal":1,"key":"k","value":2,"add":3}"#,
        "one of value",
    ),
    (r#"{"op":"propose","proposal":1,"key":"","value":2}"#, "key"),
    (
        r#"{"op":"propose","proposal":1,"key":"k","delete":false}"#,
        "true",
    ),
    (
        r#"{"op":"propose","proposal":1,"proposal_id":"no"}"#,
        "16 hexadecimal digits",
    ),
    (
        r#"{"op":"propose","proposal":1,"quorum":2}"#,
        "has no field \"quorum\"",
    ),
    (
        r#"{"op":"vote","vote":"for"}"#,
        "`vote` needs \"proposal_id\"",
    ),
    (
        r#"{"op":"vote","proposal_id":"0000000000000001"}"#,
        "\"for\", \"against\" or \"abstain\"",
    ),
    (
        r#"{"op":"vote","proposal_id":"0000000000000001","vote":"maybe"}"#,
        "\"for\", \"against\"",
    ),
    (
        r#"{"op":"vote","proposal_id":"x y","vote":"for"}"#,
        "16 hexadecimal digits",
    ),
    (
        r#"{"op":"vote","proposal_id":7,"vote":"for"}"#,
        "\"proposal_id\": a string",
    ),
];

#[test]
fn a_proposal_that_is_wrong_is_refused_before_anybody_is_asked() {
    let place = Place::new();
    let hub = place.hub();
    let [mut a] = agents(&place, &hub, ["a"]);
    for (request, expected) in WRONG {
        let read = serde_json::from_str(request).expect("it is JSON");
        let (_, message) = a.refused(read);
        assert!(message.contains(expected), "{request}: {message}");
        assert!(message.chars().count() < 400, "{message}");
    }
    let large = json!({"op": "propose", "proposal": "x".repeat(70_000)});
    let (_, message) = a.refused(large);
    assert!(message.contains("the limit is 65536"), "{message}");
    assert!(a.events.is_empty(), "nobody was asked: {:?}", a.events);
    let mut lonely = Agent::start(NO_HUB, "lonely", &place.path("lonely"));
    let (kind, _) = lonely.refused(json!({"op": "propose", "proposal": 1}));
    assert_eq!(kind, "unavailable");
}

#[test]
fn a_command_line_that_is_wrong_says_what_is_expected() {
    let place = Place::new();
    let hub = place.hub();
    let cases: [(&[&str], i32, &str); 17] = [
        (&[], 2, "<PROPOSAL>"),
        (&["1", "--threshold", "1.5"], 2, "above 0 and at most 1"),
        (&["1", "--threshold", "-0.1"], 2, "above 0 and at most 1"),
        (&["1", "--threshold", "NaN"], 2, "above 0 and at most 1"),
        (&["1", "--threshold", "most"], 2, "above 0 and at most 1"),
        (&["1", "--timeout", "10"], 2, "a unit"),
        (&["1", "--timeout", "25h"], 2, "up to a day"),
        (&["1", "--timeout", "0s"], 2, "more than nothing"),
        (&["1", "--key", "k"], 2, "--value"),
        (&["1", "--value", "2"], 2, "--key"),
        (&["1", "--key", "k", "--field", "f"], 2, "--value"),
        (&["1", "--field", "f", "--value", "2"], 2, "--key"),
        (&["1", "--key", "k", "--unset", ""], 2, "field"),
        (
            &["1", "--key", "k", "--unset", "f", "--value", "2"],
            2,
            "cannot be used with",
        ),
        (&["1", "--id", "xyz"], 2, "16 hexadecimal digits"),
        (&["1", "--id", "1"], 2, "16 hexadecimal digits"),
        // There is no roster.
        (&["1"], 1, "connect one to this swarm"),
    ];
    for (args, code, expected) in cases {
        let refused = hub.client(&[&["propose"], args].concat());
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    let [_a] = agents(&place, &hub, ["a"]);
    let refused = hub.client(&["propose", "1", "--algorithm", "raft"]);
    assert!(
        stderr(&refused).contains("knows quorum, unanimous"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(
        run(&["propose", "1", "--hub", NO_HUB]).status.code(),
        Some(3)
    );
}

#[test]
fn an_agent_that_has_left_for_good_counts_until_it_is_taken_off() {
    let place = Place::new();
    let hub = place.hub();
    let [mut stays, _, _] = agents(&place, &hub, ["stays", "left-1", "left-2"]);
    let mut vote_on = |timeout: &str| {
        propose(
            &mut stays,
            json!({"proposal": "alone", "timeout_ms": timeout.parse::<u64>().expect("a number")}),
        );
        let seen = asked(&mut stays);
        vote(&mut stays, &seen, "for", "");
        decision(&mut stays)
    };
    // The other two have ended with their processes; the hub may not have noticed yet.
    let undecided = vote_on("2000");
    assert_eq!(undecided["decision"], "timeout");
    let why = undecided["why"].as_str().expect("a reason");
    assert!(
        why.contains("2 of the roster's 3") && why.contains("(left-1, left-2): take those off"),
        "{why}"
    );
    let off = hub.client(&["unregister", "left-1"]);
    assert!(
        stdout(&off).starts_with("left-1 is off the roster"),
        "{off:?}"
    );
    let off = json_of(&hub.client(&["unregister", "left-2", "--json"]));
    assert_eq!(
        off,
        json!({"agent": "left-2", "unregistered": true, "was_connected": false})
    );
    let again = hub.client(&["unregister", "left-2", "--json"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("not on the roster"), "{again:?}");
    assert_eq!(vote_on("60000")["decision"], "approved");
    let there = hub.client(&["unregister", "stays"]);
    assert!(
        stdout(&there).contains("It was connected just now"),
        "{there:?}"
    );
}

#[test]
fn a_hub_is_told_who_decides_or_does_not_start() {
    let place = Place::new();
    let data = place.path("hub");
    let data = data.to_string_lossy();
    let cases: [(&[&str], &str); 7] = [
        (&["--algorithm", "raft"], "there are: quorum, unanimous"),
        (&["--weight", "a=-1"], "the agent a is -1"),
        (&["--weight", "a=NaN"], "the agent a is NaN"),
        (&["--weight", "a"], "AGENT=WEIGHT"),
        (&["--weight", "a=heavy"], "AGENT=WEIGHT"),
        (&["--weight", "a=1", "--weight", "a=2"], "twice"),
        (&["--vote-timeout", "0ms"], "more than nothing"),
    ];
    for (args, expected) in cases {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
        let refused = run(&[&serve, args].concat());
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    let more = [
        "--algorithm",
        "weighted",
        "--weight",
        "lead=5",
        "--vote-timeout",
        "5m",
    ];
    let hub = Hub::start_with(&place.path("weighted"), &more);
    let [mut lead, mut one, mut two] = agents(&place, &hub, ["lead", "one", "two"]);
    propose(&mut one, json!({"proposal": "weighed"}));
    let seen = asked(&mut two);
    assert_eq!(seen["algorithm"], "weighted");
    assert!(
        seen["remaining_ms"].as_u64().is_some_and(|ms| ms > 10_000),
        "{seen}"
    );
    vote(&mut two, &seen, "against", "");
    let seen = asked(&mut lead);
    vote(&mut lead, &seen, "for", "");
    let decided = decision(&mut one);
    assert_eq!(decided["decision"], "approved");
    let sums = json!({"for": 5.0, "against": 1.0, "abstain": 0.0, "all": 7.0});
    assert_eq!(
        (&decided["weights"], &decided["weighed"]),
        (&json!({"lead": 5.0}), &sums)
    );
    let id = decided["proposal_id"].as_str().expect("an id");
    let told = stdout(&hub.client(&["propose", "weighed", "--id", id]));
    assert!(
        told.contains("2 of 3 voted, in favour 5 of 7 by weight"),
        "{told}"
    );
    let status = stdout(&hub.client(&["status"]));
    assert!(
        status.contains("weighted") && !status.contains("quorum"),
        "{status}"
    );
}
