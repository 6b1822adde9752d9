//! What the causal rule and custom merges promise, one promise a test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod replica;

use sync_core::{Entry, Loss, MergeRule, OnConcurrent, Operation, OperationError, Resolver, Value};
use sync_resolve::{Causal, Custom, Lww};

use replica::{Replica, joined, orders, pair, put};

/// Those under which concurrent values stand beside each other.
const KEEPING: [&dyn Resolver; 3] = [&Causal::Keep, &Causal::Custom, &Custom];

/// An early and a late write that have not seen each other, and who wrote them.
fn race(rule: &dyn Resolver) -> ([Entry; 2], Replica, Replica) {
    let (mut one, mut two) = pair();
    (one.clock, two.clock) = (10, 20);
    let writes = [one.must(rule, &put("early")), two.must(rule, &put("late"))];
    (writes, one, two)
}

#[test]
fn concurrent_values_stand_beside_each_other_and_the_newest_reads() {
    for rule in KEEPING {
        let (writes, one, two) = race(rule);
        for order in orders(&writes) {
            let entry = joined(&order);
            assert_eq!(rule.fold(&entry), Some("late".into()));
            assert_eq!(rule.shown(&entry), two.live().pop());
            assert_eq!(rule.siblings(&entry), [one.live(), two.live()].concat());
            assert_eq!((rule.hidden(&entry), rule.losses(&entry)), (0, vec![]));
        }
        assert!(
            rule.siblings(&one.entry).is_empty(),
            "one alone has none beside it"
        );
    }
}

/// All of it was shown, so all of it is replaced knowingly, and nobody needs a receipt.
#[test]
fn a_write_replaces_everything_that_its_writer_saw_and_nothing_else() {
    for rule in KEEPING {
        let (writes, mut one, mut two) = race(rule);
        let unseen = two.must(rule, &put("unseen"));
        one.entry = joined(&writes);
        let both = one.must(rule, &put("both"));
        assert_eq!(
            (rule.fold(&one.entry), one.entry.live_count()),
            (Some("both".into()), 1)
        );
        let [a, b] = writes;
        for order in orders(&[a, b, unseen, both]) {
            let entry = joined(&order);
            let beside = [one.live(), two.live()].concat();
            assert_eq!(rule.siblings(&entry), beside, "what it did not see stays");
        }
    }
}

#[test]
fn a_delete_leaves_nothing_but_what_it_did_not_see() {
    for rule in KEEPING {
        let (writes, mut one, mut two) = race(rule);
        one.entry = joined(&writes);
        let delete = one.must(rule, &Operation::Delete);
        assert!(!one.entry.is_live());
        assert_eq!(one.operate(rule, &Operation::Delete), Ok(None));
        let unseen = two.must(rule, &put("unseen"));
        let [a, b] = writes;
        for order in orders(&[a, b, unseen, delete]) {
            let entry = joined(&order);
            assert_eq!(
                (rule.fold(&entry), entry.live_count()),
                (Some("unseen".into()), 1)
            );
        }
    }
}

#[test]
fn only_a_custom_merge_asks_the_hub_for_one_value() {
    for rule in KEEPING {
        let (writes, one, _) = race(rule);
        let entry = joined(&writes);
        let asks = rule.on_concurrent() == OnConcurrent::Custom;
        let expected = if asks {
            rule.siblings(&entry)
        } else {
            Vec::new()
        };
        assert_eq!(rule.unmerged(&entry), expected, "{rule:?}");
        assert!(rule.unmerged(&one.entry).is_empty(), "one alone is merged");
        // What the hub writes is a write like any other.
        let mut hub = Replica::new("hub");
        hub.entry = entry;
        hub.must(rule, &put("merged"));
        assert_eq!(
            (rule.fold(&hub.entry), hub.entry.live_count()),
            (Some("merged".into()), 1)
        );
        assert!(rule.unmerged(&hub.entry).is_empty());
    }
}

/// A key that was under last-writer-wins may hold an absence beside a value that it hid.
#[test]
fn an_absence_from_before_a_policy_hides_no_value() {
    for rule in KEEPING {
        let (mut one, mut two) = pair();
        two.clock = 20;
        let kept = one.must(&Lww, &put("kept"));
        two.must(&Lww, &put("gone"));
        let absent = two.must(&Lww, &Operation::Delete);
        let mut entry = joined(&[kept, absent]);
        assert_eq!(Lww.fold(&entry), None);
        assert_eq!(rule.fold(&entry), Some("kept".into()));
        assert_eq!(
            (rule.shown(&entry), rule.siblings(&entry)),
            (one.live().pop(), vec![])
        );
        assert!(rule.unmerged(&entry).is_empty(), "there is one value");
        let loser = two.live().pop().unwrap();
        let done = Loss {
            loser,
            winner: None,
        };
        assert_eq!(rule.losses(&entry), [done], "nobody gets a receipt");
        // Alone it reads as absent, and a delete finds nothing.
        let alone = two.entry.clone();
        assert_eq!((rule.fold(&alone), rule.shown(&alone)), (None, None));
        assert_eq!(rule.plan(&Operation::Delete, &alone, &two.writer), Ok(None));
        // A value and an absence go together.
        two.entry.join(std::mem::take(&mut entry));
        two.must(rule, &Operation::Delete);
        assert!(!two.entry.is_live());
    }
}

#[test]
fn causal_with_lww_is_lww_by_another_name() {
    let ([early, late], ..) = race(&Causal::Lww);
    let entry = joined(&[early, late]);
    let rule: &dyn Resolver = &Causal::Lww;
    assert_eq!(rule.rule(), MergeRule::Causal);
    assert_eq!(rule.on_concurrent(), OnConcurrent::Lww);
    assert_eq!(
        (rule.fold(&entry), rule.shown(&entry)),
        (Lww.fold(&entry), Lww.shown(&entry))
    );
    assert_eq!(
        (rule.losses(&entry), rule.hidden(&entry)),
        (Lww.losses(&entry), 1)
    );
    assert!(rule.siblings(&entry).is_empty() && rule.unmerged(&entry).is_empty());
    let writer = Replica::new("agent-3").writer;
    for operation in [put("x"), Operation::Delete] {
        let plan = rule.plan(&operation, &entry, &writer);
        assert_eq!(plan, Lww.plan(&operation, &entry, &writer));
    }
}

#[test]
fn a_refusal_names_the_rule_that_the_key_is_under() {
    let writer = Replica::new("agent-1").writer;
    let rules: [(&dyn Resolver, MergeRule); 4] = [
        (&Causal::Lww, MergeRule::Causal),
        (&Causal::Keep, MergeRule::Causal),
        (&Causal::Custom, MergeRule::Causal),
        (&Custom, MergeRule::Custom),
    ];
    for (resolver, rule) in rules {
        let refused = resolver.plan(&Operation::Add(1), &Entry::new(), &writer);
        let operation = "add";
        assert_eq!(refused, Err(OperationError::Rule { operation, rule }));
        assert_eq!(resolver.fold(&Entry::new()), None::<Value>);
    }
}
