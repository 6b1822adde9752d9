//! The laws of every algorithm on every algorithm of this crate, and algorithms that break them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, Ordering};

use sync_core::testing::consensus_suite::{Law, check, run};
use sync_core::{AgentId, ConsensusAlgorithm, Share, Tally, Vote};
use sync_resolve::{Quorum, Weighted, algorithms};

fn agents() -> Vec<AgentId> {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    names.map(|name| AgentId::new(name).unwrap()).into()
}

fn weighted(weights: &[f64]) -> Weighted {
    Weighted::new(agents().into_iter().zip(weights.iter().copied())).unwrap()
}

#[test]
fn every_algorithm_keeps_every_law() {
    let third = Share::new(1.0 / 3.0).unwrap();
    let all: [&dyn ConsensusAlgorithm; 7] = [
        &Quorum::majority(),
        &Quorum::unanimous(),
        &Quorum::of(third),
        &Weighted::default(),
        &weighted(&[0.1, 0.2, 0.3, 0.0, 0.7]),
        &weighted(&[1e12, 1.0, 1.0, 1e-9, 0.0]),
        &weighted(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0]),
    ];
    for algorithm in all {
        for seed in 0..5 {
            check(algorithm, &agents(), seed);
        }
    }
}

#[test]
fn the_algorithms_that_need_no_declaration_are_quorum_unanimous_and_weighted() {
    let algorithms = algorithms();
    assert_eq!(
        algorithms.names().collect::<Vec<_>>(),
        ["quorum", "unanimous", "weighted"]
    );
    assert_eq!(algorithms.get(None).unwrap().0, "quorum");
    for name in ["quorum", "unanimous", "weighted"] {
        check(&**algorithms.get(Some(name)).unwrap().1, &agents(), 1);
    }
}

/// How an algorithm that ships is broken.
#[derive(Debug)]
enum Flaw {
    /// Half is enough to have voted.
    TakesHalf,
    /// Those who have voted are all there are.
    ForgetsTheSilent,
    /// Decides when everybody has voted, but not with an abstention.
    StuckOnAbstaining,
    /// Never says no.
    OnlyApproves,
    /// Believes whoever gives a reason.
    IsPersuaded,
    /// Asked twice it says two things.
    Wavers(AtomicBool),
    /// Takes nothing.
    RefusesAll,
}

impl ConsensusAlgorithm for Flaw {
    fn judge(&self, tally: &Tally<'_>) -> Option<bool> {
        let (all, voted) = (tally.participants.len(), tally.votes.len());
        let count = |vote| tally.votes.values().filter(|b| b.vote == vote).count();
        let threshold = Share::new(0.5).ok();
        let honest = Quorum::majority().judge(&Tally {
            threshold,
            ..*tally
        });
        match self {
            Self::TakesHalf => honest.or_else(|| (count(Vote::For) * 2 >= all).then_some(true)),
            Self::ForgetsTheSilent if voted * 2 > all => Some(count(Vote::For) * 2 > voted),
            Self::StuckOnAbstaining => honest.filter(|_| voted == all && count(Vote::Abstain) == 0),
            Self::OnlyApproves => (voted == all).then_some(true),
            Self::IsPersuaded if voted * 2 > all => {
                let argued = tally.votes.values().any(|b| b.reason.is_some());
                if argued { Some(true) } else { honest }
            }
            Self::Wavers(last) => honest.map(|_| last.fetch_xor(true, Ordering::Relaxed)),
            _ => None,
        }
    }

    fn default_threshold(&self) -> Option<Share> {
        None
    }

    fn check(&self, _: &[AgentId], _: Option<Share>) -> Result<(), String> {
        match self {
            Self::RefusesAll => Err("no".to_owned()),
            _ => Ok(()),
        }
    }
}

#[test]
fn an_algorithm_that_breaks_a_law_is_found_out() {
    let cases = [
        (Flaw::TakesHalf, Law::WaitsForAMajority),
        (Flaw::ForgetsTheSilent, Law::StandsByItsVerdict),
        (Flaw::StuckOnAbstaining, Law::SpeaksInTheEnd),
        (Flaw::OnlyApproves, Law::CanGoEitherWay),
        (Flaw::IsPersuaded, Law::IgnoresReasons),
        (Flaw::Wavers(AtomicBool::new(false)), Law::JudgesPurely),
        (Flaw::RefusesAll, Law::TakesSomething),
    ];
    for (flaw, law) in cases {
        for seed in 0..5 {
            let broken = run(&flaw, &agents(), seed).expect_err(&format!("{flaw:?} keeps all"));
            assert_eq!(broken.law, law, "{flaw:?}: {broken}");
        }
    }
}
