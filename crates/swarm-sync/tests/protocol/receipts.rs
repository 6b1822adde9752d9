//! How many receipts wait, and what becomes of those over the bound.

use std::time::Duration;

use sync_core::{Answer, Ask, Body, Pattern, Reason, Receipt};
use sync_protocol::Command;

use crate::disk::Disk;
use crate::stage::{AgentSide, HubSide, assert_equal, key, policy, put, talk};

const BOUND: u64 = 5;

/// A hub at which `races` writes of `a` have lost while it was away, under a policy that lets few wait.
fn losses(races: u64) -> (HubSide, AgentSide, AgentSide) {
    let mut hub = HubSide::new();
    hub.govern(vec![policy("k*", |p| {
        p.receipts = u32::try_from(BOUND).ok();
    })]);
    let (mut a, mut b) = (AgentSide::new("a"), AgentSide::new("b"));
    a.connect(&mut hub, 1);
    b.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    for n in 0..races {
        a.write(&format!("k{n}"), put("lost"));
    }
    b.mono += Duration::from_millis(50);
    a.connect(&mut hub, 3);
    b.cut(&mut hub);
    for n in 0..races {
        b.write(&format!("k{n}"), put("won"));
    }
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut b]);
    (hub, a, b)
}

fn counted<'a>(receipts: impl Iterator<Item = &'a Receipt>) -> u64 {
    receipts.map(Receipt::count).sum()
}

fn waiting(hub: &mut HubSide) -> (u32, u64) {
    let Some(Ok(Answer::Status(status))) = hub.ask(Ask::Status) else {
        panic!("no status")
    };
    let member = status.members.iter().find(|m| m.agent.as_str() == "a");
    let member = member.expect("it is on the roster");
    (member.receipts, member.receipts_dropped)
}

#[test]
fn what_waits_over_the_bound_becomes_a_number_that_is_delivered_and_taken() {
    let (mut hub, mut a, mut b) = losses(20);
    let summed = u32::try_from(BOUND).unwrap() + 1;
    assert_eq!(waiting(&mut hub), (summed, 20 - BOUND));
    hub.restart();
    assert_eq!(waiting(&mut hub), (summed, 20 - BOUND), "in the same batch");
    a.restart();
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(counted(a.replica.receipts()), 20);
    let summary = a.replica.receipts().next().expect("the oldest first");
    let Reason::Dropped { count, pattern, .. } = &summary.reason else {
        panic!("{summary}")
    };
    assert_eq!(*count, 20 - BOUND);
    assert_eq!(pattern.as_ref().map(Pattern::as_str), Some("k*"));
    assert!(!summary.refused());
    assert_eq!(waiting(&mut hub), (0, 0), "taken, so forgotten");
    assert_eq!(a.replica.status(a.now()).receipts_dropped, 20 - BOUND);
    // The application takes it like any other.
    let writes: Vec<_> = a.replica.receipts().map(|r| r.write.clone()).collect();
    a.command(Command::TakeReceipts(writes));
    a.settle();
    a.restart();
    assert_eq!(a.replica.receipts().count(), 0);
}

#[test]
fn an_application_that_takes_nothing_does_not_fill_its_replica() {
    let (mut hub, mut a, mut b) = losses(20);
    a.connect(&mut hub, 5);
    for round in 0..10_u64 {
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        a.write("k", put(round.cast_signed()));
        b.mono += Duration::from_millis(50);
        b.write("k", put("newer"));
        talk(&mut hub, &mut [&mut b]);
        a.connect(&mut hub, 6 + round);
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(counted(a.replica.receipts()), 30);
    let held = a.replica.receipts().count() as u64;
    assert!(held <= BOUND + 1, "{held}");
    a.restart();
    assert_eq!(counted(a.replica.receipts()), 30);
    // Numbers that summaries were given are no writes: what comes after them is pushed all the same.
    a.connect(&mut hub, 40);
    a.mono += Duration::from_secs(1);
    a.write("k", put("last"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("k"), Some("last".into()));
}

#[test]
fn a_smaller_bound_holds_for_what_waits_already() {
    let (mut hub, mut a, mut b) = losses(5);
    assert_eq!(waiting(&mut hub), (5, 0));
    hub.govern(vec![policy("k*", |p| p.receipts = Some(2))]);
    assert_eq!(waiting(&mut hub), (3, 3));
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(counted(a.replica.receipts()), 5);
    hub.govern(vec![policy("k*", |p| p.receipts = Some(1))]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.replica.receipts().count(), 2);
    assert_eq!(counted(a.replica.receipts()), 5);
    assert_eq!(a.value("k0"), Some("won".into()));
    assert!(a.replica.get(a.now(), &key("k4")).is_some());
}

/// A number would not tell its replica what to undo.
#[test]
fn a_refusal_is_told_by_name_whatever_the_bound() {
    for restarts in [false, true] {
        let (mut hub, mut a, mut b) = losses(0);
        hub.govern(vec![policy("k*", |p| p.receipts = Some(1))]);
        a.connect(&mut hub, 5);
        for n in 0..4 {
            b.write(&format!("k{n}"), put("kept"));
        }
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        a.ahead_ms = 365 * 24 * 3_600_000;
        for n in 0..4 {
            a.write(&format!("k{n}"), put("from the future"));
        }
        a.connect(&mut hub, 6);
        if restarts {
            talk(&mut hub, &mut [&mut a]);
            hub.restart();
            a.reconnect(&mut hub, 7);
            b.reconnect(&mut hub, 8);
        }
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_equal(&hub, &[&a, &b]);
        for n in 0..4 {
            assert_eq!(a.value(&format!("k{n}")), Some("kept".into()));
        }
        assert_eq!(a.replica.pending_writes(), 0);
        assert_eq!(counted(a.replica.receipts()), 4);
        // Its application gets what it may have waiting, as ever.
        assert_eq!(a.replica.receipts().count(), 2);
        assert_eq!(waiting(&mut hub), (0, 0));
    }
}

/// Ten more writes of `a` lose that it makes while it is away; then it is back.
fn lose_ten_more(hub: &mut HubSide, a: &mut AgentSide, b: &mut AgentSide, round: u64) {
    a.cut(hub);
    let name = |n: u64| format!("k{}", 100 * round + n);
    for n in 0..10 {
        a.write(&name(n), put("lost"));
    }
    b.mono = a.mono + Duration::from_millis(50);
    for n in 0..10 {
        b.write(&name(n), put("won"));
    }
    talk(hub, &mut [b]);
    a.connect(hub, 50 + round);
}

/// `a` and the hub talk, but that receipts have arrived is not heard.
fn talk_unheard(hub: &mut HubSide, a: &mut AgentSide) {
    for _ in 0..10 {
        a.settle();
        for message in std::mem::take(&mut a.said) {
            if !matches!(message.body, Body::ReceiptsTaken { .. }) {
                hub.hear(a.session.expect("it is connected"), message);
            }
        }
        hub.settle();
        for (session, message) in std::mem::take(&mut hub.said) {
            if a.session == Some(session) {
                a.hear(message);
            }
        }
    }
    a.settle();
}

/// The hub tells again what it does not know to have arrived: by then it is part of a number, or its
/// application has dealt with it.
#[test]
fn a_loss_that_is_told_again_counts_once() {
    for (takes, restarts) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut hub, mut a, mut b) = losses(0);
        a.connect(&mut hub, 5);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let mut taken = 0;
        for round in 1..=4 {
            lose_ten_more(&mut hub, &mut a, &mut b, round);
            talk_unheard(&mut hub, &mut a);
            if takes {
                taken += counted(a.replica.receipts());
                let writes: Vec<_> = a.replica.receipts().map(|r| r.write.clone()).collect();
                a.command(Command::TakeReceipts(writes));
                a.settle();
            }
            a.cut(&mut hub);
            if restarts {
                a.restart();
            }
            a.connect(&mut hub, 500 + round);
            talk(&mut hub, &mut [&mut a, &mut b]);
            let told = taken + counted(a.replica.receipts());
            assert_eq!(told, 10 * round, "taken {takes}, restarted {restarts}");
        }
        assert_eq!(waiting(&mut hub), (0, 0));
    }
}

/// What is on its way may have been counted where it goes.
#[test]
fn what_is_on_its_way_goes_into_no_summary() {
    let (mut hub, mut a, mut b) = losses(4);
    a.connect(&mut hub, 5);
    talk_unheard(&mut hub, &mut a);
    assert_eq!(counted(a.replica.receipts()), 4);
    for round in 1..=2 {
        lose_ten_more(&mut hub, &mut a, &mut b, round);
        talk_unheard(&mut hub, &mut a);
    }
    a.reconnect(&mut hub, 90);
    talk(&mut hub, &mut [&mut a, &mut b]);
    for _ in 0..2 {
        a.pass(Duration::from_secs(2));
        talk(&mut hub, &mut [&mut a, &mut b]);
    }
    assert_eq!(counted(a.replica.receipts()), 24);
    assert_eq!(waiting(&mut hub), (0, 0));
}

/// Which writes a number is of nobody knows, but that it was told of all of them.
#[test]
fn what_was_told_as_a_number_is_not_told_again_after_a_hub_has_lost_its_disk() {
    for takes in [false, true] {
        let (mut hub, mut a, mut b) = losses(0);
        a.connect(&mut hub, 5);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let empty = Disk::default().image();
        lose_ten_more(&mut hub, &mut a, &mut b, 1);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(counted(a.replica.receipts()), 10);
        let held: Vec<_> = a.replica.receipts().cloned().collect();
        if takes {
            let writes = held.iter().map(|r| r.write.clone()).collect();
            a.command(Command::TakeReceipts(writes));
            a.settle();
        }
        a.cut(&mut hub);
        b.cut(&mut hub);
        hub.disk.restore(empty);
        hub.restart();
        b.connect(&mut hub, 80);
        talk(&mut hub, &mut [&mut b]);
        a.connect(&mut hub, 81);
        talk(&mut hub, &mut [&mut a, &mut b]);
        for _ in 0..2 {
            a.pass(Duration::from_secs(2));
            talk(&mut hub, &mut [&mut a, &mut b]);
        }
        let told: Vec<_> = a.replica.receipts().cloned().collect();
        let left = if takes { Vec::new() } else { held };
        assert_eq!(told, left);
        assert_equal(&hub, &[&a, &b]);
    }
}
