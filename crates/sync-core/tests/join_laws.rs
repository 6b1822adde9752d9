//! The laws of the one join, on every kind of state and delta that a small swarm produces: the
//! algebra, the formula of the design, what a join reports, what parts promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod history;

use std::collections::BTreeSet;

use proptest::prelude::*;
use sync_core::{Entry, Payload, WriteId};

use history::model::Model;
use history::{Dice, History, Script, config, scripts};

/// A delta, a state of some node, a state that losses left behind, or a piece of one of these.
fn pick(history: &History, seed: u64) -> Entry {
    let mut dice = Dice(seed);
    let from = |entries: &[Entry], dice: &mut Dice| {
        entries
            .get(dice.below(entries.len()))
            .cloned()
            .unwrap_or_default()
    };
    let entry = match dice.below(4) {
        0 => from(&history.deltas, &mut dice),
        1 => from(&history.states, &mut dice),
        2 => from(&history.finals, &mut dice),
        _ => lossy(history, dice.0),
    };
    if dice.below(3) > 0 {
        return entry;
    }
    let pieces = entry.parts(None, dice.below(300));
    pieces[dice.below(pieces.len())].entry.clone()
}

/// The join of the deltas whose bit is set, in order: a state that losses can leave behind.
fn lossy(history: &History, mask: u64) -> Entry {
    let mut entry = Entry::new();
    for (at, delta) in history.deltas.iter().enumerate() {
        if mask & (1 << (at % 64)) != 0 {
            entry.join(delta.clone());
        }
    }
    entry
}

fn joined(left: &Entry, right: &Entry) -> Entry {
    let mut out = left.clone();
    out.join(right.clone());
    out
}

fn live(entry: &Entry) -> BTreeSet<WriteId> {
    entry.writes().map(|(id, _)| id.clone()).collect()
}

/// Three entries of one history, and the history for its truth.
fn three() -> impl Strategy<Value = (Script, [u64; 3])> {
    (scripts(), any::<[u64; 3]>())
}

proptest! {
    #![proptest_config(config(1_500))]

    /// The optimised join is the formula: same writes, same context, from both sides.
    #[test]
    fn the_join_is_the_formula_of_the_design((script, seeds) in three()) {
        let history = script.run();
        let [a, b, _] = seeds.map(|seed| pick(&history, seed));
        let both = joined(&a, &b);
        prop_assert_eq!(Model::from(&both), Model::from(&a).join(&Model::from(&b)));
        prop_assert_eq!(&both, &joined(&b, &a), "not commutative");
        history.check(&both);
        let whole = history.finals.iter().fold(Entry::new(), |sum, node| joined(&sum, node));
        prop_assert_eq!(live(&whole).into_iter().collect::<Vec<_>>(), history.survivors());
    }

    #[test]
    fn the_join_is_associative((script, seeds) in three()) {
        let history = script.run();
        let [a, b, c] = seeds.map(|seed| pick(&history, seed));
        prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
    }

    #[test]
    fn the_join_is_idempotent_and_inflationary((script, seeds) in three()) {
        let history = script.run();
        let [a, b, _] = seeds.map(|seed| pick(&history, seed));
        prop_assert_eq!(&joined(&a, &a), &a);
        prop_assert_eq!(&joined(&a, &Entry::new()), &a);
        prop_assert_eq!(&joined(&Entry::new(), &a), &a);
        let both = joined(&a, &b);
        prop_assert_eq!(&joined(&both, &a), &both);
        prop_assert!(both.includes(&a) && both.includes(&b));
        prop_assert!(both.context().includes(a.context()) && both.context().includes(b.context()));
    }

    /// A machine persists, numbers and forwards by this report, so it must be exact.
    #[test]
    fn a_join_reports_exactly_what_it_changed((script, seeds) in three()) {
        let history = script.run();
        let [a, b, _] = seeds.map(|seed| pick(&history, seed));
        let mut both = a.clone();
        let report = both.join(b.clone());
        prop_assert_eq!(report.inflated(), both != a);
        prop_assert_eq!(a.includes(&b), !report.inflated(), "includes and inflated disagree");
        prop_assert_eq!(report.context_grew, both.context() != a.context());
        let (before, after) = (live(&a), live(&both));
        let added: Vec<_> = after.difference(&before).cloned().collect();
        prop_assert_eq!(report.added.to_vec(), added);
        let removed: Vec<_> = before.difference(&after).cloned().collect();
        prop_assert_eq!(report.removed.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), removed);
        for (id, write) in &report.removed {
            prop_assert_eq!(a.write(id), Some(write), "the payload handed to the fate log");
        }
        prop_assert!(report.replaced.is_empty() && report.outranked.is_empty());
    }

    /// The index of a set's elements answers as a search through all live writes would.
    #[test]
    fn the_index_by_part_agrees_with_a_search((script, seeds) in three()) {
        let history = script.run();
        let [a, b, _] = seeds.map(|seed| pick(&history, seed));
        let mut both = joined(&a, &b);
        both.intern(&mut Clone::clone);
        for element in 0..3 {
            let part = Payload::element(&element.into());
            let found: BTreeSet<_> = both.part(&part).map(|(id, _)| id.clone()).collect();
            let held = both.writes().filter(|(_, write)| write.payload == part);
            prop_assert_eq!(found, held.map(|(id, _)| id.clone()).collect::<BTreeSet<_>>());
        }
        let (writes, context) = both.clone().into_parts();
        prop_assert_eq!(Entry::from_parts(writes, context), Some(both));
    }

    /// Any page size, any order, and again from any write on: the same entry, and on the way
    /// nothing dies that the sender holds live.
    #[test]
    fn parts_join_to_the_whole_and_kill_nothing(
        (script, seeds) in three(),
        budget in 0..400_usize,
    ) {
        let history = script.run();
        let [whole, held, chance] = [0, 1, 2].map(|at| pick(&history, seeds[at]));
        let mut dice = Dice(seeds[2]);
        let parts = whole.parts(None, budget);
        let mut parts: Vec<Entry> = parts.into_iter().map(|part| part.entry).collect();
        for part in &parts {
            for id in live(&whole) {
                let travels = part.write(&id).is_some();
                prop_assert!(travels || !part.context().contains(&id), "{} would die", id);
            }
            prop_assert!(whole.includes(part), "a part says more than the whole");
            // The receiver may hold anything already.
            history.check(&joined(&held, part));
        }
        dice.shuffle(&mut parts);
        let sum = parts.iter().fold(Entry::new(), |sum, part| joined(&sum, part));
        prop_assert_eq!(&sum, &whole);
        let sum = parts.iter().fold(chance.clone(), |sum, part| joined(&sum, part));
        prop_assert_eq!(sum, joined(&chance, &whole));
    }

    #[test]
    fn parts_resume_after_any_write((script, seeds) in three(), budget in 0..400_usize) {
        let history = script.run();
        let whole = pick(&history, seeds[0]);
        let pages = whole.parts(None, budget);
        for (sent, page) in pages.iter().enumerate() {
            let Some(after) = &page.end else { continue };
            let first = pages[..=sent].iter().fold(Entry::new(), |sum, part| joined(&sum, &part.entry));
            let rest = whole.parts(Some(after), budget);
            for part in rest.iter().map(|part| &part.entry) {
                prop_assert!(part.writes().all(|(id, _)| id > after), "a write is sent again");
                prop_assert!(whole.includes(part));
            }
            prop_assert_eq!(rest.iter().fold(first, |sum, part| joined(&sum, &part.entry)), whole.clone());
        }
    }

    /// A delta names what its writer replaced and nothing else that its writer holds.
    #[test]
    fn a_delta_kills_nothing_that_its_sender_holds((script, seeds) in three()) {
        let history = script.run();
        let receiver = pick(&history, seeds[0]);
        for delta in &history.deltas {
            let after = joined(&receiver, delta);
            for id in live(&receiver).difference(&live(&after)) {
                prop_assert!(history.covered.contains(id), "{} died of a delta", id);
            }
            history.check(&after);
        }
    }
}
