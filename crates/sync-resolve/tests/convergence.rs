//! Random operations by three replicas and a hub, with deltas exchanged at random: an operation takes
//! away exactly what the table of rules says, and everybody ends with the value that it says. The laws
//! that hold for any rule are in `suite.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod replica;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sync_core::{
    Entry, MergeRule, Operation, Payload, PayloadKind, Resolver, Value, Write, WriteId,
};
use sync_resolve::{Causal, Counter, Lww, Map, Set};

use replica::{Replica, joined, put, set};

#[derive(Debug, Clone)]
enum Step {
    Operate {
        who: usize,
        operation: Operation,
    },
    /// An earlier delta arrives, perhaps again.
    Deliver {
        which: usize,
        to: usize,
    },
    /// A whole entry arrives.
    Sync {
        from: usize,
        to: usize,
    },
    /// A wall clock runs ahead or falls behind.
    Clock {
        who: usize,
        at: u64,
    },
    /// The hub covers what lost.
    Resolve,
}

/// The last node is the hub, which also writes.
const NODES: usize = 4;

fn steps(operation: BoxedStrategy<Operation>) -> impl Strategy<Value = Vec<Step>> {
    let who = || 0..NODES;
    let step = prop_oneof![
        6 => (who(), operation).prop_map(|(who, operation)| Step::Operate { who, operation }),
        4 => (0..64_usize, who()).prop_map(|(which, to)| Step::Deliver { which, to }),
        3 => (who(), who()).prop_map(|(from, to)| Step::Sync { from, to }),
        1 => (who(), 0..30_u64).prop_map(|(who, at)| Step::Clock { who, at }),
        2 => Just(Step::Resolve),
    ];
    prop::collection::vec(step, 1..50)
}

fn names() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(Value::from)
}

const FIELDS: [&str; 2] = ["f", "g"];

fn newest(entry: &Entry, among: impl Fn(&Payload) -> bool) -> Option<&WriteId> {
    let among = entry.writes().filter(|(_, write)| among(&write.payload));
    let newest = among.max_by_key(|(id, write)| (write.stamp, (*id).clone()));
    newest.map(|(id, _)| id)
}

/// Whether a write has a say in what a field reads as.
fn decides(payload: &Payload, name: &str) -> bool {
    payload.field_name() == Some(name) || payload.kind() == PayloadKind::Cleared
}

fn fields() -> impl Strategy<Value = String> {
    prop::sample::select(FIELDS.to_vec()).prop_map(str::to_owned)
}

/// What the table of rules says that an operation takes away from what its node sees.
fn takes(rule: &dyn Resolver, operation: &Operation, node: &Replica) -> BTreeSet<WriteId> {
    let live = || node.entry.writes();
    let of = |value: &Value| {
        let element = Payload::element(value);
        live().filter(move |(_, write)| write.payload == element)
    };
    let ids = |found: Vec<&WriteId>| found.into_iter().cloned().collect();
    let own = |id: &WriteId| id.writer == node.writer;
    match (rule.rule(), operation) {
        (MergeRule::Lww, _) => ids(newest(&node.entry, |_| true).into_iter().collect()),
        (MergeRule::Map, Operation::PutField(name, _) | Operation::UnsetField(name)) => {
            let decides = newest(&node.entry, |payload| decides(payload, name));
            let is_named = |id: &&WriteId| {
                let write = node.entry.write(id);
                write.is_some_and(|w| w.payload.kind() != PayloadKind::Cleared)
            };
            ids(decides.filter(is_named).into_iter().collect())
        }
        (MergeRule::Map, Operation::Delete) => {
            let fields = FIELDS.iter();
            let shown = fields.filter_map(|name| newest(&node.entry, |p| decides(p, name)));
            let cleared = newest(&node.entry, |p| p.kind() == PayloadKind::Cleared);
            ids(shown.chain(cleared).collect())
        }
        (MergeRule::Causal, _) => ids(live().map(|(id, _)| id).collect()),
        (_, Operation::Delete) => ids(live().map(|(id, _)| id).collect()),
        (_, Operation::Add(_)) => {
            let counts = |write: &Write| write.payload.kind() == PayloadKind::Count;
            let own = live().filter(|(id, write)| own(id) && counts(write));
            ids(own.map(|(id, _)| id).collect())
        }
        (_, Operation::Insert(value)) => {
            ids(of(value).map(|(id, _)| id).filter(|id| own(id)).collect())
        }
        (_, Operation::Remove(value)) => ids(of(value).map(|(id, _)| id).collect()),
        _ => unreachable!("not an operation of this rule"),
    }
}

/// Plays `steps`, lets everything arrive everywhere, and returns what everybody then holds.
fn play(rule: &dyn Resolver, steps: &[Step]) -> Result<Entry, TestCaseError> {
    play_and(rule, steps, |_, _| ())
}

/// The same, with a look at each operation and the node that has carried it out.
fn play_and(
    rule: &dyn Resolver,
    steps: &[Step],
    mut look: impl FnMut(&Operation, &Replica),
) -> Result<Entry, TestCaseError> {
    let names = ["agent-1", "agent-2", "agent-3", "hub"];
    let mut nodes: Vec<Replica> = names.map(Replica::new).into();
    let mut deltas = Vec::new();
    for step in steps {
        match step {
            Step::Operate { who, operation } => {
                let node = &mut nodes[*who];
                let before: BTreeSet<_> = node.live().into_iter().collect();
                let taken = takes(rule, operation, node);
                let Some(delta) = node.operate(rule, operation).unwrap() else {
                    continue;
                };
                let after: BTreeSet<_> = node.live().into_iter().collect();
                let removed: BTreeSet<_> = before.difference(&after).cloned().collect();
                prop_assert_eq!(&removed, &taken, "{:?} took something else", operation);
                look(operation, node);
                deltas.push(delta);
            }
            Step::Deliver { which, to } => {
                if let Some(delta) = deltas.get(which % deltas.len().max(1)) {
                    nodes[*to].entry.join(delta.clone());
                }
            }
            Step::Sync { from, to } => {
                let entry = nodes[*from].entry.clone();
                nodes[*to].entry.join(entry);
            }
            Step::Clock { who, at } => nodes[*who].clock = *at,
            Step::Resolve => {
                let hub = &mut nodes[NODES - 1];
                let losses = rule.losses(&hub.entry).into_iter();
                let losers: Vec<_> = losses.map(|loss| loss.loser).collect();
                deltas.push(hub.cover(&losers));
            }
        }
    }
    let all = joined(&deltas);
    for node in &mut nodes {
        node.entry.join(all.clone());
        prop_assert_eq!(&node.entry, &all);
    }
    Ok(all)
}

fn config() -> ProptestConfig {
    let failure_persistence = None;
    ProptestConfig {
        cases: 1_500,
        failure_persistence,
        rng_seed: RngSeed::Fixed(3),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn last_writer_wins_converges_and_shows_the_greatest(
        steps in steps(prop_oneof![
            4 => names().prop_map(Operation::Put),
            1 => Just(Operation::Delete),
        ].boxed()),
    ) {
        let all = play(&Lww, &steps)?;
        let newest = all.writes().max_by_key(|(id, write)| (write.stamp, (*id).clone()));
        prop_assert_eq!(Lww.shown(&all), newest.map(|(id, _)| id.clone()));
        prop_assert_eq!(Lww.fold(&all), newest.and_then(|(_, write)| write.payload.value()));
    }

    #[test]
    fn counters_converge(
        steps in steps(prop_oneof![
            4 => (-9..9_i64).prop_map(Operation::Add),
            1 => Just(Operation::Delete),
        ].boxed()),
    ) {
        play(&Counter, &steps)?;
    }

    /// As long as nobody forgets the deletes: the sum is that of what was added and no delete had seen.
    #[test]
    fn a_counter_counts_every_add_that_no_delete_had_seen(
        mut steps in steps(prop_oneof![
            4 => (-9..9_i64).prop_map(Operation::Add),
            1 => Just(Operation::Delete),
        ].boxed()),
    ) {
        steps.retain(|step| !matches!(step, Step::Resolve));
        let mut unseen = BTreeMap::new();
        let all = play_and(&Counter, &steps, |operation, node| {
            if let Operation::Add(amount) = operation {
                let last = node.entry.context().last_of(&node.writer).unwrap();
                let id = WriteId::new(node.writer.clone(), last);
                unseen.insert(id, *amount);
            } else {
                unseen.retain(|id, _| !node.entry.context().contains(id));
            }
        })?;
        let expected = unseen.values().copied().reduce(|sum, amount| sum + amount);
        prop_assert_eq!(Counter.fold(&all), expected.map(Value::Int));
    }

    /// Without deletes the sum is that of everything ever added: no add twice, none lost.
    #[test]
    fn a_counter_counts_every_add_once(steps in steps((-9..9_i64).prop_map(Operation::Add).boxed())) {
        let added = steps.iter().filter_map(|step| match step {
            Step::Operate { operation: Operation::Add(amount), .. } => Some(*amount),
            _ => None,
        });
        let expected = added.reduce(|sum, amount| sum + amount).map(Value::Int);
        prop_assert_eq!(Counter.fold(&play(&Counter, &steps)?), expected);
    }

    #[test]
    fn sets_converge(
        steps in steps(prop_oneof![
            4 => names().prop_map(Operation::Insert),
            3 => names().prop_map(Operation::Remove),
            1 => Just(Operation::Delete),
        ].boxed()),
    ) {
        let all = play(&Set, &steps)?;
        let held: BTreeSet<_> = all.writes().filter_map(|(_, write)| match write.payload.value() {
            Some(Value::Text(element)) => Some(element),
            _ => None,
        }).collect();
        let elements: Vec<_> = held.iter().map(String::as_str).collect();
        prop_assert_eq!(Set.fold(&all), all.is_live().then(|| set(&elements)));
    }

    #[test]
    fn maps_converge_and_show_the_newest_of_each_field(
        steps in steps(prop_oneof![
            4 => (fields(), names()).prop_map(|(f, value)| Operation::PutField(f, value)),
            2 => fields().prop_map(Operation::UnsetField),
            1 => Just(Operation::Delete),
        ].boxed()),
    ) {
        let all = play(&Map, &steps)?;
        let value = |name: &str| {
            let newest = newest(&all, |payload| decides(payload, name))?;
            Some((name.to_owned(), all.write(newest)?.payload.value()?))
        };
        let read: BTreeMap<_, _> = FIELDS.iter().filter_map(|name| value(name)).collect();
        prop_assert_eq!(Map.fold(&all), (!read.is_empty()).then_some(Value::Map(read)));
    }

    #[test]
    fn causal_values_converge_and_all_show(
        steps in steps(prop_oneof![
            4 => names().prop_map(Operation::Put),
            1 => Just(Operation::Delete),
        ].boxed()),
    ) {
        let all = play(&Causal::Keep, &steps)?;
        let live: Vec<_> = all.writes().map(|(id, _)| id.clone()).collect();
        let beside = if live.len() > 1 { live } else { Vec::new() };
        prop_assert_eq!(Causal::Keep.siblings(&all), beside);
    }
}

/// The machinery above, on one case that a reader can follow.
#[test]
fn two_writers_and_a_hub_that_decides() {
    let mut hub = Replica::new("hub");
    let [mut early, mut late] = ["agent-1", "agent-2"].map(Replica::new);
    late.clock = 9;
    hub.entry = joined(&[
        early.must(&Lww, &put("early")),
        late.must(&Lww, &put("late")),
    ]);
    let losers: Vec<_> = Lww
        .losses(&hub.entry)
        .into_iter()
        .map(|loss| loss.loser)
        .collect();
    assert_eq!(losers, early.live());
    early.entry.join(late.entry);
    early.entry.join(hub.cover(&losers));
    assert_eq!(early.entry, hub.entry);
    assert_eq!(
        (Lww.fold(&hub.entry), hub.entry.live_count()),
        (Some(Value::from("late")), 1)
    );
}
