//! A hub that was recovered from damaged rows, with what each says for itself: it still has to tell of
//! writes that have lost or were refused, and knows no more of them.

use std::time::Duration;

use sync_core::{Epoch, Reason, Receipt, RowOp};
use sync_protocol::{Owner, Salvage};

use crate::disk::Disk;
use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, assert_equal, hub_config, only_receipt, put, talk, trio};

const LEASE_MAX: Duration = Duration::from_mins(1);

/// The hub dies, and comes back with what can be relied on of its rows. Nobody is connected.
fn recover(hub: &mut HubSide) {
    let mut salvage = Salvage::new(Owner::Hub);
    for row in hub.disk.rows() {
        salvage.row(&row).expect("its own rows");
    }
    let (ops, _) = salvage.finish(Epoch::from_random(77), LEASE_MAX);
    let mut image = Disk::default().image();
    for op in ops {
        if let RowOp::Put { key, value } = op {
            image.insert(key, value);
        }
    }
    hub.disk.restore(image);
    hub.restart();
}

/// Two writes of `a` have lost against those of `b`, who knows that, the one to `k` first. `a` has heard of
/// neither, and not even that the hub had the one to `k`, the first of its run.
fn lose_two(hub: &mut HubSide) -> (AgentSide, AgentSide) {
    let mut a = AgentSide::new("a");
    // It pushes one by one.
    let mut b = AgentSide::with("b", |config| config.limits.page_bytes = 1);
    a.write("j", put("early"));
    b.mono += Duration::from_millis(5);
    b.write("k", put("late"));
    b.write("j", put("late"));
    a.connect(hub, 1);
    talk(hub, &mut [&mut a]);
    a.cut(hub);
    a.replica.flush_lazy_rows();
    a.settle();
    a.restart();
    a.write("k", put("early"));
    a.connect(hub, 2);
    say(hub, &mut a);
    deliver(hub, &mut a, |_| true);
    say(hub, &mut a);
    hub.settle();
    a.cut(hub);
    b.connect(hub, 3);
    talk(hub, &mut [&mut b]);
    b.cut(hub);
    assert_eq!(a.replica.pending_writes(), 1);
    let lost = hub.hub.receipts().map(|receipt| receipt.key.as_str());
    assert_eq!(lost.collect::<Vec<_>>(), ["k", "j"]);
    (a, b)
}

/// The loss was told, and before its agent had said so the write came once more, of which the hub knew
/// nothing but that it was dead. What was confirmed then was taken for the news that it was refused, which
/// the agent waited for.
#[test]
fn a_loss_that_waits_to_be_told_is_known_when_its_write_comes_again() {
    let mut config = hub_config();
    config.limits.receipts_per_message = 1;
    let mut hub = HubSide::with(config);
    let (mut a, mut b) = lose_two(&mut hub);
    recover(&mut hub);
    assert_eq!(hub.hub.receipts().count(), 2, "it still has to tell");
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut b]);
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(hub.hub.receipts().count(), 0);
    let told = a.receipts.iter().map(|receipt| &receipt.reason);
    let told: Vec<_> = told.collect();
    let is_loss = |reason: &&Reason| matches!(reason, Reason::Superseded { .. });
    assert!(told.len() == 2 && told.iter().all(is_loss), "{told:?}");
}

/// The hub had forgotten the write and not its refusal, and the clock of its agent was right by then: the
/// write was admitted, and its agent told that it was not.
#[test]
fn a_refusal_that_waits_to_be_told_holds_when_its_write_comes_again() {
    let (mut hub, mut a, mut b) = trio();
    b.write("k", put("kept"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    a.ahead_ms = 24 * 3_600_000;
    a.write("k", put("from the future"));
    a.connect(&mut hub, 3);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    say(&mut hub, &mut a);
    hub.settle();
    a.cut(&mut hub);
    b.cut(&mut hub);
    assert!(hub.hub.receipts().all(Receipt::refused));
    recover(&mut hub);
    hub.mono += Duration::from_hours(24);
    b.connect(&mut hub, 4);
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(only_receipt(&a).refused());
    assert_eq!(hub.value("k"), Some("kept".into()));
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(b.receipts, []);
}
