//! Positions that somebody else was told of, and hubs that have lost what they are of.

use std::time::Duration;

use sync_core::{Revision, Seen, Since};
use sync_protocol::{Command, Outcome};

use crate::stage::{AgentSide, HubSide, put, talk, trio};

fn wait_for(agent: &mut AgentSide, at: impl Into<Since>) -> u64 {
    let (at, timeout) = (at.into(), Duration::from_secs(5));
    agent.command(Command::WaitForPosition { at, timeout })
}

fn head(hub: &HubSide) -> Seen {
    let (epoch, revision) = (hub.hub.epoch(), hub.hub.revision());
    Seen { epoch, revision }
}

#[test]
fn a_position_of_an_earlier_run_is_waited_for_and_reached() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    let told = head(&hub);
    a.cut(&mut hub);
    hub.restart();
    let waiting = wait_for(&mut b, told);
    assert_eq!(b.answer(waiting), None);
    b.connect(&mut hub, 12);
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(b.answer(waiting), Some(Ok(Outcome::Done)));
    assert_eq!(b.value("k"), Some(1.into()));
    assert_ne!(b.replica.cursor().map(|c| c.epoch), Some(told.epoch));
    // Asked again, once the replica follows a run that has it.
    let again = wait_for(&mut b, told);
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(b.answer(again), Some(Ok(Outcome::Done)));
    // Cut off, one of the replica's own run is told from what it holds.
    b.cut(&mut hub);
    let own = wait_for(&mut b, head(&hub));
    assert_eq!(b.answer(own), Some(Ok(Outcome::Done)));
}

#[test]
fn a_position_that_the_hub_has_lost_is_refused_and_not_taken_for_another() {
    let (mut hub, mut a, mut b) = trio();
    let copy = hub.disk.image();
    b.cut(&mut hub);
    a.write("k", put("lost"));
    talk(&mut hub, &mut [&mut a]);
    let told = head(&hub);
    a.cut(&mut hub);
    hub.disk.restore(copy);
    hub.restart();
    // One who waits meanwhile, and one who asks later.
    let waiting = wait_for(&mut b, told);
    b.connect(&mut hub, 12);
    for n in 0..3 {
        b.write("other", put(n));
        talk(&mut hub, &mut [&mut b]);
    }
    assert!(hub.hub.revision() > told.revision, "the number is there");
    let later = wait_for(&mut b, told);
    talk(&mut hub, &mut [&mut b]);
    for request in [waiting, later] {
        let Some(Err(error)) = b.answer(request) else {
            panic!("it is of no log that the replica follows")
        };
        assert_eq!(error.kind(), "epoch-mismatch", "{error}");
    }
    // A bare revision is one of whatever log is followed.
    let bare = wait_for(&mut b, told.revision);
    assert_eq!(b.answer(bare), Some(Ok(Outcome::Done)));
}

#[test]
fn who_waits_for_a_position_is_answered_at_the_latest_when_the_time_is_over() {
    let (mut hub, mut a, mut b) = trio();
    let (epoch, revision) = (head(&hub).epoch, Revision::new(99));
    let ahead = wait_for(&mut b, Seen { epoch, revision });
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.answer(ahead), None, "of the same run: it may come");
    b.cut(&mut hub);
    a.cut(&mut hub);
    let told = head(&hub);
    hub.restart();
    a.connect(&mut hub, 13);
    a.write("k", put(2));
    talk(&mut hub, &mut [&mut a]);
    let away = wait_for(&mut b, head(&hub));
    assert_ne!(head(&hub).epoch, told.epoch);
    b.pass(Duration::from_secs(6));
    for request in [ahead, away] {
        let Some(Err(error)) = b.answer(request) else {
            panic!("it has a deadline")
        };
        assert_eq!(error.kind(), "deadline", "{error}");
    }
}
