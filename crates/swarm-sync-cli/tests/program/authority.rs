//! Compare-and-set and claims from the command line and from a program.

use serde_json::json;

use crate::support::{Place, json_of, stderr, stdout};

#[test]
fn a_key_is_set_only_at_the_version_expected() {
    let place = Place::new();
    let hub = place.hub();
    let first = hub.client(&["cas", "owner", "a", "--expected", "0"]);
    assert_eq!(stdout(&first), "version 1\n", "{}", stderr(&first));
    let late = hub.client(&["cas", "owner", "b", "--expected", "0"]);
    assert_eq!(late.status.code(), Some(1));
    assert!(
        stderr(&late).contains("\"owner\" has version 1, no value was expected"),
        "{}",
        stderr(&late)
    );
    let told = json_of(&hub.client(&["cas", "owner", "b", "--expected", "0", "--json"]));
    assert_eq!(told["error"]["kind"], "conflict");
    assert_eq!(told["error"]["current"][0]["value"], "a");
    assert_eq!(told["error"]["current"][0]["version"], 1);
    let plain = hub.client(&["set", "owner", "c"]);
    assert!(
        stderr(&plain).contains("use compare-and-set"),
        "{}",
        stderr(&plain)
    );
    let gone = hub.client(&["cas", "owner", "--delete", "--expected", "1"]);
    assert_eq!(stdout(&gone), "deleted\n");
    assert!(hub.client(&["set", "owner", "c"]).status.success());
}

#[test]
fn an_attempt_that_is_repeated_is_decided_once() {
    let place = Place::new();
    let hub = place.hub();
    let attempt = [
        "cas",
        "k",
        "x",
        "--expected",
        "0",
        "--attempt",
        "00000000000000aa",
    ];
    assert_eq!(stdout(&hub.client(&attempt)), "version 1\n");
    let mut other = attempt;
    other[2] = "y";
    let other = hub.client(&other);
    assert!(
        stderr(&other).contains("was another request"),
        "{}",
        stderr(&other)
    );
    hub.client(&["cas", "k", "--delete", "--expected", "1"]);
    assert_eq!(stdout(&hub.client(&attempt)), "version 1\n");
    assert_eq!(
        hub.client(&["get", "k"]).status.code(),
        Some(1),
        "it was not done again"
    );
}

#[test]
fn a_claim_that_is_asked_for_again_is_the_same() {
    let place = Place::new();
    let hub = place.hub();
    let attempt = ["claim", "task", "--json", "--attempt", "00000000000000aa"];
    let first = json_of(&hub.client(&attempt));
    assert!(first["token"].is_string(), "{first}");
    assert_eq!(json_of(&hub.client(&attempt)), first);
    let another = json_of(&hub.client(&["claim", "task", "--json"]));
    assert_eq!(another["error"]["kind"], "claimed");
}

#[test]
fn a_claim_is_one_holders_and_fences_off_the_others() {
    let place = Place::new();
    let hub = place.hub();
    let claim = [
        "claim", "task", "--lease", "5m", "--name", "worker-1", "--json",
    ];
    let lease = json_of(&hub.client(&claim));
    let token = lease["token"].as_str().expect("a token").to_owned();
    assert_eq!(
        json_of(&hub.client(&["get", "task", "--json"]))["value"]["holder"],
        "worker-1"
    );
    let taken = hub.client(&["claim", "task"]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(
        stderr(&taken).contains("claimed by worker-1"),
        "{}",
        stderr(&taken)
    );
    let done = ["cas", "done", "1", "--if-claim", "task", "--token", &token];
    assert_eq!(stdout(&hub.client(&done)), "version 1\n");
    // The token is there for everybody to read.
    for verb in ["renew", "release"] {
        let by_another = hub.client(&[verb, "task", &token]);
        assert_eq!(by_another.status.code(), Some(1));
        let said = stderr(&by_another);
        assert!(said.contains("claimed by worker-1, and cli asks"), "{said}");
    }
    let named = ["--name", "worker-1"];
    let renew = ["renew", "task", &token, "--lease", "10s"];
    let renewed = hub.client(&[&renew[..], &named].concat());
    assert_eq!(stdout(&renewed), format!("{token} for 10s\n"));
    let release = ["release", "task", &token];
    let released = hub.client(&[&release[..], &named].concat());
    assert_eq!(stdout(&released), "released\n");
    let stale = hub.client(&done);
    assert_eq!(stale.status.code(), Some(1));
    assert!(stderr(&stale).contains("has ended"), "{}", stderr(&stale));
    let invented = "00000000000000ff:1";
    let never = hub.client(&[
        "cas",
        "done",
        "1",
        "--if-claim",
        "task",
        "--token",
        invented,
    ]);
    assert!(stderr(&never).contains("never had"), "{}", stderr(&never));
}

#[test]
fn what_cannot_be_asked_gets_a_sentence() {
    let place = Place::new();
    let hub = place.hub();
    let cases: [(&[&str], &str); 7] = [
        (&["cas", "k", "1", "--expected", "-1"], "expected a version"),
        (&["cas", "k", "1"], "--expected"),
        (&["cas", "k", "1", "--if-claim", "t"], "--token"),
        (&["claim", "k", "--lease", "0s"], "more than nothing"),
        (
            &["claim", "k", "--lease", "0"],
            "expected a whole number and a unit",
        ),
        (
            &["claim", "k", "--lease", "365d"],
            "the longest that this hub grants",
        ),
        (&["release", "k", "nonsense"], "EPOCH:REVISION"),
    ];
    for (args, words) in cases {
        let refused = hub.client(args);
        assert!(!refused.status.success(), "{args:?}");
        assert!(
            stderr(&refused).contains(words),
            "{args:?}: {}",
            stderr(&refused)
        );
    }
}

#[test]
fn a_program_compares_sets_and_claims() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "a");
    agent.ok(json!({"op": "wait"}));
    let set = agent.ok(json!({"op": "cas", "key": "k", "expected": 0, "value": "x"}));
    assert_eq!(set["version"], 1);
    let refused = agent.ask(json!({"op": "cas", "key": "k", "expected": 0, "value": "y"}));
    assert_eq!(refused["error"]["kind"], "conflict");
    assert_eq!(refused["error"]["current"][0]["value"], "x");
    let lease = agent.ok(json!({"op": "claim", "key": "t", "lease_ms": 60_000}));
    let token = lease["token"].clone();
    agent.ok(json!({"op": "renew", "key": "t", "token": token, "lease_ms": 60_000}));
    agent.ok(json!({
        "op": "cas", "key": "done", "expected": 0, "value": 1, "claim": "t", "token": token,
    }));
    // The claim is all that need be expected.
    let under = json!({"op": "cas", "key": "done", "value": 2, "claim": "t", "token": token});
    assert_eq!(agent.ok(under.clone())["version"], 2);
    let (kind, message) = agent.refused(json!({"op": "cas", "key": "k", "value": 1}));
    assert_eq!(kind, "bad-request");
    assert!(
        message.contains("0 if it must not exist") && message.contains("\"claim\""),
        "{message}"
    );
    for wrong in [json!(-1), json!("1"), json!(null)] {
        let mut request = under.clone();
        request["expected"] = wrong;
        assert_eq!(agent.refused(request).0, "bad-request");
    }
    agent.ok(json!({"op": "release", "key": "t", "token": token}));
    let stale = agent.ask(json!({"op": "release", "key": "t", "token": token}));
    assert_eq!(stale["error"]["kind"], "stale-token");
    let never = agent.ask(json!({"op": "claim", "key": "t", "lease_ms": 0}));
    assert_eq!(never["error"]["kind"], "invalid");
    for mut request in [
        json!({"op": "cas", "key": "u", "expected": 0, "value": 1}),
        json!({"op": "claim", "key": "u", "lease_ms": 1_000}),
        json!({"op": "renew", "key": "u", "token": token, "lease_ms": 1_000}),
        json!({"op": "release", "key": "u", "token": token}),
    ] {
        request["timeout_ms"] = json!(3_600_001);
        let (kind, message) = agent.refused(request.clone());
        assert_eq!(kind, "bad-request", "{request}");
        assert!(message.contains("at most 3600000"), "{message}");
    }
    agent.ok(json!({"op": "claim", "key": "u", "lease_ms": 1_000, "timeout_ms": 60_000}));
    agent.ok(json!({"op": "offline"}));
    let cut = agent.ask(json!({"op": "cas", "key": "k", "expected": 1, "value": "z"}));
    assert_eq!(cut["error"]["kind"], "unavailable");
}
