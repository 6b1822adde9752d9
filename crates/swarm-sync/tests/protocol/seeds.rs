//! Schedules under which the machines once broke a promise, found by the simulation and told by hand.

use std::time::Duration;

use sync_core::{
    Answer, Ask, Body, Cursor, DeltaOutcome, MergeRule, Message, Operation, Pattern, Policy,
    Reason, Receipt, Revision, Role, SessionId, Value,
};

use crate::stage::{
    AgentSide, HubSide, assert_equal, bodies, hub_config, key, put, read_reply, talk, trio,
};

fn deliver(hub: &mut HubSide, agent: &mut AgentSide, wanted: impl Fn(&Body) -> bool) {
    hub.settle();
    let session = agent.session.expect("connected");
    let said = std::mem::take(&mut hub.said);
    for (_, message) in said
        .into_iter()
        .filter(|(to, m)| *to == session && wanted(&m.body))
    {
        agent.hear(message);
    }
    agent.settle();
}

fn say(hub: &mut HubSide, agent: &mut AgentSide) {
    agent.settle();
    let session = agent.session.expect("connected");
    for message in std::mem::take(&mut agent.said) {
        hub.hear(session, message);
    }
}

fn is_mismatch(body: &Body) -> bool {
    let Body::DeltaReply { outcome, .. } = body else {
        return false;
    };
    matches!(outcome, DeltaOutcome::EpochMismatch { .. })
}

/// A cursor from before the push was confirmed looks valid to a hub that lost the push.
#[test]
fn a_hub_that_lost_a_confirmed_push_is_found_out() {
    let (mut hub, mut a, _) = trio();
    let backup = hub.disk.image();
    a.write("k", put("mine"));
    say(&mut hub, &mut a);
    // The confirmation arrives, the update does not: the cursor stays where it was.
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::Committed { .. })
    });
    assert_eq!(a.replica.pending_writes(), 0);
    a.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), Some("mine".into()));
    assert_equal(&hub, &[&a]);
}

/// Known numbers go back with the disk, and the hub gives the numbers of clients itself.
#[test]
fn a_client_never_gets_one_id_for_two_writes() {
    let mut hub = HubSide::new();
    let backup = hub.disk.image();
    let write = |hub: &mut HubSide| {
        let session = hub.connect(9, "client", Role::Client);
        let (key, operation) = (key("k"), put(1));
        let ask = Ask::Write {
            key,
            operation,
            metadata: None,
        };
        hub.hear(session, Message::from(Body::Request { request: 1, ask }));
        hub.settle();
        let said = std::mem::take(&mut hub.said);
        let ids = said
            .into_iter()
            .filter_map(|(_, message)| match read_reply(&message) {
                Some(Ok(Answer::Written(ack))) => ack.write_id,
                _ => None,
            });
        ids.collect::<Vec<_>>()
    };
    let first = write(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    let second = write(&mut hub);
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
}

/// The register write covers the delete, so the delete alone would seem superfluous.
#[test]
fn a_delete_takes_place_although_the_write_on_top_of_it_is_refused() {
    let mut config = hub_config();
    config.limits.value_bytes_max = 32;
    let mut hub = HubSide::with(config);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    a.write("k", Operation::Add(5));
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    a.write("k", Operation::Delete);
    a.write("k", put("x".repeat(100)));
    a.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), None);
    assert_eq!(a.value("k"), None);
    assert_equal(&hub, &[&a]);
    assert!(matches!(a.receipts[..], [ref r] if matches!(r.reason, Reason::TooLarge { .. })));
}

/// First in the answer to a round, then in a push that was under way.
#[test]
fn a_refused_write_covers_nothing_when_it_comes_again() {
    let mut config = hub_config();
    config.limits.value_bytes_max = 32;
    let mut hub = HubSide::with(config);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    a.write("k", put("kept"));
    talk(&mut hub, &mut [&mut a]);
    a.write("k", put("x".repeat(100)));
    let push = std::mem::take(&mut a.said);
    let sync = Ask::Sync {
        keys: vec![key("k")].into(),
        timeout_ms: None,
    };
    assert!(hub.ask(sync).is_none(), "it waits for the answer");
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::StateRequest { .. })
    });
    say(&mut hub, &mut a);
    hub.settle();
    assert_eq!(hub.hub.receipts().count(), 1);
    a.said = push;
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), Some("kept".into()));
    assert_eq!(a.value("k"), Some("kept".into()));
    assert_equal(&hub, &[&a]);
    assert_eq!(a.receipts.len(), 1);
}

/// The update that covers the loser is here, its receipt is gone with the hub's disk.
#[test]
fn a_fate_that_only_the_lost_hub_knew_is_told_as_unknown() {
    let (mut hub, mut a, mut b) = trio();
    a.write("other", put(0));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let backup = hub.disk.image();
    b.cut(&mut hub);
    a.write("k", put("early"));
    b.mono += Duration::from_millis(5);
    b.write("k", put("late"));
    talk(&mut hub, &mut [&mut a]);
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut b]);
    let session = a.session.expect("connected");
    assert!(hub.hub.receipts().count() > 0, "nobody has taken it");
    // `talk` has thrown away what was for `a`: it reads the change, but not the receipt.
    a.pass(Duration::from_secs(1));
    say(&mut hub, &mut a);
    for _ in 0..4 {
        deliver(&mut hub, &mut a, |body| {
            !matches!(body, Body::Receipts { .. })
        });
        say(&mut hub, &mut a);
    }
    assert_eq!((a.value("k"), a.receipts.len()), (Some("late".into()), 0));
    hub.hub.handle_disconnected(hub.now(), session);
    a.session = None;
    a.replica.handle_link_down(a.now());
    b.cut(&mut hub);
    a.restart();
    hub.disk.restore(backup);
    hub.restart();
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut b]);
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(a.value("k"), Some("late".into()));
    let told = a
        .receipts
        .iter()
        .find(|r| r.key == key("k"))
        .expect("it is told");
    assert_eq!(told.reason, Reason::Unknown);
    assert_eq!(told.discarded.value(), Some("early".into()));
}

/// Of two runs that share their first revision, the one that was opened later comes later.
#[test]
fn runs_that_committed_nothing_do_not_confuse_cursors() {
    let (mut hub, mut a, mut b) = trio();
    a.cut(&mut hub);
    b.cut(&mut hub);
    for _ in 0..6 {
        hub.restart();
    }
    a.connect(&mut hub, 3);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    for session in 4..8 {
        hub.restart();
        a.connect(&mut hub, session);
        talk(&mut hub, &mut [&mut a]);
        let mut replies = bodies(&hub.said, SessionId(session));
        replies.retain(|body| is_mismatch(body));
        assert!(replies.is_empty(), "{replies:?}");
        a.cut(&mut hub);
    }
    assert_equal(&hub, &[&a]);
}

#[test]
fn what_was_to_be_said_is_not_said_through_the_next_connection() {
    let (mut hub, mut a, _) = trio();
    a.begin("k", put(1));
    // The push waits for the disk, and the connection ends meanwhile.
    a.cut(&mut hub);
    a.connect(&mut hub, 3);
    a.settle();
    assert!(
        matches!(a.said[0].body, Body::DeltaRequest { .. }),
        "{:?}",
        a.said
    );
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), Some(Value::Int(1)));
}

#[test]
fn a_late_question_does_not_unsettle_a_connection() {
    let (mut hub, mut a, _) = trio();
    let session = a.session.expect("connected");
    a.cut(&mut hub);
    let old = Cursor {
        epoch: sync_core::Epoch::from_random(77),
        revision: Revision::new(9),
        head: Revision::new(9),
    };
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    let question = Body::DeltaRequest {
        request: 1,
        cursor: Some(old),
        resume: None,
        policies: 0,
    };
    hub.hear(SessionId(3), Message::from(question));
    hub.settle();
    assert!(bodies(&hub.said, session).is_empty());
    hub.said.clear();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), Some(Value::Int(1)));
    assert_equal(&hub, &[&a]);
}

#[test]
fn a_member_that_comes_back_does_not_cost_the_deadline() {
    let (mut hub, mut a, mut b) = trio();
    let sync = Ask::Sync {
        keys: vec![key("k")].into(),
        timeout_ms: None,
    };
    hub.hub.handle_ask(hub.now(), 7, sync);
    hub.settle();
    // The question to `b` is lost with its connection, whose end the hub has not noticed.
    hub.said.retain(|(to, _)| Some(*to) != b.session);
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let Some(Ok(Answer::Synced(report))) = hub.take_answer(7) else {
        panic!("it still waits");
    };
    assert_eq!((report.responded.len(), report.missing.len()), (1, 1));
}

#[test]
fn an_agent_whose_clock_was_put_right_may_write_again() {
    let (mut hub, mut a, mut b) = trio();
    b.ahead_ms = 365 * 24 * 3_600_000;
    b.write("k", put("from the future"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.ahead_ms = 0;
    b.write("k", put("now"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some("now".into()));
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(b.receipts.len(), 1, "{:?}", b.receipts);
}

#[test]
fn a_restarted_hub_knows_what_was_pushed() {
    let (mut hub, mut a, _) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    hub.restart();
    a.connect(&mut hub, 3);
    a.write("k", put(2));
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    say(&mut hub, &mut a);
    hub.settle();
    let said = bodies(&hub.said, SessionId(3));
    assert!(
        !said.iter().any(|body| matches!(body, Body::Gap { .. })),
        "{said:?}"
    );
    assert_eq!(hub.value("k"), Some(Value::Int(2)));
}

fn merged_by(function: &str) -> Policy {
    let mut policy = Policy::new(Pattern::new("*").expect("a pattern"));
    policy.rule = Some(MergeRule::Custom);
    policy.merge = Some(function.to_owned());
    policy
}

/// A table that names another function does not wait for other values, be the first one still at work or
/// has it failed.
#[test]
fn a_function_is_asked_as_soon_as_the_table_names_it() {
    for failed in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        hub.govern(vec![merged_by("wrong")]);
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        a.write("k", put(1));
        b.write("k", put(2));
        a.connect(&mut hub, 3);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let (wrong, _) = hub.merges.pop().expect("a merge was asked for");
        if failed {
            let no = Err("no idea".to_owned());
            hub.hub.handle_merged(hub.now(), wrong, no);
        }
        hub.govern(vec![merged_by("right")]);
        let (right, _) = hub.merges.pop().expect("the other function is asked");
        hub.hub.handle_merged(hub.now(), wrong, Ok(Value::Int(8)));
        hub.hub.handle_merged(hub.now(), right, Ok(Value::Int(9)));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(hub.value("k"), Some(Value::Int(9)));
        assert_equal(&hub, &[&a, &b]);
        let by_right =
            |r: &Receipt| matches!(&r.reason, Reason::Merged { by, .. } if by == "right");
        assert!(a.receipts.iter().chain(&b.receipts).all(by_right));
    }
}

/// As long as a value is there that the table's rule does not hold, its own rule goes on.
#[test]
fn a_value_that_the_table_does_not_fit_can_be_replaced() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let mut counter = Policy::new(Pattern::new("*").expect("a pattern"));
    counter.rule = Some(MergeRule::Counter);
    hub.govern(vec![counter]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let ask = Ask::Write {
        key: key("k"),
        operation: put(2),
        metadata: None,
    };
    assert!(matches!(hub.ask(ask), Some(Ok(Answer::Written(_)))));
    assert_eq!(hub.value("k"), Some(Value::Int(2)), "it was acknowledged");
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("k", put(3));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(Value::Int(3)));
    assert!(b.receipts.is_empty(), "{:?}", b.receipts);
    b.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("k", Operation::Add(4));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(Value::Int(4)));
    assert_equal(&hub, &[&a, &b]);
}

/// The delete was made before there was a table, or by an agent that had not heard of it.
#[test]
fn values_that_are_kept_do_not_lose_against_an_earlier_rules_delete() {
    let mut keep = Policy::new(Pattern::new("*").expect("a pattern"));
    keep.rule = Some(MergeRule::Causal);
    for table_first in [false, true] {
        let (mut hub, mut a, mut b) = trio();
        a.write("k", put(1));
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        a.mono += Duration::from_millis(5);
        a.write("k", Operation::Delete);
        if table_first {
            hub.govern(vec![keep.clone()]);
            b.write("k", put(2));
            talk(&mut hub, &mut [&mut b]);
        }
        b.cut(&mut hub);
        b.write("k", put(3));
        a.connect(&mut hub, 3);
        talk(&mut hub, &mut [&mut a]);
        hub.govern(vec![keep.clone()]);
        b.connect(&mut hub, 4);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(hub.value("k"), Some(Value::Int(3)), "{table_first}");
        assert!(b.receipts.is_empty(), "{:?}", b.receipts);
        assert_equal(&hub, &[&a, &b]);
    }
}

#[test]
fn a_table_changed_while_the_hub_was_down_decides_what_was_kept() {
    let (mut hub, mut a, mut b) = trio();
    let mut keep = Policy::new(Pattern::new("*").expect("a pattern"));
    keep.rule = Some(MergeRule::Causal);
    hub.govern(vec![keep]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    b.write("k", put(1));
    a.mono += Duration::from_millis(5);
    a.write("k", put(2));
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.policies = std::sync::Arc::default();
    hub.restart();
    hub.pass(Duration::from_millis(1));
    for (agent, session) in [(&mut a, 7), (&mut b, 8)] {
        agent.session = None;
        agent.replica.handle_link_down(agent.now());
        agent.connect(&mut hub, session);
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    let state = hub.hub.keyspace().get(&key("k")).expect("known");
    assert_eq!(state.entry().live_count(), 1);
    assert_eq!((a.receipts.len(), b.receipts.len()), (0, 1));
    assert_equal(&hub, &[&a, &b]);
}

/// The end of the own write comes with the repair that another one calls for, its receipt never.
#[test]
fn a_write_that_a_repair_ends_is_not_lost_with_the_hubs_disk() {
    let mut config = hub_config();
    config.limits.value_bytes_max = 32;
    config.limits.receipts_per_message = 1;
    let mut hub = HubSide::with(config);
    let (mut a, mut b) = (AgentSide::new("a"), AgentSide::new("b"));
    a.connect(&mut hub, 1);
    b.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let field = |name: &str, value: Value| Operation::PutField(name.to_owned(), value);
    a.cut(&mut hub);
    a.write("k", field("x", "x".repeat(100).into()));
    a.write("k", field("y", 1.into()));
    a.connect(&mut hub, 3);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::DeltaReply { .. })
    });
    b.mono += Duration::from_millis(5);
    b.write("k", field("y", 2.into()));
    say(&mut hub, &mut b);
    hub.settle();
    let backup = hub.disk.image();
    say(&mut hub, &mut a);
    // Both are committed; one receipt fits a message. No update arrives.
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::Committed { .. } | Body::Receipts { .. })
    });
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::RepairReply { .. })
    });
    assert_eq!(a.receipts.len(), 1, "{:?}", a.receipts);
    a.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a]);
    let lost = a.receipts.iter().map(|r| r.discarded.field_name());
    assert_eq!(lost.collect::<Vec<_>>(), [Some("x"), Some("y")]);
}
