//! A hub that was recovered from damaged rows, with what each says for itself: it still has to tell of
//! losses, and knows no more of the writes that have lost.

use std::time::Duration;

use sync_core::{Epoch, Reason, RowOp};
use sync_protocol::{Owner, Salvage};

use crate::disk::Disk;
use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, assert_equal, hub_config, put, talk};

const LEASE_MAX: Duration = Duration::from_secs(60);

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
