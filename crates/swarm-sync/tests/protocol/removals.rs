//! Removals that one hub has admitted and the next one, its disk put back, is told of: with what they cover.

use std::time::Duration;

use sync_core::{Body, Operation, Reason, Seq};
use sync_protocol::{Command, ReplicaConfig};

use crate::disk::Image;
use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, assert_equal, talk};

/// Longer than any of these tests.
const LONG: Duration = Duration::from_mins(1);

/// How far the clock of an agent is ahead whose writes are refused, in milliseconds.
const TOO_FAR_MS: u64 = 600_000;

/// A hub that has a counter of an agent, which is cut off by now, and its disk as it is then.
fn counted() -> (HubSide, AgentSide, Image) {
    let (mut hub, mut a) = (HubSide::new(), AgentSide::new("a"));
    a.connect(&mut hub, 1);
    a.write("k", Operation::Add(2));
    talk(&mut hub, &mut [&mut a]);
    let backup = hub.disk.image();
    a.cut(&mut hub);
    (hub, a, backup)
}

/// Deletes the counter while somebody waits for all that was written before, so that none of it may be left
/// out of what is pushed.
fn delete_under_a_flush(a: &mut AgentSide) {
    a.command(Command::FlushToHub { timeout: LONG });
    a.write("k", Operation::Delete);
}

/// Lets the agent hear that the hub has what it said, and nothing else.
fn confirm(hub: &mut HubSide, a: &mut AgentSide) {
    say(hub, a);
    deliver(hub, a, |body| matches!(body, Body::Committed { .. }));
}

/// Connects, and settles the cursor: the first push is said.
fn settle_with(hub: &mut HubSide, a: &mut AgentSide) {
    a.connect(hub, 2);
    say(hub, a);
    deliver(hub, a, |body| matches!(body, Body::DeltaReply { .. }));
}

/// The hub comes back with a disk that has the counter, and hears the agent alone.
fn assert_deleted_behind(mut hub: HubSide, mut a: AgentSide, backup: Image) -> AgentSide {
    a.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    assert_eq!(hub.value("k"), Some(2.into()));
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), None, "it was deleted by who was shown it");
    assert_equal(&hub, &[&a]);
    a
}

/// What was told of the second write, which was knowingly removed. Of the first one, which the lost hub had,
/// more may be told than is due.
fn told_of_addition(a: &AgentSide) -> Vec<&Reason> {
    let second = a.receipts.iter().filter(|r| r.write.seq == Seq::new(2));
    second.map(|receipt| &receipt.reason).collect()
}

/// A removal that is confirmed before a write that waits below it is told with all that it covers.
fn assert_whole(mut hub: HubSide, mut a: AgentSide, backup: Image) {
    delete_under_a_flush(&mut a);
    assert_eq!(a.replica.pending_writes(), 2);
    settle_with(&mut hub, &mut a);
    confirm(&mut hub, &mut a);
    let a = assert_deleted_behind(hub, a, backup);
    assert_eq!(told_of_addition(&a), Vec::<&Reason>::new());
}

/// Runs are pushed in the order of their numbers, which are random: the hub had the removal before the older
/// run's write that it removed, and that one still waited with all it had replaced.
#[test]
fn a_removal_is_told_with_an_older_runs_write_that_never_left() {
    let (hub, mut a, backup) = counted();
    a.write("k", Operation::Add(4));
    a.restart_as(0);
    assert_whole(hub, a, backup);
}

/// The refused write stayed until its receipt would come, and was taken for what the removal left open.
#[test]
fn a_removal_is_told_with_a_write_below_it_that_was_refused() {
    let (hub, mut a, backup) = counted();
    a.ahead_ms = TOO_FAR_MS;
    a.write("k", Operation::Add(4));
    a.ahead_ms = 0;
    assert_whole(hub, a, backup);
}

/// The receipt of the refused write was here before the hub had the removal, and the repair was not.
#[test]
fn a_removal_is_told_with_what_was_to_be_repaired_below_it() {
    let (mut hub, mut a, backup) = counted();
    a.ahead_ms = TOO_FAR_MS;
    a.write("k", Operation::Add(4));
    a.ahead_ms = 0;
    settle_with(&mut hub, &mut a);
    // Its push is on the way.
    delete_under_a_flush(&mut a);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::Committed { .. } | Body::Receipts { .. })
    });
    confirm(&mut hub, &mut a);
    assert_eq!(a.replica.pending_writes(), 0);
    let a = assert_deleted_behind(hub, a, backup);
    let told = told_of_addition(&a);
    assert!(matches!(told[..], [Reason::FutureStamp { .. }]), "{told:?}");
}

/// One of which no hub has heard is offered to a hub that knows nothing: without what somebody waits for it would
/// be known there, and what it had ended would come after it, for good if the agent's disk were lost then.
#[test]
fn a_removal_that_is_offered_covers_what_somebody_waits_for() {
    let one_by_one = |config: &mut ReplicaConfig| config.limits.page_bytes = 1;
    let (mut hub, mut a) = (HubSide::new(), AgentSide::with("a", one_by_one));
    a.connect(&mut hub, 1);
    a.write("other", Operation::Add(1));
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    a.write("k", Operation::Add(1));
    delete_under_a_flush(&mut a);
    assert_eq!(a.replica.pending_writes(), 2);
    hub.disk.restore(Image::default());
    hub.restart();
    a.connect(&mut hub, 2);
    while a.replica.pending_writes() > 0 {
        say(&mut hub, &mut a);
        assert_eq!(hub.value("k"), None, "it was deleted by who was shown it");
        deliver(&mut hub, &mut a, |_| true);
    }
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("other"), Some(1.into()));
    assert_equal(&hub, &[&a]);
}
