//! Rights at the machine: what they keep out, also of what comes sideways, and what changes with them.

use std::sync::Arc;

use sync_core::{
    Answer, Ask, Attempt, AuthorityAsk, Body, Grant, Incarnation, Operation, Pattern, Reason,
    RequestError, Right, Rights, Role,
};

use crate::stage::{
    AgentSide, HubSide, assert_equal, key, only_receipt, put, read_reply, talk, trio,
};

fn grant(agents: &str, keys: &str, rights: &[Right]) -> Grant {
    let pattern = |text: &str| Pattern::new(text).expect("a pattern");
    Grant {
        agents: pattern(agents),
        swarms: pattern("team"),
        keys: pattern(keys),
        rights: rights.to_vec(),
    }
}

/// Everybody reads all; `a` writes all, `b` only tasks.
fn table() -> Vec<Grant> {
    vec![
        grant("?", "*", &[Right::Read]),
        grant("a", "*", &[Right::Write]),
        grant("b", "task_*", &[Right::Write]),
    ]
}

fn govern(hub: &mut HubSide, grants: Vec<Grant>) {
    let rights = Rights::new(grants).expect("a few");
    hub.hub.set_rights(Some(Arc::new(rights)));
    hub.settle();
}

fn ask(hub: &mut HubSide, session: sync_core::SessionId, ask: Ask) -> sync_core::Reply {
    hub.said.clear();
    hub.hear(session, Body::Request { request: 7, ask });
    hub.settle();
    let said = hub.said.last().expect("an answer");
    read_reply(&said.1).expect("a whole one")
}

#[test]
fn what_its_writer_had_no_right_to_is_undone_and_the_rest_stands() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, table());
    a.write("plan", put("theirs"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("task_1", put("mine"));
    b.write("plan", put("mine"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(only_receipt(&b).reason, Reason::Forbidden);
    assert_eq!(hub.value("plan"), Some("theirs".into()));
    assert_eq!(hub.value("task_1"), Some("mine".into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_removal_without_the_right_is_undone_too() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, table());
    a.write("tags", Operation::Insert("x".into()));
    a.write("sum", Operation::Add(3));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("tags", Operation::Delete);
    b.write("sum", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.receipts.len(), 2, "{:?}", b.receipts);
    assert!(b.receipts.iter().all(|r| r.reason == Reason::Forbidden));
    assert_eq!(hub.value("sum"), Some(3.into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn what_is_written_while_cut_off_is_judged_by_the_rights_at_the_push() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    b.write("plan", put("mine"));
    govern(&mut hub, table());
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(only_receipt(&b).reason, Reason::Forbidden);
    assert_eq!(hub.value("plan"), None);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_hub_that_lost_its_disk_takes_a_key_back_only_from_who_may_write_it() {
    let (mut hub, mut a, mut b) = trio();
    govern(&mut hub, table());
    let backup = hub.disk.image();
    a.write("plan", put("1"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    for agent in [&mut a, &mut b] {
        agent.cut(&mut hub);
    }
    hub.disk.restore(backup);
    hub.restart();
    govern(&mut hub, table());
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(hub.value("plan"), None, "it might be made up");
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("plan"), Some("1".into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_replica_is_for_who_may_read_the_whole_swarm_also_once_that_changes() {
    let mut hub = HubSide::new();
    govern(&mut hub, table());
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    let waiting = hub.connect(4, "a", Role::Client);
    let other = hub.connect(5, "x", Role::Client);
    hub.settle();
    let mut narrow = table();
    narrow[0] = grant("x", "*", &[Right::Read]);
    govern(&mut hub, narrow);
    let refused = std::mem::take(&mut hub.refused);
    let told = |session, words: &str| {
        let mut refused = refused.iter();
        refused.any(|(to, why)| *to == session && why.contains(words))
    };
    let member = a.session.expect("it was connected");
    assert!(told(member, "no right to read all of it"), "{refused:?}");
    assert!(told(waiting, "have changed"), "{refused:?}");
    assert!(!told(other, ""), "nothing is new for it: {refused:?}");
    hub.connect(2, "a", Role::Member);
    hub.settle();
    assert_eq!(hub.refused.len(), 1, "and not let in again");
    assert!(hub.closed.is_empty(), "nobody broke the protocol");
    let client = hub.connect(3, "a", Role::Client);
    let read = ask(&mut hub, client, Ask::Get(key("task_1")));
    assert_eq!(read, Ok(Answer::State(None)));
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
    assert!(
        matches!(refused, Err(RequestError::Forbidden { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_claim_tells_nothing_of_a_key_that_its_asker_may_not_read() {
    let mut hub = HubSide::new();
    govern(&mut hub, vec![grant("w", "task_*", &[Right::Write])]);
    let client = hub.connect(1, "w", Role::Client);
    let claim = Ask::Authority {
        attempt: Attempt {
            run: Incarnation::from_random(1),
            number: 1,
            answered: 0,
            again: false,
        },
        ask: AuthorityAsk::Claim {
            key: key("task_1"),
            lease_ms: 1_000,
        },
    };
    let refused = ask(&mut hub, client, claim);
    let Err(RequestError::Forbidden { doing }) = refused else {
        panic!("{refused:?}");
    };
    assert!(doing.contains("read"), "{doing}");
}
