//! Whatever a network does to deltas, whole entries and pieces of them, every receiver comes to the
//! same entry, and never shows on the way what has been replaced or hides what has not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod history;

use std::collections::BTreeSet;

use proptest::prelude::*;
use sync_core::{
    AgentId, Context, Entry, Incarnation, Key, Payload, Revision, Segment, Seq, Span, Stamp, Value,
    Version, Write, WriteId, Writer,
};

use history::model::Model;
use history::{Dice, History, config, scripts};

/// Joins `parcels` one by one and holds every state on the way against the truth.
fn receive(history: &History, start: Entry, parcels: &[Entry]) -> Result<Entry, TestCaseError> {
    let mut entry = start;
    let mut dead = BTreeSet::new();
    for parcel in parcels {
        let joined = entry.join(parcel.clone());
        dead.extend(joined.removed.into_iter().map(|(id, _)| id));
        history.check(&entry);
        for id in &joined.added {
            prop_assert!(!dead.contains(id), "{} came back", id);
        }
    }
    Ok(entry)
}

fn pieces(entries: &[Entry], dice: &mut Dice) -> Vec<Entry> {
    let cut = |entry: &Entry| entry.parts(None, dice.below(300));
    entries
        .iter()
        .flat_map(cut)
        .map(|part| part.entry)
        .collect()
}

/// Some twice, some late, all in disorder: what was lost is repaired at the end.
fn disturb(mut parcels: Vec<Entry>, dice: &mut Dice) -> Vec<Entry> {
    let again: Vec<Entry> = parcels
        .iter()
        .filter(|_| dice.below(3) == 0)
        .cloned()
        .collect();
    parcels.extend(again);
    dice.shuffle(&mut parcels);
    parcels
}

proptest! {
    #![proptest_config(config(1_000))]

    /// Every way of sending a history, in a thousand disorders: one outcome, which is what the
    /// writers chose: each write that nobody removed, and no other.
    #[test]
    fn every_delivery_of_a_history_converges(script in scripts(), seed in any::<u64>()) {
        let history = script.run();
        let mut dice = Dice(seed);
        let all = receive(&history, Entry::new(), &history.deltas)?;
        let live: Vec<_> = all.writes().map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(live, history.survivors());

        let everything = [&history.deltas[..], &history.states, &history.finals].concat();
        let mixture = [&everything[..], &pieces(&everything, &mut dice)].concat();
        // The states alone will do: each operation's own node had it.
        let ways = [
            history.deltas.clone(),
            history.states.clone(),
            pieces(&history.deltas, &mut dice),
            pieces(&history.states, &mut dice),
            mixture,
        ];
        for parcels in ways {
            let got = receive(&history, Entry::new(), &disturb(parcels, &mut dice))?;
            prop_assert_eq!(&got, &all);
        }
        // And from wherever a node stands already.
        for start in &history.finals {
            let parcels = disturb(history.deltas.clone(), &mut dice);
            prop_assert_eq!(&receive(&history, start.clone(), &parcels)?, &all);
        }
    }

    /// Nodes that keep exchanging pairwise, with no hub at all, end equal.
    #[test]
    fn gossip_alone_converges(script in scripts(), seed in any::<u64>()) {
        let history = script.run();
        let mut dice = Dice(seed);
        let mut nodes = history.finals.clone();
        for _ in 0..6 * nodes.len() {
            let (from, to) = (dice.below(nodes.len()), dice.below(nodes.len()));
            let sent = nodes[from].parts(None, dice.below(200));
            let sent = sent.into_iter().map(|part| part.entry).collect();
            nodes[to] = receive(&history, nodes[to].clone(), &disturb(sent, &mut dice))?;
        }
        let all = nodes.iter().fold(Entry::new(), |mut sum, node| {
            sum.join(node.clone());
            sum
        });
        for node in &mut nodes {
            node.join(all.clone());
            prop_assert_eq!(&*node, &all);
        }
        prop_assert_eq!(all.live_count(), history.survivors().len());
    }
}

fn writer(name: &str) -> Writer {
    Writer::new(AgentId::new(name).unwrap(), Incarnation::from_random(1))
}

fn write(prev: u64, payload: Payload, over: Context) -> Write {
    Write {
        stamp: Stamp::at_millis(1),
        payload,
        prev: Seq::new(prev),
        over,
        note: None,
    }
}

fn id(writer: &Writer, seq: u64) -> WriteId {
    WriteId::new(writer.clone(), Seq::new(seq))
}

/// The trap of the design: 1 ← 2 ← 3 are one contribution growing; 3 arrives first, and what it
/// replaced arrives late through a relay. Direct covers alone would count 1 beside 3.
#[test]
fn a_relayed_predecessor_that_arrives_late_does_not_count_twice() {
    let agent = writer("agent-1");
    let mut own = Entry::new();
    let mut deltas = Vec::new();
    for seq in 1..=3 {
        let over = own
            .writes()
            .next()
            .map(|(id, write)| write.closure(id))
            .unwrap_or_default();
        let total = i64::try_from(seq).unwrap() * 10;
        let delta = Entry::of_write(id(&agent, seq), write(seq - 1, Payload::count(total), over));
        own.join(delta.clone());
        deltas.push(delta);
    }
    for order in [[2, 0, 1], [2, 1, 0], [1, 0, 2], [0, 2, 1]] {
        let mut entry = Entry::new();
        for at in order {
            entry.join(deltas[at].clone());
            assert_eq!(entry.live_count(), 1, "{order:?}");
        }
        assert_eq!(
            entry.write(&id(&agent, 3)).unwrap().payload.total(),
            Some(30)
        );
    }
}

/// Numbers run over all keys of a writer; the gap between two writes to this key belongs to the
/// later one, so that contexts stay one range per writer.
#[test]
fn a_context_closes_up_although_numbers_run_over_all_keys() {
    let agent = writer("agent-1");
    let mut entry = Entry::new();
    for (prev, seq) in [(17, 40), (0, 3), (3, 17)] {
        let element = Payload::element(&Value::from(i64::try_from(seq).unwrap()));
        entry.join(Entry::of_write(
            id(&agent, seq),
            write(prev, element, Context::new()),
        ));
    }
    let span = Span::new(agent, Seq::new(1), Seq::new(40));
    assert_eq!(entry.context().spans(), [span]);
    assert_eq!(entry.live_count(), 3);
}

/// A part carries little beyond its writes: the numbers that a writer spent on other keys are not
/// dead writes of this one.
#[test]
fn a_part_stays_within_its_budget() {
    const BUDGET: usize = 16 * 1024;
    let agent = writer("agent-1");
    let mut entry = Entry::new();
    for at in 1..=10_000_u64 {
        let element = Payload::element(&Value::Text(format!("{at:08}")));
        entry.join(Entry::of_write(
            id(&agent, 3 * at),
            write(3 * at - 3, element, Context::new()),
        ));
    }
    // Every second one is removed again: dead writes have to be told too, and take room.
    let removed =
        (1..=5_000).map(|at| Span::new(agent.clone(), Seq::new(6 * at), Seq::new(6 * at)));
    entry.join(Entry::covering(removed.collect()));
    let parts = entry.parts(None, BUDGET);
    assert!(parts.len() > 10);
    for part in parts {
        let (version, revision) = (Version::new(1), Revision::new(1));
        let segment = Segment {
            key: Key::new("k").unwrap(),
            version,
            revision,
            entry: part.entry,
        };
        let bytes = segment.encode().len();
        assert!(bytes <= BUDGET + 256, "{bytes}");
    }
}

/// Bad input, row 23.
/// A large set, every second element removed, in pages: thousands of ranges on both sides, which
/// interleave. Done in one walk; inserting one by one would take minutes at this size.
#[test]
fn many_interleaved_ranges_are_joined_in_one_walk() {
    const RANGES: u64 = 150_000;
    let agents = [writer("agent-1"), writer("agent-2")];
    let every_second = |from: u64| -> Context {
        let seqs = (0..RANGES).map(|n| Seq::new(2 * n + from));
        let spans = agents
            .iter()
            .flat_map(|w| seqs.clone().map(|seq| Span::new(w.clone(), seq, seq)));
        spans.collect()
    };
    let mut entry = Entry::covering(every_second(1));
    assert!(entry.join(Entry::covering(every_second(2))).inflated());
    let whole = |w: &Writer| Span::new(w.clone(), Seq::new(1), Seq::new(2 * RANGES));
    assert_eq!(
        entry.context().spans(),
        [whole(&agents[0]), whole(&agents[1])]
    );
}

fn ranges() -> impl Strategy<Value = Context> {
    let span = |(name, first, more): (u8, u64, u64)| {
        let writer = writer(&format!("agent-{name}"));
        Span::new(writer, Seq::new(first), Seq::new(first + more))
    };
    let spans = prop::collection::vec((0..3_u8, 1..90_u64, 0..4_u64).prop_map(span), 0..40);
    spans.prop_map(|spans| spans.into_iter().collect())
}

proptest! {
    #![proptest_config(config(2_000))]

    /// Few ranges are inserted, many are merged: the same set in the same form.
    #[test]
    fn unions_of_few_and_of_many_ranges_agree(a in ranges(), b in ranges(), gone in ranges()) {
        let (left, right) = (Entry::covering(a.clone()), Entry::covering(b.clone()));
        let mut both = left.clone();
        let report = both.join(right.clone());
        prop_assert_eq!(report.context_grew, !a.includes(&b));
        prop_assert_eq!(Model::from(&both), Model::from(&left).join(&Model::from(&right)));
        let one_by_one: Context = a.spans().iter().chain(b.spans()).cloned().collect();
        prop_assert_eq!(both.context(), &one_by_one);

        // Taking ranges out is the difference of the sets, in canonical form.
        let mut less = a.clone();
        gone.spans().iter().for_each(|span| less.remove(span));
        let (all, out) = (Model::from(&left).context, Model::from(&Entry::covering(gone)).context);
        let rest: BTreeSet<_> = all.difference(&out).cloned().collect();
        prop_assert_eq!(Model::from(&Entry::covering(less.clone())).context, rest);
        let again: Context = less.spans().iter().cloned().collect();
        prop_assert_eq!(less, again);
    }
}

/// The numbers end at 2^64 - 1; a range that reaches them is a range like any other.
#[test]
fn a_range_may_end_at_the_last_number_there_is() {
    let agent = writer("agent-1");
    let span = |first, last| Span::new(agent.clone(), Seq::new(first), Seq::new(last));
    let mut context = Context::new();
    assert!(context.insert(span(5, 5)));
    assert!(context.insert(span(1, u64::MAX)));
    assert!(!context.insert(span(u64::MAX, u64::MAX)));
    assert_eq!(context.spans(), [span(1, u64::MAX)]);
    assert!(context.contains(&id(&agent, u64::MAX)));
    context.remove(&span(u64::MAX, u64::MAX));
    assert_eq!(context.spans(), [span(1, u64::MAX - 1)]);
    assert!(context.insert(span(u64::MAX, u64::MAX)));
    context.remove(&span(1, u64::MAX));
    assert!(context.is_empty());
}
