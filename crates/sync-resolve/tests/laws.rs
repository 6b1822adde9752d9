//! What last-writer-wins promises, and what every rule does, one promise a test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod replica;

use sync_core::{Entry, Key, Loss, MergeRule, Operation, PayloadKind, Resolver, Value};
use sync_resolve::{Causal, Counter, Custom, Lww, Map, Set};

use replica::{Replica, insert, joined, orders, pair, put, put_field, remove, unset};

// Last writer wins.

/// Stamps first, then the agent, the incarnation, the number: no tie, and no "mine wins".
#[test]
fn the_greatest_stamp_shows_in_whatever_order_writes_arrive() {
    let deltas: Vec<Entry> = [
        ("b", 5, "late"),
        ("a", 5, "tied"),
        ("c", 4, "early"),
        ("d", 1, "first"),
    ]
    .map(|(name, clock, value)| {
        let mut writer = Replica::new(name);
        writer.clock = clock;
        writer.must(&Lww, &put(value))
    })
    .into();
    for order in orders(&deltas) {
        let entry = joined(&order);
        assert_eq!(
            entry.live_count(),
            4,
            "nothing is lost before the hub decides"
        );
        assert_eq!(Lww.fold(&entry), Some(Value::from("late")));
        assert_eq!(Lww.shown(&entry).unwrap().writer.agent().as_str(), "b");
        let losers: Vec<_> = Lww
            .losses(&entry)
            .into_iter()
            .map(|loss| loss.loser)
            .collect();
        let names: Vec<_> = losers.iter().map(|id| id.writer.agent().as_str()).collect();
        assert_eq!(names, ["a", "c", "d"]);
    }
}

/// The trap: a write that silently covers a sibling its writer was never shown.
#[test]
fn a_write_covers_what_was_shown_and_leaves_the_hidden_sibling() {
    let (mut one, mut two) = pair();
    (one.clock, two.clock) = (10, 20);
    let (hidden, shown) = (
        one.must(&Lww, &put("hidden")),
        two.must(&Lww, &put("shown")),
    );
    one.entry = joined(&[hidden.clone(), shown.clone()]);
    // Its own clock is behind: the floor lifts the stamp above every sibling.
    let third = one.must(&Lww, &put("third"));
    assert_eq!(Lww.fold(&one.entry), Some(Value::from("third")));
    assert_eq!(one.entry.live_count(), 2, "the hidden one is still live");
    for order in orders(&[hidden.clone(), shown, third]) {
        assert_eq!(joined(&order), one.entry);
    }
    let (hidden_id, third_id) = (hidden.writes().next().unwrap().0, Lww.shown(&one.entry));
    let loss = Loss {
        loser: hidden_id.clone(),
        winner: third_id,
    };
    assert_eq!(
        Lww.losses(&one.entry),
        [loss],
        "it goes with a receipt, not silently"
    );
}

/// A relayed write takes the place of all that went before it, also of what arrives late.
#[test]
fn a_chain_of_writes_reads_as_its_last_in_whatever_order_it_arrives() {
    let (mut one, mut two) = pair();
    let mut chain = Vec::new();
    for turn in ["1", "2", "3", "4"] {
        chain.push(one.must(&Lww, &put(turn)));
        two.entry.join(chain.last().unwrap().clone());
        std::mem::swap(&mut one, &mut two);
    }
    for order in orders(&chain) {
        let last = order.iter().position(|delta| *delta == chain[3]).unwrap();
        for end in 1..=order.len() {
            let entry = joined(&order[..end]);
            if end > last {
                assert_eq!(
                    (entry.live_count(), Lww.fold(&entry)),
                    (1, Some(Value::from("4")))
                );
            }
        }
    }
}

#[test]
fn a_write_exceeds_every_stamp_held_so_that_its_writer_reads_it_back() {
    let (mut one, mut two) = pair();
    two.clock = 1_000_000;
    one.entry.join(two.must(&Lww, &put("from the future")));
    one.must(&Lww, &put("mine"));
    assert_eq!(Lww.fold(&one.entry), Some(Value::from("mine")));
    let plan = Lww
        .plan(&put("x"), &one.entry, &one.writer)
        .unwrap()
        .unwrap();
    assert_eq!(
        plan.floor,
        one.entry.writes().map(|(_, write)| write.stamp).max()
    );
    assert_eq!(
        Lww.plan(&put("x"), &Entry::new(), &one.writer)
            .unwrap()
            .unwrap()
            .floor,
        None
    );
}

/// A delete is a live write: else the sibling that it did not see would reappear under it.
#[test]
fn a_delete_hides_the_key_and_its_hidden_siblings_until_the_hub_prunes_them() {
    let (mut one, mut two) = pair();
    two.clock = 20;
    let sibling = one.must(&Lww, &put("sibling"));
    one.entry.join(two.must(&Lww, &put("shown")));
    let delete = one.must(&Lww, &Operation::Delete);
    assert_eq!(Lww.fold(&one.entry), None);
    assert_eq!(
        one.operate(&Lww, &Operation::Delete),
        Ok(None),
        "nothing shows any more"
    );
    let (absent, kept) = (
        Lww.shown(&one.entry).unwrap(),
        sibling.writes().next().unwrap().0,
    );
    let losses = [
        Loss {
            loser: kept.clone(),
            winner: Some(absent.clone()),
        },
        Loss {
            loser: absent.clone(),
            winner: None,
        },
    ];
    assert_eq!(
        Lww.losses(&one.entry),
        losses,
        "a receipt for the sibling, none for the delete"
    );
    // A hub that has already pruned the sibling has only the absence left, and owes no receipt.
    let mut hub = Replica::new("hub");
    hub.entry = one.entry.clone();
    let pruned = hub.cover(std::slice::from_ref(kept));
    assert_eq!(Lww.losses(&hub.entry), losses[1..]);
    hub.cover(&[absent]);
    assert!(!hub.entry.is_live());
    assert_eq!(
        (
            Lww.fold(&hub.entry),
            Lww.shown(&hub.entry),
            Lww.losses(&hub.entry)
        ),
        (None, None, vec![])
    );
    // And nothing that arrives again brings it back.
    for late in [sibling, delete, pruned] {
        hub.entry.join(late);
        assert!(!hub.entry.is_live());
    }
}

/// Null is a value, not an absence.
#[test]
fn a_null_is_shown_and_can_be_deleted() {
    let mut one = Replica::new("agent-1");
    one.must(&Lww, &Operation::Put(Value::Null));
    assert_eq!(Lww.fold(&one.entry), Some(Value::Null));
    assert!(
        Lww.losses(&one.entry).is_empty(),
        "a lone value loses nothing"
    );
    one.must(&Lww, &Operation::Delete);
    assert_eq!(Lww.fold(&one.entry), None);
    one.must(&Lww, &put("again"));
    assert_eq!(
        (Lww.fold(&one.entry), one.entry.live_count()),
        (Some(Value::from("again")), 1)
    );
}

// All rules.

fn rules() -> [&'static dyn Resolver; 8] {
    [
        &Lww,
        &Counter,
        &Set,
        &Map,
        &Causal::Lww,
        &Causal::Keep,
        &Causal::Custom,
        &Custom,
    ]
}

#[test]
fn an_operation_of_another_rule_is_refused_with_a_sentence_that_names_both() {
    let operations = [
        put("x"),
        Operation::Add(1),
        insert("x"),
        remove("x"),
        put_field("f", "x"),
        unset("f"),
    ];
    let fits = |rule: MergeRule, operation: &Operation| match rule {
        MergeRule::Counter => matches!(operation, Operation::Add(_)),
        MergeRule::Set => matches!(operation, Operation::Insert(_) | Operation::Remove(_)),
        MergeRule::Map => matches!(
            operation,
            Operation::PutField(..) | Operation::UnsetField(_)
        ),
        _ => matches!(operation, Operation::Put(_)),
    };
    for rule in rules() {
        let mut one = Replica::new("agent-1");
        for operation in &operations {
            let outcome = one.operate(rule, operation);
            assert_eq!(
                outcome.is_ok(),
                fits(rule.rule(), operation),
                "{rule:?} {operation:?}"
            );
            if let Err(refused) = outcome {
                let sentence = refused.to_string();
                assert!(
                    sentence.contains(&format!("`{}`", operation.name())),
                    "{sentence}"
                );
                assert!(
                    sentence.contains(&format!("the rule {}", rule.rule())),
                    "{sentence}"
                );
            }
        }
    }
}

#[test]
fn an_absent_key_reads_as_nothing_and_deleting_it_does_nothing() {
    let covered = {
        let mut one = Replica::new("agent-1");
        one.must(&Counter, &Operation::Add(1));
        one.must(&Counter, &Operation::Delete);
        one.entry
    };
    for rule in rules() {
        for entry in [&Entry::new(), &covered] {
            let writer = Replica::new("agent-1").writer;
            assert_eq!(rule.plan(&Operation::Delete, entry, &writer), Ok(None));
            assert_eq!((rule.fold(entry), rule.shown(entry)), (None, None));
            assert!(rule.losses(entry).is_empty());
        }
    }
}

/// Without a policy a kind of write belongs to one rule, so that any replica tells the rule of a key
/// from its writes.
#[test]
fn every_kind_of_write_belongs_to_one_rule() {
    use PayloadKind::{Absent, Cleared, Count, Element, Field, Put, Unset};
    let rules = sync_resolve::standard();
    let held = [
        (Put, MergeRule::Lww),
        (Absent, MergeRule::Lww),
        (Count, MergeRule::Counter),
        (Element, MergeRule::Set),
        (Field, MergeRule::Map),
        (Unset, MergeRule::Map),
        (Cleared, MergeRule::Map),
    ];
    for (kind, rule) in held {
        assert_eq!(rules.holding(kind).unwrap().rule(), rule);
        let others = self::rules().into_iter().filter(|r| r.holds(kind));
        let registers = [MergeRule::Lww, MergeRule::Causal, MergeRule::Custom];
        let alike = |r: MergeRule| r == rule || (registers.contains(&r) && rule == MergeRule::Lww);
        assert!(others.map(Resolver::rule).all(alike), "{kind:?}");
    }
    let key = Key::new("k").unwrap();
    for (operation, rule) in [
        (put("x"), Some(MergeRule::Lww)),
        (Operation::Add(1), Some(MergeRule::Counter)),
        (insert("x"), Some(MergeRule::Set)),
        (put_field("f", "x"), Some(MergeRule::Map)),
        (remove("x"), None),
        (unset("f"), None),
        (Operation::Delete, None),
    ] {
        assert_eq!(
            rules.of_operation(&key, &operation).map(Resolver::rule),
            rule
        );
    }
}

/// Each is found under its own name, as a policy gives it.
#[test]
fn every_rule_is_among_the_standard_ones() {
    let standard = sync_resolve::standard();
    for rule in rules() {
        let found = standard.get(rule.rule(), rule.on_concurrent()).unwrap();
        assert_eq!(format!("{found:?}"), format!("{rule:?}"));
    }
}
