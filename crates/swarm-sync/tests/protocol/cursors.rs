//! Deltas, pages, re-entry after a hub lost its disk or an agent met another hub.

use std::time::Duration;

use sync_core::{Answer, Ask, Body, Operation, Revision, Since, Value};

use crate::hand::say;
use crate::stage::{AgentSide, HubSide, assert_equal, bodies, hub_config, key, put, talk, trio};

#[test]
fn an_agent_that_was_away_reads_only_what_changed() {
    let (mut hub, mut a, mut b) = trio();
    for n in 0..100 {
        a.write(&format!("k{n}"), put("x".repeat(1_000).as_str()));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.cut(&mut hub);
    a.write("k1", put(1));
    a.write("k2", Operation::Delete);
    talk(&mut hub, &mut [&mut a]);
    b.connect(&mut hub, 3);
    let session = b.session.unwrap();
    for message in std::mem::take(&mut b.said) {
        hub.hear(session, message);
    }
    hub.settle();
    let bytes: usize = hub
        .said
        .iter()
        .filter(|(to, _)| *to == session)
        .map(|(_, m)| m.segment_bytes())
        .sum();
    assert!(bytes < 1_000, "{bytes} bytes for two small changes");
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!((b.value("k1"), b.value("k2")), (Some(Value::Int(1)), None));
}

#[test]
fn pages_and_parts_arrive_whole() {
    let mut config = hub_config();
    config.limits.page_bytes = 2_000;
    let mut hub = HubSide::with(config);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    for n in 0..300 {
        a.write("large", Operation::Insert(Value::Int(n)));
        a.write(&format!("k{n}"), put(n));
    }
    for n in 0..100 {
        a.write("large", Operation::Remove(Value::Int(n * 2)));
    }
    talk(&mut hub, &mut [&mut a]);
    let mut b = AgentSide::new("b");
    b.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert!(matches!(b.value("large"), Some(Value::List(items)) if items.len() == 200));
}

#[test]
fn a_cursor_moves_only_with_what_it_speaks_of() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    let before = b.replica.cursor();
    b.connect(&mut hub, 3);
    for message in std::mem::take(&mut b.said) {
        hub.hear(b.session.unwrap(), message);
    }
    hub.settle();
    for (_, message) in std::mem::take(&mut hub.said) {
        b.hear(message);
    }
    // Applied, not durable: a crash takes both back, or neither.
    assert_ne!(b.replica.cursor(), before);
    b.restart();
    assert_eq!(b.replica.cursor(), before);
    assert_eq!(b.value("k"), None);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_restarted_hub_serves_the_cursors_of_its_earlier_runs() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let epoch = hub.hub.epoch();
    hub.restart();
    assert_ne!(hub.hub.epoch(), epoch);
    b.connect(&mut hub, 3);
    for message in std::mem::take(&mut b.said) {
        hub.hear(b.session.unwrap(), message);
    }
    hub.settle();
    let replies = bodies(&hub.said, b.session.unwrap());
    let up_to_date = |body: &&Body| {
        let Body::DeltaReply { outcome, .. } = body else {
            return false;
        };
        matches!(outcome, sync_core::DeltaOutcome::UpToDate { .. })
    };
    assert!(replies.iter().any(up_to_date), "{replies:?}");
}

#[test]
fn a_hub_whose_disk_was_rolled_back_gets_everything_back() {
    let (mut hub, mut a, mut b) = trio();
    a.write("old", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let backup = hub.disk.image();
    for n in 0..5 {
        a.write("new", put(n));
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    b.write("n", Operation::Add(7));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let (revision, met) = (
        hub.hub.revision(),
        hub.hub.keyspace().get(&key("new")).unwrap().version(),
    );

    hub.disk.restore(backup);
    hub.restart();
    assert_eq!(hub.value("new"), None);
    a.connect(&mut hub, 3);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("new"), Some(Value::Int(4)));
    assert_eq!(hub.value("n"), Some(Value::Int(7)));
    assert_equal(&hub, &[&a, &b]);
    let version = hub.hub.keyspace().get(&key("new")).unwrap().version();
    assert!(version >= met, "{version} after {met}");
    // The lost numbers are never given out again.
    a.write("later", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(hub.hub.revision() > revision);
}

#[test]
fn an_agent_of_another_hub_is_joined_and_not_wiped() {
    let (mut first, mut a, _) = trio();
    a.write("mine", put(1));
    talk(&mut first, &mut [&mut a]);
    a.cut(&mut first);
    let mut second = HubSide::new();
    let mut b = AgentSide::new("b");
    b.connect(&mut second, 1);
    b.write("theirs", put(2));
    talk(&mut second, &mut [&mut b]);
    second.restart();
    a.connect(&mut second, 2);
    b.connect(&mut second, 3);
    talk(&mut second, &mut [&mut a, &mut b]);
    assert_equal(&second, &[&a, &b]);
    assert_eq!(a.value("theirs"), Some(Value::Int(2)));
    assert_eq!(b.value("mine"), Some(Value::Int(1)));
}

#[test]
fn a_position_ahead_of_the_hub_is_never_answered_with_nothing() {
    let (mut hub, ..) = trio();
    let ahead = Since::Revision(Revision::new(1_000));
    let error = hub
        .ask(Ask::Delta(ahead))
        .expect("at once")
        .expect_err("it is ahead");
    assert_eq!(error.kind(), "ahead");
    let Some(Ok(Answer::Delta(delta))) = hub.ask(Ask::Delta(Since::START)) else {
        panic!()
    };
    assert!(delta.changes.is_empty());
}

/// How long it was on its way nobody knows: what has come since may be on its way, too.
#[test]
fn an_update_does_not_tell_that_nothing_is_newer() {
    let (mut hub, mut a, mut b) = trio();
    let age = |b: &AgentSide| b.replica.age(b.now()).expect("it was in step");
    assert_eq!(age(&b), Duration::ZERO);
    a.write("k", put(1));
    say(&mut hub, &mut a);
    hub.settle();
    b.mono += Duration::from_secs(7);
    let late = std::mem::take(&mut hub.said);
    for (to, message) in late {
        if Some(to) == b.session {
            b.hear(message);
        }
    }
    b.settle();
    assert_eq!(b.value("k"), Some(1.into()));
    assert_eq!(age(&b), Duration::from_secs(7));
    // An answer does, as of when it was asked for.
    b.replica.hasten_beat(b.now());
    b.settle();
    b.mono += Duration::from_secs(1);
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(age(&b), Duration::from_secs(1));
}
