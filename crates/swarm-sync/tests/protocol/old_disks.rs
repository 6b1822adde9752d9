//! Disks of an agent that are older than what the hub knows of it, and copies that have gone on by
//! themselves.

use std::time::Duration;

use sync_core::Operation;
use sync_protocol::Command;

use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, assert_equal, only_receipt, put, talk, trio};

/// What it had replaced there was covered at the hub in the end, by a write that had never been admitted.
#[test]
fn a_refused_write_that_an_old_disk_brings_back_is_told_again_and_covers_nothing() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put("kept"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.ahead_ms = 365 * 24 * 3_600_000;
    b.write("k", put("from the future"));
    let old = b.disk.image();
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.hub.receipts().count(), 0, "its writer has it");
    b.cut(&mut hub);
    b.disk.restore(old);
    b.ahead_ms = 0;
    b.restart();
    b.receipts.clear();
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some("kept".into()));
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(b.value("k"), Some("kept".into()));
    assert!(only_receipt(&b).refused());
    assert!(a.receipts.is_empty(), "nothing of it was touched");
}

/// They are pushed one by one, and the hub knows of both when the first of them comes.
#[test]
fn each_refused_write_that_an_old_disk_brings_back_is_told_again() {
    let mut hub = HubSide::new();
    let mut a = AgentSide::with("a", |config| config.limits.page_bytes = 1);
    let mut b = AgentSide::new("b");
    for (key, value) in [("k", 5), ("l", 6)] {
        a.write(key, put("replaced before the hub had it"));
        a.write(key, put("of another rule"));
        b.write(key, Operation::Add(value));
    }
    let old = a.disk.image();
    b.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut b]);
    a.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let told: Vec<_> = a.receipts.drain(..).map(|r| r.write).collect();
    assert_eq!(told.len(), 2);
    a.command(Command::TakeReceipts(told.clone()));
    a.settle();
    a.cut(&mut hub);
    a.disk.restore(old);
    a.restart();
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let again: Vec<_> = a.receipts.iter().map(|r| r.write.clone()).collect();
    assert_eq!(again, told);
    assert_equal(&hub, &[&a, &b]);
}

/// One copy of a disk has replaced a write and told the hub that it is not needed. On the other it is.
#[test]
fn a_write_that_a_copy_of_the_disk_had_replaced_gets_to_the_hub_from_the_other() {
    let (mut hub, mut a, mut b) = trio();
    a.cut(&mut hub);
    a.write("k", put("needed"));
    a.write("l", put(1));
    a.restart();
    let copy = a.disk.image();
    a.write("k", put("in its place"));
    a.connect(&mut hub, 3);
    // The hub hears what is left of the first run, and no more.
    for _ in 0..10 {
        say(&mut hub, &mut a);
        hub.settle();
        if hub.value("l").is_some() {
            break;
        }
        deliver(&mut hub, &mut a, |_| true);
    }
    assert_eq!(hub.value("l"), Some(1.into()));
    assert_eq!(hub.value("k"), None);
    a.cut(&mut hub);
    a.disk.restore(copy);
    a.mono += Duration::from_millis(5);
    a.restart();
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some("needed".into()));
    assert_equal(&hub, &[&a, &b]);
}
