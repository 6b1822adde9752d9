//! Clearing a namespace of many values: whole, in bounded steps, also through a crash.

use std::time::Duration;

use sync_core::{Answer, MemoryAnswer};

use super::{begin, clear, done, keys, refused, stats, store, value};
use crate::stage::{HubSide, hub_config};

const MANY: u64 = 4_500;

/// A namespace of many values, the first of them volatile.
fn filled() -> HubSide {
    let mut hub = HubSide::new();
    for number in 0..MANY {
        let persistent = number > 0;
        done(
            &mut hub,
            store("notes", &format!("k{number:04}"), 1, persistent),
        );
    }
    done(&mut hub, store("other", "k", 1, true));
    hub
}

/// Lets time pass and the disk finish until request 1 is answered; how many steps that took.
fn finish(hub: &mut HubSide) -> (usize, u64) {
    for steps in 0..100 {
        if let Some(answer) = hub.take_answer(1) {
            let Ok(Answer::Memory(MemoryAnswer::Cleared(count))) = answer else {
                panic!("{answer:?}")
            };
            return (steps, count);
        }
        hub.pass(Duration::ZERO);
        let largest = hub.disk.waiting().map(|batch| batch.ops.len()).max();
        assert!(largest <= Some(1_003), "{largest:?} rows at once");
        hub.settle();
    }
    panic!("it is never cleared")
}

/// Rows of values and of what was cleared.
fn memory_rows(hub: &HubSide) -> usize {
    let rows = hub.disk.rows();
    rows.filter(|row| matches!(row.key[0], b'm' | b'c')).count()
}

#[test]
fn few_values_are_cleared_at_once() {
    let mut hub = HubSide::new();
    done(&mut hub, store("notes", "a", 1, true));
    done(&mut hub, store("notes", "b", 1, false));
    done(&mut hub, store("other", "k", 1, true));
    assert_eq!(done(&mut hub, clear("notes")), MemoryAnswer::Cleared(2));
    assert_eq!(done(&mut hub, clear("notes")), MemoryAnswer::Cleared(0));
    assert_eq!(memory_rows(&hub), 1);
    hub.restart();
    assert_eq!(keys(&mut hub, "notes", "*").0.len(), 0);
    assert_eq!(value(&mut hub, "other", "k"), Some(1.into()));
}

#[test]
fn many_values_are_gone_at_once_and_their_rows_in_bounded_steps() {
    let mut hub = filled();
    assert!(begin(&mut hub, 1, clear("notes")).is_none());
    hub.settle();
    assert_eq!(keys(&mut hub, "notes", "*").0.len(), 0);
    assert!(hub.take_answer(1).is_none(), "their rows are there");
    assert_eq!(finish(&mut hub), (5, MANY));
    assert_eq!(memory_rows(&hub), 1, "those of the other namespace");
    assert_eq!(stats(&mut hub).0.len(), 1);
    assert_eq!(hub.hub.poll_timeout(), None, "nothing is left to do");
    let (lines, bytes) = stats(&mut hub);
    assert_eq!(bytes, lines[0].bytes, "no byte of it counts any more");
}

#[test]
fn one_step_at_a_time_is_on_its_way_to_the_store() {
    let mut hub = filled();
    begin(&mut hub, 1, clear("notes"));
    for _ in 0..10 {
        hub.pass(Duration::ZERO);
    }
    assert_eq!(hub.disk.waiting().count(), 2, "the clear, and one step");
    assert_eq!(hub.hub.poll_timeout(), None, "the store wakes it");
    hub.settle();
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::ZERO));
}

#[test]
fn what_is_stored_after_a_clear_was_asked_for_stays() {
    let mut hub = filled();
    begin(&mut hub, 1, clear("notes"));
    hub.pass(Duration::ZERO);
    hub.settle();
    // Of one the row is gone, of the others not yet.
    for name in ["k0001", "k4000", "k4001", "new"] {
        done(&mut hub, store("notes", name, 2, true));
    }
    done(&mut hub, store("notes", "k4001", 3, false));
    finish(&mut hub);
    assert_eq!(
        keys(&mut hub, "notes", "*").0,
        ["k0001", "k4000", "k4001", "new"]
    );
    hub.restart();
    assert_eq!(keys(&mut hub, "notes", "*").0, ["k0001", "k4000", "new"]);
    assert_eq!(value(&mut hub, "notes", "k4000"), Some(2.into()));
    assert_eq!(memory_rows(&hub), 4);
}

#[test]
fn a_hub_that_is_killed_over_it_has_cleared_all_or_nothing() {
    let mut hub = filled();
    begin(&mut hub, 1, clear("notes"));
    hub.restart();
    let all = usize::try_from(MANY).expect("a count") - 1;
    assert_eq!(keys(&mut hub, "notes", "*").0.len(), all, "nothing");
    begin(&mut hub, 1, clear("notes"));
    hub.settle();
    for _ in 0..2 {
        hub.pass(Duration::ZERO);
        hub.settle();
    }
    done(&mut hub, store("notes", "k4000", 2, true));
    assert!(memory_rows(&hub) > 2_000);
    for _ in 0..3 {
        hub.restart();
        assert_eq!(keys(&mut hub, "notes", "*").0, ["k4000"], "all");
        assert_eq!(value(&mut hub, "notes", "k4000"), Some(2.into()));
    }
    while hub.hub.poll_timeout().is_some() {
        hub.pass(Duration::ZERO);
        hub.settle();
    }
    assert_eq!(memory_rows(&hub), 2);
    let (lines, bytes) = stats(&mut hub);
    assert_eq!(bytes, lines.iter().map(|line| line.bytes).sum::<u64>());
}

#[test]
fn clears_of_one_namespace_follow_each_other() {
    let mut hub = filled();
    begin(&mut hub, 2, clear("notes"));
    for number in 0..MANY {
        let name = format!("k{number:04}");
        hub.hub
            .handle_ask(hub.now(), 1_000 + number, store("notes", &name, 2, true));
    }
    hub.settle();
    begin(&mut hub, 1, clear("notes"));
    done(&mut hub, store("notes", "k0007", 3, true));
    // The first of them is over, and the row that speaks for both has to stay.
    for _ in 0..6 {
        hub.pass(Duration::ZERO);
        hub.settle();
    }
    assert!(hub.take_answer(2).is_some() && hub.take_answer(1).is_none());
    hub.restart();
    assert_eq!(keys(&mut hub, "notes", "*").0, ["k0007"]);
    while hub.hub.poll_timeout().is_some() {
        hub.pass(Duration::ZERO);
        hub.settle();
    }
    assert_eq!(memory_rows(&hub), 2);
    assert_eq!(value(&mut hub, "notes", "k0007"), Some(3.into()));
}

#[test]
fn what_is_being_cleared_counts_until_it_is_gone() {
    let mut config = hub_config();
    config.limits.memory_bytes_max = 300_000;
    let mut hub = HubSide::with(config);
    for number in 0..2_000 {
        done(&mut hub, store("notes", &format!("k{number:04}"), 1, false));
    }
    let (_, held) = stats(&mut hub);
    begin(&mut hub, 1, clear("notes"));
    assert_eq!(stats(&mut hub), (Vec::new(), held));
    let large = || store("notes", "k", "x".repeat(100_000), true);
    assert_eq!(refused(&mut hub, large()).kind(), "memory-full");
    finish(&mut hub);
    done(&mut hub, large());
}
