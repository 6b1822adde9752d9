//! Writes that are answered once they have reached a level that their caller names.

use std::time::Duration;

use sync_core::{Ack, Durability, Operation, Reason, RequestError, Seq, WriteId};
use sync_protocol::{Command, Fate, Outcome, Wanted};

use crate::stage::{AgentSide, HubSide, hub_config, key, policy, put, talk, trio, trio_with};

fn write_to(agent: &mut AgentSide, value: i64, level: Durability, timeout: Duration) -> u64 {
    write_key_to(agent, "k", value, Wanted { level, timeout })
}

fn write_key_to(agent: &mut AgentSide, name: &str, value: i64, wanted: Wanted) -> u64 {
    let request = agent.command(Command::Write {
        key: key(name),
        operation: Operation::Put(value.into()),
        metadata: None,
        level: Some(wanted),
    });
    agent.settle();
    request
}

fn acknowledged(agent: &mut AgentSide, request: u64) -> Ack {
    match agent.answer(request) {
        Some(Ok(Outcome::Written(ack))) => ack,
        other => panic!("{other:?}"),
    }
}

const LONG: Duration = Duration::from_mins(1);

#[test]
fn what_its_writer_replaces_at_once_gets_as_far_as_was_asked() {
    let (mut hub, mut a, mut b) = trio();
    a.cut(&mut hub);
    let levels = [Durability::Hub, Durability::Replicas(1)];
    let first = levels.map(|level| write_to(&mut a, 1, level, LONG));
    // Once nobody waited for them, these would take their place on the way.
    a.write("k", put(2));
    a.write("k", put(3));
    assert!(first.iter().all(|request| a.answer(*request).is_none()));
    let before = hub.hub.revision();
    a.connect(&mut hub, 7);
    talk(&mut hub, &mut [&mut a, &mut b]);
    for (request, level) in first.into_iter().zip(levels) {
        let ack = acknowledged(&mut a, request);
        assert_eq!(ack.durability, level);
        assert!(ack.revision > Some(before), "{ack:?}");
    }
    assert_eq!(b.value("k"), Some(3.into()));
}

#[test]
fn no_write_is_made_for_a_level_that_the_replica_cannot_reach() {
    let mut hub = HubSide::new();
    let mut a = AgentSide::with("a", |config| config.durability = Durability::Memory);
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    let request = write_to(&mut a, 1, Durability::Disk, LONG);
    let Some(Err(error)) = a.answer(request) else {
        panic!("answered")
    };
    assert_eq!(error.kind(), "invalid");
    assert!(error.to_string().contains("in a directory"), "{error}");
    assert_eq!(a.value("k"), None);
    let request = write_to(&mut a, 1, Durability::Hub, LONG);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(acknowledged(&mut a, request).durability, Durability::Hub);
}

#[test]
fn confirmations_are_asked_for_again_over_another_connection() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    let request = write_to(&mut a, 1, Durability::Replicas(1), LONG);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.answer(request), None, "the hub has it, and nobody else");
    a.reconnect(&mut hub, 8);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.answer(request), None);
    b.connect(&mut hub, 9);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let ack = acknowledged(&mut a, request);
    assert_eq!(ack.durability, Durability::Replicas(1));
    assert_eq!(
        a.replica.fate(&ack.write_id.clone().expect("a write")),
        Fate::AtHub {
            epoch: hub.hub.epoch(),
            revision: ack.revision.expect("it is at the hub"),
        }
    );
}

#[test]
fn a_hub_that_has_lost_its_disk_takes_the_write_in_again_before_others_confirm_it() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    let request = write_to(&mut a, 1, Durability::Replicas(1), LONG);
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    let mut hub = HubSide::new();
    a.connect(&mut hub, 10);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.answer(request), None);
    b.connect(&mut hub, 11);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(
        acknowledged(&mut a, request).durability,
        Durability::Replicas(1)
    );
    assert_eq!(b.value("k"), Some(1.into()));
}

#[test]
fn a_write_that_does_not_get_there_in_time_says_how_far_it_got() {
    let (mut hub, mut a, mut b) = trio();
    let limit = Duration::from_secs(4);
    let two = write_to(&mut a, 1, Durability::Replicas(2), limit);
    talk(&mut hub, &mut [&mut a, &mut b]);
    // The hub ends its own wait first, and is asked for the rest of the time.
    for _ in 0..8 {
        for side in [&mut a, &mut b] {
            side.pass(limit / 8);
        }
        hub.pass(limit / 8);
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    a.cut(&mut hub);
    let none = write_to(&mut a, 2, Durability::Hub, limit);
    a.pass(limit);
    // As long as it takes: no clock ends there.
    let ever = write_to(&mut a, 3, Durability::Hub, Duration::MAX);
    a.pass(limit);
    let reached = |agent: &mut AgentSide, request| match agent.answer(request) {
        Some(Err(RequestError::Unreached { reached, .. })) => reached,
        other => panic!("{other:?}"),
    };
    assert_eq!(reached(&mut a, two), Durability::Replicas(1));
    assert_eq!(reached(&mut a, none), Durability::Disk);
    assert_eq!(a.answer(ever), None);
}

/// However few receipts may wait: a refusal that is only counted would be taken for a commit.
#[test]
fn each_write_that_the_hub_refuses_is_answered_so() {
    let mut hub = HubSide::new();
    hub.govern(vec![policy("*", |p| p.receipts = Some(1))]);
    let mut a = AgentSide::new("a");
    a.ahead_ms = 365 * 24 * 3_600_000;
    let requests: Vec<u64> = (0..6)
        .map(|n| write_to(&mut a, n, Durability::Hub, LONG))
        .collect();
    let flush = a.command(Command::FlushToHub { timeout: LONG });
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    for request in requests {
        let Some(Err(error)) = a.answer(request) else {
            panic!("acknowledged")
        };
        assert_eq!(error.kind(), "operation", "{error}");
    }
    assert_eq!(a.answer(flush), Some(Ok(Outcome::Done)));
    assert_eq!(hub.hub.keyspace().live_keys(), 0);
    assert_eq!(a.value("k"), None, "undone here, too");
    let counted: u64 = a.replica.receipts().map(sync_core::Receipt::count).sum();
    assert_eq!(counted, 6);
    assert!(a.replica.receipts().count() <= 2);
}

fn assert_lost(agent: &mut AgentSide, request: u64) {
    let Some(Err(error)) = agent.answer(request) else {
        panic!("acknowledged")
    };
    let receipt = agent.receipts.last().expect("it came back").clone();
    assert!(matches!(receipt.reason, Reason::Superseded { .. }));
    let winner = receipt.winner().expect("superseded").to_string();
    let sentence = error.to_string();
    for part in [&winner, &receipt.write.to_string(), "its receipt waits"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    let fate = agent.replica.fate(&receipt.write);
    assert!(matches!(fate, Fate::Superseded(_)), "{fate:?}");
}

/// Nor does one that has lost wait until its time is over.
#[test]
fn a_write_that_loses_while_others_are_to_confirm_it_is_not_acknowledged() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    b.mono += Duration::from_millis(50);
    b.write("k", put("later, and concurrent"));
    let two = write_to(&mut a, 1, Durability::Replicas(2), LONG);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(a.answer(two), None);
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_lost(&mut a, two);
}

#[test]
fn a_write_that_has_lost_when_it_gets_to_the_hub_is_not_acknowledged() {
    for level in [Durability::Hub, Durability::Replicas(1)] {
        let (mut hub, mut a, mut b) = trio();
        a.cut(&mut hub);
        let request = write_to(&mut a, 1, level, LONG);
        b.mono += Duration::from_millis(50);
        b.write("k", put("later, and concurrent"));
        talk(&mut hub, &mut [&mut b]);
        a.connect(&mut hub, 3);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_lost(&mut a, request);
    }
}

/// The hub confirms all of them at once, and tells one receipt after the other.
#[test]
fn writes_that_have_lost_are_not_acknowledged_however_many_are_to_be_told_first() {
    for level in [Durability::Hub, Durability::Replicas(1)] {
        let mut config = hub_config();
        config.limits.receipts_per_message = 1;
        let (mut hub, mut a, mut b) = trio_with(config);
        a.cut(&mut hub);
        let keys = ["k", "l", "m"];
        let timeout = LONG;
        let requests = keys.map(|key| write_key_to(&mut a, key, 1, Wanted { level, timeout }));
        b.mono += Duration::from_millis(50);
        for key in keys {
            b.write(key, put("later, and concurrent"));
        }
        talk(&mut hub, &mut [&mut b]);
        a.connect(&mut hub, 3);
        talk(&mut hub, &mut [&mut a, &mut b]);
        for request in requests {
            let answer = a.answer(request);
            let Some(Err(RequestError::Operation { reason })) = answer else {
                panic!("{level}: {answer:?}")
            };
            assert!(reason.contains("its receipt waits"), "{reason}");
        }
        assert_eq!(a.receipts.len(), keys.len());
    }
}

/// Of two of them only a number is told: nobody may take them for written, or for knowingly replaced.
#[test]
fn writes_that_only_a_number_is_told_of_are_not_acknowledged() {
    for level in [Durability::Hub, Durability::Replicas(1)] {
        let (mut hub, mut a, mut b) = trio();
        hub.govern(vec![policy("k*", |p| p.receipts = Some(1))]);
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        let wanted = || Wanted {
            level,
            timeout: LONG,
        };
        let requests = ["k1", "k2", "k3"].map(|key| write_key_to(&mut a, key, 1, wanted()));
        let other = write_key_to(&mut a, "l", 1, wanted());
        b.mono += Duration::from_millis(50);
        for key in ["k1", "k2", "k3"] {
            b.write(key, put("later, and concurrent"));
        }
        talk(&mut hub, &mut [&mut b]);
        a.connect(&mut hub, 3);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let mut told = requests.map(|request| match a.answer(request) {
            Some(Err(RequestError::Operation { reason })) => reason,
            other => panic!("{level}: {other:?}"),
        });
        told.sort_by_key(|reason| reason.contains("its receipt waits"));
        assert!(told[0].contains("only a number"), "{}", told[0]);
        assert!(told[1].contains("only a number"), "{}", told[1]);
        assert!(told[2].contains("its receipt waits"), "{}", told[2]);
        let writer = a.replica.writer().clone();
        let fate = |a: &AgentSide, seq| {
            let write = WriteId::new(writer.clone(), Seq::new(seq));
            a.replica.fate(&write)
        };
        assert_eq!(fate(&a, 1), Fate::Unknown);
        let Some(Ok(Outcome::Written(Ack { write_id, .. }))) = a.answer(other) else {
            panic!("it is there")
        };
        // What is replaced after that was not counted.
        let other = write_id.expect("it is a write");
        assert!(matches!(a.replica.fate(&other), Fate::AtHub { .. }));
        let next = write_key_to(&mut a, "k1", 2, wanted());
        talk(&mut hub, &mut [&mut a, &mut b]);
        let Some(Ok(Outcome::Written(Ack { write_id, .. }))) = a.answer(next) else {
            panic!("it has seen the winner")
        };
        b.write("k1", put("knows of it"));
        talk(&mut hub, &mut [&mut b, &mut a]);
        // The hub says then that nothing more is to be told.
        a.write("m", put(1));
        talk(&mut hub, &mut [&mut a]);
        let next = write_id.expect("it is a write");
        assert_eq!(a.replica.fate(&next), Fate::Overwritten);
    }
}

/// The hub that says at last who holds it is another run of it.
#[test]
fn a_write_that_waits_for_others_is_confirmed_after_a_restart_of_the_hub() {
    let (mut hub, mut a, mut b) = trio();
    let two = write_to(&mut a, 1, Durability::Replicas(2), LONG);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.answer(two), None);
    a.cut(&mut hub);
    b.cut(&mut hub);
    hub.restart();
    let mut c = AgentSide::new("c");
    a.connect(&mut hub, 11);
    b.connect(&mut hub, 12);
    c.connect(&mut hub, 13);
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    let answer = a.answer(two);
    let Some(Ok(Outcome::Written(ack))) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(ack.durability, Durability::Replicas(2));
}

#[test]
fn a_write_waits_for_none_but_itself() {
    let (mut hub, mut a, mut b) = trio();
    a.cut(&mut hub);
    // Its first run is not at the hub with this one.
    write_to(&mut a, 1, Durability::Disk, LONG);
    a.restart();
    let request = write_to(&mut a, 2, Durability::Hub, LONG);
    let (early, late) = {
        a.connect(&mut hub, 3);
        talk(&mut hub, &mut [&mut a, &mut b]);
        (a.answer(request), b.value("k"))
    };
    assert!(matches!(early, Some(Ok(Outcome::Written(_)))), "{early:?}");
    assert_eq!(late, Some(2.into()));
}
