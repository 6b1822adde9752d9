//! What is said of votes whose time ran out.

use std::time::Duration;

use sync_core::{Verdict, Vote};

use crate::ballots::{cast, decision, proposal, propose};
use crate::stage::{HubSide, trio};

/// A vote of two that takes five seconds, for which one is if `voted`.
fn begun(voted: bool) -> HubSide {
    let (mut hub, a, mut b) = trio();
    propose(&mut hub, proposal(|_| {}));
    if voted {
        cast(&mut hub, a.session.expect("it is connected"), Vote::For);
    }
    b.cut(&mut hub);
    hub
}

/// Why there is no verdict once the time is over, `then` later.
#[track_caller]
fn why(mut hub: HubSide, then: Duration) -> String {
    hub.pass(then);
    propose(&mut hub, proposal(|_| {}));
    let decision = decision(&mut hub);
    assert_eq!(decision.verdict, Verdict::Timeout);
    decision.why.expect("a reason")
}

/// The same, of a hub that was down for so long.
#[track_caller]
fn why_after(voted: bool, down: Duration, then: Duration) -> String {
    let mut hub = begun(voted);
    hub.mono += down;
    hub.restart();
    why(hub, then)
}

#[test]
fn who_was_away_while_the_hub_was_there_may_have_left_for_good() {
    let told = why(begun(true), Duration::from_secs(5));
    assert!(told.contains("1 of the roster's 2"), "{told}");
    assert!(told.ends_with("(b): take those off that are gone for good"));
}

/// Agents may have voted, and wait for a hub that is not there: that is no reason to take them off.
#[test]
fn a_time_that_ended_while_the_hub_was_away_is_not_put_down_to_the_agents() {
    for (voted, down) in [(true, 60), (false, 5)] {
        let told = why_after(voted, Duration::from_secs(down), Duration::ZERO);
        let had = format!("had the votes of {} of the roster's 2", u8::from(voted));
        assert!(told.contains("ended while the hub was away"), "{told}");
        assert!(told.contains(&had), "{told}");
        assert!(told.ends_with("propose it again"), "{told}");
        assert!(!told.contains("take those off"), "{told}");
    }
}

#[test]
fn who_was_not_back_after_a_restart_is_not_taken_for_gone() {
    let second = Duration::from_secs(1);
    let told = why_after(true, 4 * second, second);
    assert!(
        told.contains("(b): the hub itself was started again"),
        "{told}"
    );
    assert!(!told.contains("take those off"), "{told}");
}
