//! The laws of every rule on every rule of this crate, and rules that break them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod planted;
mod replica;

use sync_core::testing::resolver_suite::{Law, check, run};
use sync_core::{MergeRule, Operation, Resolver, Value};
use sync_resolve::{Causal, Counter, Custom, Lww, Map, Set};

use planted::{Flaw, Planted};
use replica::{insert, put, put_field, remove, unset};

/// Every operation there is: those of other rules are refused.
fn operations(of: MergeRule) -> Vec<Operation> {
    let mut all = match of {
        MergeRule::Counter => vec![Operation::Add(2), Operation::Add(-5)],
        MergeRule::Set => ["a", "b"]
            .map(|e| [insert(e), insert(e), remove(e)])
            .concat(),
        MergeRule::Map => ["a", "b"]
            .map(|f| [put_field(f, "x"), put_field(f, "y"), unset(f)])
            .concat(),
        _ => vec![put("x"), put("y"), Operation::Put(Value::Null)],
    };
    let others = [Operation::Add(1), put("x"), insert("x"), unset("x")];
    all.push(others[all.len() % others.len()].clone());
    all
}

#[test]
fn every_rule_keeps_every_law() {
    let rules: [&dyn Resolver; 8] = [
        &Lww,
        &Counter,
        &Set,
        &Map,
        &Causal::Lww,
        &Causal::Keep,
        &Causal::Custom,
        &Custom,
    ];
    for rule in rules {
        for seed in 0..5 {
            check(rule, &operations(rule.rule()), seed);
        }
    }
}

/// Each breaks the law that it is made to break, and no run of it finds nothing. What the join alone
/// decides, [`Law::Converges`] and [`Law::EveryEndHasACause`], is behind the others: no rule gets there.
#[test]
fn a_rule_that_breaks_a_law_is_found_out() {
    let cases: [(&dyn Resolver, Flaw, &[Law]); 24] = [
        (&Lww, Flaw::CoversEverything, &[Law::CoversWhatWasShown]),
        (
            &Map,
            Flaw::CoversEverything,
            &[Law::CoversWhatWasShown, Law::ReplacesItsPart],
        ),
        (&Set, Flaw::CoversEverything, &[Law::ReplacesItsPart]),
        (&Counter, Flaw::CoversEverything, &[Law::ReplacesItsPart]),
        (&Lww, Flaw::CoversAhead, &[Law::CoversWhatWasAbsorbed]),
        (&Lww, Flaw::CoversBarely, &[Law::CoversClosed]),
        (&Lww, Flaw::ShowsTheFirstMet, &[Law::FoldsPurely]),
        (&Lww, Flaw::ReadsTheContext, &[Law::FoldsPurely]),
        (&Lww, Flaw::LosesInALoop, &[Law::WinnersWin]),
        (&Lww, Flaw::LosesForNothing, &[Law::NoValueLosesSilently]),
        (&Lww, Flaw::NeverLoses, &[Law::AccountsForEveryWrite]),
        (
            &Set,
            Flaw::LosesTheSecond,
            &[Law::ResolvingSettles, Law::AccountsForEveryWrite],
        ),
        (&Lww, Flaw::NoFloor, &[Law::FloorIsHighEnough]),
        (&Map, Flaw::NoFloor, &[Law::FloorIsHighEnough]),
        (&Lww, Flaw::DeletesByCovering, &[Law::DeletesTheKey]),
        (&Custom, Flaw::NeverMerged, &[Law::ResolvingSettles]),
        (&Lww, Flaw::LosesTwice, &[Law::LosesLiveWrites]),
        (
            &Map,
            Flaw::LosesTheNewest,
            &[Law::ResolvingSettles, Law::LosesLiveWrites],
        ),
        (&Lww, Flaw::ShowsTheDead, &[Law::ShowsWhatIsLive]),
        (&Map, Flaw::CountsNothing, &[Law::AccountsForEveryWrite]),
        (&Lww, Flaw::WritesAnother, &[Law::HoldsWhatItPlans]),
        (&Lww, Flaw::ReadsNothingAsNull, &[Law::NothingReadsAsAbsent]),
        (&Lww, Flaw::CountsByMood, &[Law::AnswersPurely]),
        (&Lww, Flaw::PlansByMood, &[Law::PlansPurely]),
    ];
    for (rule, flaw, laws) in cases {
        let planted = Planted::new(rule, flaw);
        for seed in 0..3 {
            let broken =
                run(&planted, &operations(rule.rule()), seed).expect_err(&format!("{planted:?}"));
            assert!(laws.contains(&broken.law), "{planted:?}: {broken}");
            let told = broken.to_string();
            let says = [format!("seed {seed}"), broken.law.to_string()];
            assert!(says.iter().all(|part| told.contains(part)), "{told}");
        }
    }
}

#[test]
fn a_run_that_writes_nothing_is_no_proof() {
    let broken = run(&Lww, &[Operation::Add(1)], 1).unwrap_err();
    assert_eq!(broken.law, Law::WritesSomething);
}
