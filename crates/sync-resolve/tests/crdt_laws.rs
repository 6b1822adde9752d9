//! What counters and sets promise, under which nothing is lost, one promise a test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod replica;

use sync_core::{
    Entry, Operation, OperationError, Payload, Resolver, Seq, Stamp, Value, Write, WriteId,
};
use sync_resolve::{Counter, Set};

use replica::{Replica, insert, joined, orders, pair, remove, set};

// Counters.

/// The specification's counter doubles under repeated synchronization; this one is the example that
/// it should have met.
#[test]
fn forty_two_and_forty_five_are_eighty_seven_however_often_they_are_joined() {
    let (mut one, mut two) = pair();
    let (a, b) = (
        one.must(&Counter, &Operation::Add(42)),
        two.must(&Counter, &Operation::Add(45)),
    );
    for order in orders(&[a.clone(), b.clone(), a.clone(), b.clone(), a]) {
        assert_eq!(Counter.fold(&joined(&order)), Some(Value::Int(87)));
    }
    one.entry.join(b);
    let grown = one.must(&Counter, &Operation::Add(-2));
    assert_eq!(Counter.fold(&one.entry), Some(Value::Int(85)));
    // Its first contribution, arriving late at another place, is part of the second.
    assert_eq!(Counter.fold(&grown), Some(Value::Int(40)));
    assert!(Counter.losses(&one.entry).is_empty() && Counter.shown(&one.entry).is_none());
}

#[test]
fn a_delete_removes_only_the_contributions_it_had_seen() {
    let (mut one, mut two) = pair();
    let (a, b) = (
        one.must(&Counter, &Operation::Add(42)),
        two.must(&Counter, &Operation::Add(45)),
    );
    let delete = one.must(&Counter, &Operation::Delete);
    assert_eq!(Counter.fold(&one.entry), None);
    assert_eq!(one.operate(&Counter, &Operation::Delete), Ok(None));
    for order in orders(&[a, b, delete.clone()]) {
        assert_eq!(Counter.fold(&joined(&order)), Some(Value::Int(45)));
    }
    // After a delete a contribution starts from nothing.
    let again = one.must(&Counter, &Operation::Add(1));
    for order in orders(&[delete, again]) {
        assert_eq!(Counter.fold(&joined(&order)), Some(Value::Int(1)));
    }
}

/// The contribution of who adds once more stands for what was deleted meanwhile as well: the delete says how
/// much that is, whichever of the two comes first.
#[test]
fn what_was_deleted_does_not_come_back_with_the_next_addition() {
    let (mut one, mut two) = pair();
    let first = one.must(&Counter, &Operation::Add(10));
    two.entry.join(first.clone());
    let delete = two.must(&Counter, &Operation::Delete);
    let second = one.must(&Counter, &Operation::Add(5));
    let third = one.must(&Counter, &Operation::Add(2));
    for (adds, expected) in [
        (vec![&second], 5),
        (vec![&third], 7),
        (vec![&second, &third], 7),
    ] {
        let mut deltas = vec![first.clone(), delete.clone()];
        deltas.extend(adds.into_iter().cloned());
        for order in orders(&deltas) {
            assert_eq!(Counter.fold(&joined(&order)), Some(Value::Int(expected)));
        }
    }
    // Who has heard of the delete goes on from what it left.
    one.entry.join(delete.clone());
    let fourth = one.must(&Counter, &Operation::Add(1));
    assert_eq!(Counter.fold(&one.entry), Some(Value::Int(8)));
    // And a delete of that leaves nothing of either.
    two.entry = one.entry.clone();
    let again = two.must(&Counter, &Operation::Delete);
    let late = one.must(&Counter, &Operation::Add(3));
    for order in orders(&[delete, third, fourth, again.clone(), late]) {
        assert_eq!(Counter.fold(&joined(&order)), Some(Value::Int(3)));
    }
    assert_eq!(Counter.fold(&two.entry), None);
    assert_eq!(Counter.losses(&two.entry).len(), 1, "{:?}", two.entry);
    // Added after the delete, with nothing before it.
    one.entry = joined(&[one.entry.clone(), again]);
    assert_eq!(Counter.fold(&one.entry), Some(Value::Int(3)));
}

/// Found: the second delete covered the first, and said nothing of what that had removed.
#[test]
fn a_delete_says_what_the_one_before_had_removed() {
    let (mut one, mut two) = pair();
    let first = one.must(&Counter, &Operation::Add(10));
    two.entry.join(first);
    two.must(&Counter, &Operation::Delete);
    two.must(&Counter, &Operation::Add(1));
    two.must(&Counter, &Operation::Delete);
    one.must(&Counter, &Operation::Add(5));
    assert_eq!(
        Counter.fold(&joined(&[one.entry, two.entry])),
        Some(Value::Int(5))
    );
}

#[test]
fn who_deletes_what_it_has_added_itself_leaves_nothing_behind() {
    let (mut one, _) = pair();
    one.must(&Counter, &Operation::Add(10));
    one.must(&Counter, &Operation::Delete);
    assert!(!one.entry.is_live());
    one.must(&Counter, &Operation::Add(1));
    assert_eq!(Counter.fold(&one.entry), Some(Value::Int(1)));
}

/// What a contribution had replaced counts neither beside it nor after its removal, however late it
/// comes and whatever is still missing in between.
#[test]
fn a_replaced_contribution_that_arrives_late_counts_for_nothing() {
    let (mut one, mut two) = pair();
    let adds = [10, 20, 30].map(|amount| one.must(&Counter, &Operation::Add(amount)));
    two.entry = one.entry.clone();
    let delete = two.must(&Counter, &Operation::Delete);
    let totals = [10, 30, 60];
    for order in orders(&[0, 1, 2, 3]) {
        let mut entry = Entry::new();
        for end in 1..=order.len() {
            entry.join(adds.get(order[end - 1]).unwrap_or(&delete).clone());
            let newest = *order[..end].iter().max().unwrap();
            let expected = totals.get(newest).map(|total| Value::Int(*total));
            assert_eq!(Counter.fold(&entry), expected, "{:?}", &order[..end]);
        }
    }
}

/// Zero is a sum, absence is none.
#[test]
fn a_counter_at_zero_is_there() {
    let mut one = Replica::new("agent-1");
    one.must(&Counter, &Operation::Add(0));
    assert_eq!(Counter.fold(&one.entry), Some(Value::Int(0)));
    assert_eq!(Counter.fold(&Entry::new()), None);
}

#[test]
fn a_contribution_beyond_64_bits_is_refused_and_a_sum_beyond_them_stays_at_the_end() {
    for (end, step) in [(i64::MAX, 1), (i64::MIN, -1)] {
        let (mut one, mut two) = pair();
        let a = one.must(&Counter, &Operation::Add(end));
        let refused = one.operate(&Counter, &Operation::Add(step)).unwrap_err();
        assert_eq!(
            refused,
            OperationError::Overflow {
                amount: step,
                total: end
            }
        );
        let sentence = refused.to_string();
        assert!(
            sentence.contains(&step.to_string()) && sentence.contains("64 bits"),
            "{sentence}"
        );
        assert!(sentence.contains("delete this one first"), "{sentence}");
        assert_eq!(one.entry, a, "nothing was changed");
        one.entry.join(two.must(&Counter, &Operation::Add(step)));
        assert_eq!(Counter.fold(&one.entry), Some(Value::Int(end)));
        // The contributions are exact: what comes back from beyond the end is not lost.
        one.entry
            .join(two.must(&Counter, &Operation::Add(-3 * step)));
        assert_eq!(Counter.fold(&one.entry), Some(Value::Int(end - 2 * step)));
        // As the sentence advises.
        one.must(&Counter, &Operation::Delete);
        one.must(&Counter, &Operation::Add(step));
        assert_eq!(Counter.fold(&one.entry), Some(Value::Int(step)));
    }
}

/// Found: two live contributions under one incarnation, which only a peer that makes them up can
/// send, overflowed the sum of an agent's own.
#[test]
fn invented_contributions_do_not_stop_an_agent() {
    let mut one = Replica::new("agent-1");
    for seq in [1, 2] {
        let stamp = Stamp::at_millis(1);
        let payload = Payload::count(i64::MAX);
        let prev = Seq::new(seq - 1);
        let write = Write {
            stamp,
            payload,
            prev,
            over: sync_core::Context::new(),
            note: None,
        };
        one.entry.join(Entry::of_write(
            WriteId::new(one.writer.clone(), Seq::new(seq)),
            write,
        ));
    }
    assert_eq!(Counter.fold(&one.entry), Some(Value::Int(i64::MAX)));
    assert!(one.operate(&Counter, &Operation::Add(1)).is_err());
    let plan = Counter
        .plan(&Operation::Add(-1), &one.entry, &one.writer)
        .unwrap()
        .unwrap();
    assert_eq!(plan.payload, Some(Payload::count(i64::MAX - 1)));
}

// Sets.

#[test]
fn an_add_wins_over_a_remove_that_did_not_see_it() {
    let (mut one, mut two) = pair();
    let old = one.must(&Set, &insert("x"));
    two.entry.join(old.clone());
    // One adds again while two removes what it saw.
    let again = one.must(&Set, &insert("x"));
    let gone = two.must(&Set, &remove("x"));
    assert_eq!(Set.fold(&two.entry), None, "an emptied set reads as absent");
    for order in orders(&[old, again, gone]) {
        let entry = joined(&order);
        assert_eq!(
            (Set.fold(&entry), entry.live_count()),
            (Some(set(&["x"])), 1)
        );
    }
}

#[test]
fn a_remove_takes_every_id_of_the_element_that_it_saw_and_no_other_element() {
    let (mut one, mut two) = pair();
    let adds = [
        one.must(&Set, &insert("x")),
        two.must(&Set, &insert("x")),
        two.must(&Set, &insert("y")),
    ];
    one.entry = joined(&adds);
    assert_eq!(one.entry.live_count(), 3, "one element, two ids");
    assert_eq!(Set.fold(&one.entry), Some(set(&["x", "y"])));
    let gone = one.must(&Set, &remove("x"));
    assert_eq!(Set.fold(&one.entry), Some(set(&["y"])));
    assert_eq!(
        one.operate(&Set, &remove("x")),
        Ok(None),
        "it is not there any more"
    );
    assert_eq!(one.operate(&Set, &remove("never there")), Ok(None));
    for order in orders(&[adds[0].clone(), adds[1].clone(), adds[2].clone(), gone]) {
        assert_eq!(joined(&order), one.entry);
    }
}

#[test]
fn adding_again_replaces_the_own_id_and_keeps_those_of_others() {
    let (mut one, mut two) = pair();
    one.must(&Set, &insert("x"));
    one.entry.join(two.must(&Set, &insert("x")));
    one.must(&Set, &insert("y"));
    one.must(&Set, &insert("x"));
    assert_eq!(one.entry.live_count(), 3, "x by both, y");
    let own = one.live().into_iter().filter(|id| id.writer == one.writer);
    let own: Vec<_> = own.map(|id| id.seq.get()).collect();
    assert_eq!(own, [2, 3], "the first id was replaced");
    let all = one.must(&Set, &Operation::Delete);
    assert!(!one.entry.is_live());
    assert_eq!(one.operate(&Set, &Operation::Delete), Ok(None));
    two.must(&Set, &insert("z"));
    two.entry.join(all);
    assert_eq!(
        Set.fold(&two.entry),
        Some(set(&["z"])),
        "what the delete had not seen"
    );
    assert!(Set.losses(&two.entry).is_empty() && Set.shown(&two.entry).is_none());
}

/// An add that was replaced by its writer's later add of the same element does not bring the element
/// back after a remove that saw only the later one.
#[test]
fn a_replaced_add_that_arrives_late_brings_nothing_back() {
    let (mut one, mut two) = pair();
    let adds = [(); 3].map(|()| one.must(&Set, &insert("x")));
    two.entry = adds[2].clone();
    let gone = two.must(&Set, &remove("x"));
    two.entry = adds[2].clone();
    let all = two.must(&Set, &Operation::Delete);
    for last in [gone, all] {
        for order in orders(&[0, 1, 2, 3]) {
            let mut entry = Entry::new();
            for end in 1..=order.len() {
                entry.join(adds.get(order[end - 1]).unwrap_or(&last).clone());
                let removed = order[..end].contains(&3);
                assert_eq!(
                    entry.live_count(),
                    usize::from(!removed),
                    "{:?}",
                    &order[..end]
                );
            }
        }
    }
}

/// One element has one form, whatever JSON it came from.
#[test]
fn equal_elements_are_one_element() {
    let mut one = Replica::new("agent-1");
    for number in [0.0, -0.0] {
        one.must(&Set, &Operation::Insert(Value::float(number).unwrap()));
    }
    one.must(&Set, &Operation::Insert(Value::Int(0)));
    assert_eq!(
        one.entry.live_count(),
        2,
        "a float zero and an integer zero"
    );
}

/// Found: see the test of the same fact on the wire in `sync-core`.
#[test]
fn an_element_that_no_list_could_hold_is_refused() {
    let nested = |depth: usize| (1..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let mut one = Replica::new("agent-1");
    let refused = one
        .operate(&Set, &Operation::Insert(nested(32)))
        .unwrap_err();
    assert!(
        refused.to_string().contains("deeper than 31 levels"),
        "{refused}"
    );
    one.must(&Set, &Operation::Insert(nested(31)));
    assert_eq!(Set.fold(&one.entry).unwrap().check_depth(), Ok(()));
    assert_eq!(one.operate(&Set, &Operation::Remove(nested(32))), Ok(None));
}
