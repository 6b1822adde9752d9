//! What every [`ConsensusAlgorithm`] must do, as laws that run on an algorithm of your own.
//!
//! [`check`] draws rosters, thresholds and votes, and lets the votes come in one by one, in every roster
//! until everybody has voted. A law that does not hold panics with its name, what was seen and the seed.
//! [`Law`] lists them.
//!
//! ```
//! use sync_core::testing::consensus_suite::{self, Law};
//! use sync_core::{AgentId, ConsensusAlgorithm, Share, Tally, Vote};
//!
//! /// Asks nobody but those who have voted.
//! #[derive(Debug)]
//! struct Present;
//!
//! impl ConsensusAlgorithm for Present {
//!     fn judge(&self, tally: &Tally<'_>) -> Option<bool> {
//!         let votes = tally.votes.values();
//!         let in_favour = votes.filter(|ballot| ballot.vote == Vote::For).count();
//!         (!tally.votes.is_empty()).then_some(in_favour * 2 > tally.votes.len())
//!     }
//! #   fn default_threshold(&self) -> Option<Share> { None }
//! #   fn check(&self, _: &[AgentId], _: Option<Share>) -> Result<(), String> { Ok(()) }
//! }
//!
//! let agents = ["a", "b", "c", "d"].map(|name| AgentId::new(name).unwrap());
//! let broken = consensus_suite::run(&Present, &agents, 1).unwrap_err();
//! assert_eq!(broken.law, Law::WaitsForAMajority);
//! ```

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use super::numbers::Numbers;
use crate::consensus::{Ballot, ConsensusAlgorithm, Share, Tally, Vote, Weights};
use crate::id::AgentId;

/// Votes in one run, each until everybody has voted.
pub const POLLS: usize = 1_000;

/// Thresholds that proposers ask for.
const SHARES: [f64; 7] = [1e-12, 0.1, 1.0 / 3.0, 0.5, 0.66, 0.9, 1.0];

/// What an algorithm must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Law {
    /// The same tally gets the same verdict, whatever was asked in between.
    JudgesPurely,
    /// It is the votes that count, not what is said about them.
    IgnoresReasons,
    /// No verdict before more than half of the participants have voted.
    WaitsForAMajority,
    /// A verdict that was given is given again, whatever votes are added.
    StandsByItsVerdict,
    /// Once everybody has voted there is a verdict.
    SpeaksInTheEnd,
    /// Some roster and threshold can be decided with; else the run says nothing.
    TakesSomething,
    /// There are votes that it approves and votes that it rejects.
    CanGoEitherWay,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JudgesPurely => "the same tally gets the same verdict",
            Self::IgnoresReasons => "reasons decide nothing",
            Self::WaitsForAMajority => "no verdict before a majority has voted",
            Self::StandsByItsVerdict => "a verdict stands whatever votes are added",
            Self::SpeaksInTheEnd => "once everybody has voted there is a verdict",
            Self::TakesSomething => "some roster and threshold can be decided with",
            Self::CanGoEitherWay => "some votes are approved and some rejected",
        })
    }
}

/// A law that an algorithm breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the law does not hold: {law} (seed {seed}, poll {poll}): {detail}")]
#[non_exhaustive]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// What was seen.
    pub detail: String,
    /// The seed of the run.
    pub seed: u64,
    /// In which poll of the run.
    pub poll: usize,
}

/// Runs every law on `algorithm`, with rosters of some of `agents`: those that it tells apart, and a few
/// more.
///
/// # Panics
///
/// At the first law that does not hold.
#[track_caller]
pub fn check(algorithm: &dyn ConsensusAlgorithm, agents: &[AgentId], seed: u64) {
    if let Err(broken) = run(algorithm, agents, seed) {
        panic!("{algorithm:?}: {broken}");
    }
}

/// As [`check`], for a test that expects a law to be broken.
pub fn run(
    algorithm: &dyn ConsensusAlgorithm,
    agents: &[AgentId],
    seed: u64,
) -> Result<(), Broken> {
    let mut numbers = Numbers::new(seed);
    let mut verdicts = Vec::new();
    let mut taken = 0;
    let broken = |(law, detail), poll| Broken {
        law,
        detail,
        seed,
        poll,
    };
    for poll in 0..POLLS {
        let participants = roster(agents, &mut numbers);
        let threshold = share(&mut numbers);
        if algorithm.check(&participants, threshold).is_err() {
            continue;
        }
        taken += 1;
        let mut poll_of = Poll {
            algorithm,
            participants: &participants,
            threshold,
            weights: algorithm.weights(&participants),
            numbers: &mut numbers,
        };
        let verdict = poll_of.run().map_err(|fault| broken(fault, poll))?;
        verdicts.push(verdict);
    }
    if taken == 0 {
        let told = format!("{agents:?}");
        return Err(broken((Law::TakesSomething, told), POLLS));
    }
    if verdicts.contains(&true) && verdicts.contains(&false) {
        return Ok(());
    }
    let told = format!("always {:?}", verdicts.first());
    Err(broken((Law::CanGoEitherWay, told), POLLS))
}

/// Some of the agents, ascending; at least one.
fn roster(agents: &[AgentId], numbers: &mut Numbers) -> Vec<AgentId> {
    let some = agents.iter().filter(|_| numbers.below(2) == 0);
    let mut roster: Vec<AgentId> = some.cloned().collect();
    if roster.is_empty() {
        roster.push(agents[numbers.below(agents.len())].clone());
    }
    roster.sort();
    roster.dedup();
    roster
}

fn share(numbers: &mut Numbers) -> Option<Share> {
    let wanted = numbers.below(2) == 0;
    wanted.then(|| Share::new(numbers.pick(&SHARES)).unwrap())
}

/// One vote from its beginning to its end.
#[derive(Debug)]
struct Poll<'a> {
    algorithm: &'a dyn ConsensusAlgorithm,
    participants: &'a [AgentId],
    threshold: Option<Share>,
    weights: Weights,
    numbers: &'a mut Numbers,
}

type Fault = (Law, String);

impl Poll<'_> {
    /// Lets everybody vote in some order; returns the verdict.
    fn run(&mut self) -> Result<bool, Fault> {
        let mut left: Vec<&AgentId> = self.participants.iter().collect();
        // In some polls most are of one mind, or nothing would ever be unanimous.
        let mood = self
            .numbers
            .pick(&[Vote::For, Vote::Against, Vote::Abstain]);
        let agreement = self.numbers.below(5);
        let mut votes = BTreeMap::new();
        let mut given = None;
        while !left.is_empty() {
            let verdict = self.judge(&votes)?;
            self.stands(given, verdict, &votes)?;
            given = given.or(verdict);
            let agent = left.swap_remove(self.numbers.below(left.len()));
            let vote = if self.numbers.below(4) < agreement {
                mood
            } else {
                self.numbers
                    .pick(&[Vote::For, Vote::Against, Vote::Abstain])
            };
            votes.insert(agent.clone(), Ballot { vote, reason: None });
        }
        let verdict = self.judge(&votes)?;
        self.stands(given, verdict, &votes)?;
        verdict.ok_or_else(|| (Law::SpeaksInTheEnd, self.told(&votes)))
    }

    fn stands(
        &self,
        given: Option<bool>,
        verdict: Option<bool>,
        votes: &BTreeMap<AgentId, Ballot>,
    ) -> Result<(), Fault> {
        if given.is_none() || given == verdict {
            return Ok(());
        }
        let told = self.told(votes);
        let told = format!("{given:?} has become {verdict:?}: {told}");
        Err((Law::StandsByItsVerdict, told))
    }

    /// The verdict on the votes so far, which is to be the same whoever asks and whatever was asked.
    fn judge(&self, votes: &BTreeMap<AgentId, Ballot>) -> Result<Option<bool>, Fault> {
        let ask = |votes: &BTreeMap<AgentId, Ballot>| {
            self.algorithm.judge(&Tally {
                participants: self.participants,
                votes,
                threshold: self.threshold,
                weights: &self.weights,
            })
        };
        let verdict = ask(votes);
        let _ = ask(&BTreeMap::new());
        if ask(votes) != verdict {
            return Err((Law::JudgesPurely, self.told(votes)));
        }
        let mut argued = votes.clone();
        for ballot in argued.values_mut() {
            ballot.reason = Some("because".to_owned());
        }
        if ask(&argued) != verdict {
            return Err((Law::IgnoresReasons, self.told(votes)));
        }
        let is_majority = votes.len() * 2 > self.participants.len();
        if verdict.is_some() && !is_majority {
            return Err((Law::WaitsForAMajority, self.told(votes)));
        }
        Ok(verdict)
    }

    /// The votes, to print.
    fn told(&self, votes: &BTreeMap<AgentId, Ballot>) -> String {
        let vote = |agent| {
            votes
                .get(agent)
                .map_or_else(|| "nothing".to_owned(), |b| b.vote.to_string())
        };
        let each = self.participants.iter().map(|a| format!("{a} {}", vote(a)));
        let each: Vec<String> = each.collect();
        format!("threshold {:?}: {}", self.threshold, each.join(", "))
    }
}
