//! What a peer may ask for where the hub keeps rights, and what it learns by it.

use sync_core::{
    Answer, Ask, Attempt, AuthorityAsk, Grant, Incarnation, Key, Pattern, Proposal, RequestError,
    Right, Role, SessionId, Token, Verdict, Vote,
};

use crate::ballots::{ID, proposal, that_writes, vote};
use crate::rights::{ask, govern, grant, table};
use crate::stage::{HubSide, key, put, talk, trio};

fn is_forbidden(reply: &sync_core::Reply) -> bool {
    matches!(reply, Err(RequestError::Forbidden { .. }))
}

#[test]
fn a_listing_tells_of_no_key_outside_the_right_not_even_where_to_go_on() {
    let (mut hub, mut a, _) = trio();
    for number in 0..1_200 {
        a.write(&format!("secret_{number}"), put(number));
    }
    a.write("task_1", put(1));
    talk(&mut hub, &mut [&mut a]);
    let mut rights = table();
    rights.push(grant("narrow", "task_*", &[Right::Read]));
    rights.push(grant("narrow", "*", &[Right::Admin]));
    govern(&mut hub, rights);
    let client = hub.connect(9, "narrow", Role::Client);
    let list = |pattern: &str| Ask::Keys {
        pattern: Pattern::new(pattern).expect("a pattern"),
        after: None,
    };
    let mut after = None;
    let mut found = Vec::new();
    loop {
        let asked = match list("task_*") {
            Ask::Keys { pattern, .. } => Ask::Keys { pattern, after },
            other => other,
        };
        let Ok(Answer::Keys { keys, next }) = ask(&mut hub, client, asked) else {
            panic!("no listing");
        };
        found.extend(keys.iter().cloned());
        assert!(next.iter().all(|key| key.as_str().starts_with("task_")));
        let Some(next) = next else { break };
        after = Some(next);
    }
    assert_eq!(found, [key("task_1")]);
    let refused = ask(&mut hub, client, list("*"));
    assert!(is_forbidden(&refused), "{refused:?}");
}

/// Held against every key it takes long, and only the pattern itself is granted: each answer ends in time
/// all the same, and the next one goes on from there.
#[test]
fn a_listing_that_finds_nothing_for_long_ends_in_time_and_names_nothing_but_what_it_finds() {
    let (mut hub, mut a, _) = trio();
    let long = |end: &str| format!("{}{end}", "a".repeat(1_000));
    let early = format!("A{}b", "a".repeat(100));
    for n in 0..300 {
        a.write(&long(&format!("{n:04}")), put(n));
    }
    for name in [&early, &long("b")] {
        a.write(name, put(1));
    }
    talk(&mut hub, &mut [&mut a]);
    let dear = format!("*?{}b*", "a".repeat(100));
    let mut rights = table();
    rights.push(grant("narrow", &dear, &[Right::Read]));
    rights.push(grant("narrow", "*", &[Right::Admin]));
    govern(&mut hub, rights);
    let client = hub.connect(9, "narrow", Role::Client);
    let (mut found, mut answers, mut after) = (Vec::new(), 0, None::<Key>);
    loop {
        let pattern = Pattern::new(&*dear).expect("a pattern");
        let asked = Ask::Keys { pattern, after };
        let Ok(Answer::Keys { keys, next }) = ask(&mut hub, client, asked) else {
            panic!("no listing");
        };
        found.extend(keys.iter().cloned());
        answers += 1;
        let Some(next) = next else { break };
        assert!(!next.as_str().starts_with('a') || found.contains(&next));
        after = Some(next);
    }
    assert_eq!(found, [key(&early), key(&long("b"))]);
    assert!(answers > 5, "{answers} answers for all that work");
}

#[test]
fn a_listing_looks_at_nothing_that_begins_otherwise() {
    let (mut hub, mut a, _) = trio();
    for n in 0..1_500 {
        a.write(&format!("a_{n}"), put(n));
    }
    for name in ["b_1", "b_2", "c"] {
        a.write(name, put(1));
    }
    talk(&mut hub, &mut [&mut a]);
    // So dear that a page ends after some hundred keys.
    let text = format!("b_*?{}*", "x?".repeat(120));
    for (pattern, after) in [
        (text.as_str(), None),
        ("b_*", Some("a_7")),
        ("b_*", Some("c")),
    ] {
        let asked = Ask::Keys {
            pattern: Pattern::new(pattern).expect("a pattern"),
            after: after.map(key),
        };
        let Some(Ok(Answer::Keys { keys, next: None })) = hub.ask(asked) else {
            panic!("it ends behind what begins so: {pattern}");
        };
        let expected = if after == Some("a_7") { 2 } else { 0 };
        assert_eq!(keys.len(), expected, "{pattern} after {after:?}");
    }
}

#[test]
fn who_administers_a_swarm_without_reading_it_sees_who_there_is_and_nothing_of_its_keys() {
    let (mut hub, mut a, _) = trio();
    a.write("plan", put(1));
    talk(&mut hub, &mut [&mut a]);
    let mut rights = table();
    rights.push(grant("boss", "*", &[Right::Admin]));
    govern(&mut hub, rights);
    let mut seen = |session, name: &str| {
        let client = hub.connect(session, name, Role::Client);
        match ask(&mut hub, client, Ask::Status) {
            Ok(Answer::Status(status)) => (status.members.len(), status.keys),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(seen(7, "boss"), (2, 0));
    assert_eq!(seen(8, "nobody"), (0, 0));
    assert_eq!(seen(9, "c"), (2, 1));
}

#[test]
fn a_synchronization_names_nobody_to_who_may_not_read_the_whole_swarm() {
    let (mut hub, mut a, _) = trio();
    let mut rights = table();
    rights.push(grant("narrow", "task_*", &[Right::Read]));
    govern(&mut hub, rights);
    let mut sync = |session, name: &str, keys: &[&str]| {
        let client = hub.connect(session, name, Role::Client);
        let keys: Vec<_> = keys.iter().map(|k| key(k)).collect();
        let asked = Ask::Sync {
            keys: keys.into(),
            timeout_ms: Some(1_000),
        };
        hub.said.clear();
        let body = sync_core::Body::Request {
            request: 7,
            ask: asked,
        };
        hub.hear(client, body);
        talk_to(&mut hub, &mut a, client)
    };
    assert!(is_forbidden(&sync(7, "nobody", &[])));
    assert!(is_forbidden(&sync(8, "narrow", &[])));
    let Ok(Answer::Synced(report)) = sync(9, "narrow", &["task_1"]) else {
        panic!("it may read that");
    };
    let named = [&report.responded, &report.missing, &report.in_step];
    assert!(named.iter().all(|names| names.is_empty()), "{report:?}");
    let Ok(Answer::Synced(report)) = sync(10, "c", &["task_1"]) else {
        panic!("it may read everything");
    };
    assert_eq!(
        report.responded.len() + report.missing.len(),
        2,
        "{report:?}"
    );
}

/// Lets one member answer, time pass, and returns what a client is told.
fn talk_to(
    hub: &mut HubSide,
    a: &mut crate::stage::AgentSide,
    client: SessionId,
) -> sync_core::Reply {
    for _ in 0..8 {
        hub.settle();
        let told = hub.said.iter().find(|(to, _)| *to == client);
        if let Some((_, message)) = told {
            return crate::stage::read_reply(message).expect("a whole one");
        }
        crate::hand::deliver(hub, a, |_| true);
        crate::hand::say(hub, a);
        hub.pass(std::time::Duration::from_secs(1));
    }
    panic!("no answer");
}

fn propose(hub: &mut HubSide, session: SessionId, proposal: Proposal) -> Option<sync_core::Reply> {
    hub.said.clear();
    let ask = Ask::Propose(Box::new(proposal));
    hub.hear(session, sync_core::Body::Request { request: 7, ask });
    hub.settle();
    let mut said = hub.said.iter().filter(|(to, _)| *to == session);
    said.find_map(|(_, message)| crate::stage::read_reply(message))
}

#[test]
fn who_has_no_right_at_all_opens_no_vote() {
    let (mut hub, _, _) = trio();
    let mut rights = table();
    rights.push(grant("narrow", "task_*", &[Right::Read]));
    govern(&mut hub, rights);
    let nobody = hub.connect(7, "nobody", Role::Client);
    let refused = propose(&mut hub, nobody, proposal(|_| {}));
    assert!(refused.is_some_and(|reply| is_forbidden(&reply)));
    assert_eq!(hub.hub.open_proposals().count(), 0);
    let narrow = hub.connect(8, "narrow", Role::Client);
    assert!(propose(&mut hub, narrow, proposal(|_| {})).is_none());
    assert_eq!(hub.hub.open_proposals().count(), 1);
}

#[test]
fn what_is_approved_is_not_written_for_who_has_lost_the_right_meanwhile() {
    for keeps in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        let mut rights = table();
        rights.push(grant("c", "plan", &[Right::Write]));
        govern(&mut hub, rights.clone());
        let client = hub.connect(7, "c", Role::Client);
        assert!(propose(&mut hub, client, that_writes("plan", put("agreed"))).is_none());
        talk(&mut hub, &mut [&mut a, &mut b]);
        if !keeps {
            rights.pop();
            govern(&mut hub, rights);
        }
        for agent in [&mut a, &mut b] {
            vote(agent, Vote::For);
        }
        talk(&mut hub, &mut [&mut a, &mut b]);
        let decision = hub.hub.decisions().next().expect("it is decided").clone();
        assert_eq!(
            (decision.proposal, decision.verdict),
            (ID, Verdict::Approved)
        );
        let why = decision.not_committed.unwrap_or_default();
        assert_eq!(
            why.contains("no right to write the key plan"),
            !keeps,
            "{why}"
        );
        assert_eq!(hub.value("plan").is_some(), keeps);
    }
}

fn decide(hub: &mut HubSide, session: SessionId, asked: AuthorityAsk) -> sync_core::Reply {
    let attempt = Attempt {
        run: Incarnation::from_random(session.0),
        number: 1,
        answered: 0,
        again: false,
    };
    let asked = Ask::Authority {
        attempt,
        ask: asked,
    };
    ask(hub, session, asked)
}

/// Each kind of answer tells something of the key: its version, or who holds it.
#[test]
fn nothing_that_the_hub_decides_is_told_to_who_may_not_read_the_key() {
    use crate::deciding::{commit, expect, set};

    let token: Token = "0000000000000001:1".parse().expect("a token");
    let asked = || {
        let task = || key("task_1");
        vec![
            AuthorityAsk::Claim {
                key: task(),
                lease_ms: 1_000,
            },
            AuthorityAsk::Renew {
                key: task(),
                token,
                lease_ms: 1_000,
            },
            AuthorityAsk::Release { key: task(), token },
            commit(Vec::new(), vec![set("task_1", 1)]),
            commit(vec![expect("task_1", 0)], Vec::new()),
            commit(
                vec![sync_core::Expectation::Claim { key: task(), token }],
                Vec::new(),
            ),
        ]
    };
    let cases: [(&[Right], bool); 3] = [
        (&[Right::Write], true),
        (&[Right::Read], true),
        (&[Right::Read, Right::Write], false),
    ];
    for (rights, refused) in cases {
        for (number, asked) in (1..).zip(asked()) {
            let mut hub = HubSide::new();
            let grants: Vec<Grant> = vec![grant("w", "task_*", rights)];
            govern(&mut hub, grants);
            let client = hub.connect(number, "w", Role::Client);
            let what = format!("{rights:?}: {asked:?}");
            // To compare with a version is to read.
            let only_reads = number == 5 && rights.contains(&Right::Read);
            let reply = decide(&mut hub, client, asked);
            assert_eq!(
                is_forbidden(&reply),
                refused && !only_reads,
                "{what}: {reply:?}"
            );
        }
    }
}
