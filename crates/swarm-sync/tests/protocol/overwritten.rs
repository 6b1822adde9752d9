//! Writes that their own agent overwrites while they are on their way to the hub.

use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, assert_equal, only_receipt, put, talk, trio};

/// `a` puts a write in the place of `b`'s. It gets to the hub while `a` overwrites it with one that is
/// refused, of which `a` has heard. What it has to undo it does not hear.
fn refuse_on_top(hub: &mut HubSide, a: &mut AgentSide) {
    a.write("k", put("second"));
    say(hub, a);
    a.ahead_ms = 24 * 3_600_000;
    a.write("k", put("from the future"));
    a.ahead_ms = 0;
    deliver(hub, a, |_| true);
    say(hub, a);
    deliver(hub, a, |_| true);
    assert!(only_receipt(a).refused());
    assert_eq!(hub.value("k"), Some("second".into()));
}

#[test]
fn what_was_overwritten_on_its_way_is_back_once_that_is_undone() {
    let (mut hub, mut a, mut b) = trio();
    b.write("k", put("first"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    refuse_on_top(&mut hub, &mut a);
    b.reconnect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.value("k"), Some("second".into()));
    assert_equal(&hub, &[&a, &b]);
}

/// With the refusal the agent undid what the admitted write had replaced as well, and told a hub that had
/// lost it nothing of that.
#[test]
fn what_an_overwritten_write_had_replaced_at_the_hub_does_not_come_back() {
    let (mut hub, mut a, mut b) = trio();
    b.write("k", put("first"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let backup = hub.disk.image();
    refuse_on_top(&mut hub, &mut a);
    a.cut(&mut hub);
    b.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a]);
    b.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), None);
    assert_equal(&hub, &[&a, &b]);
}
