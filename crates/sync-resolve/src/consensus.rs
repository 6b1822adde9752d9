//! Who decides a vote: by counting those in favour, or by weighing them.
//!
//! | algorithm | in favour must be | abstaining |
//! |---|---|---|
//! | [`Quorum::majority`] | more than half of the participants, or the share that the proposer asks for | does not help |
//! | [`Quorum::of`] | that share of the participants, or the one that the proposer asks for | does not help |
//! | [`Quorum::unanimous`] | every participant | rejects |
//! | [`Weighted`] | more than half of the weight, or the share of it that the proposer asks for | does not help |
//!
//! The participants are the roster at the time of the proposal, not those who vote. Whatever the share,
//! nothing is decided before a majority has voted: so the two halves of a swarm never decide otherwise.
//! From then on a vote is over as soon as the votes that are missing can change nothing.
//!
//! ```
//! use std::collections::BTreeMap;
//! use sync_core::{AgentId, Ballot, ConsensusAlgorithm, Tally, Vote, Weights};
//! use sync_resolve::Quorum;
//!
//! let agents = ["a", "b", "c"].map(|name| AgentId::new(name).unwrap());
//! let ballot = || Ballot { vote: Vote::For, reason: None };
//! let mut votes = BTreeMap::from([(agents[0].clone(), ballot())]);
//! let judge = |votes: &_| {
//!     let weights = &Weights::default();
//!     let tally = Tally { participants: &agents, votes, threshold: None, weights };
//!     Quorum::majority().judge(&tally)
//! };
//! assert_eq!(judge(&votes), None);
//! votes.insert(agents[1].clone(), ballot());
//! assert_eq!(judge(&votes), Some(true));
//! ```

mod quorum;
mod weighted;

use std::sync::Arc;

use sync_core::{
    Algorithms, Share, Tally, Vote,
    planted::{self, Planted},
};

pub use self::quorum::Quorum;
pub use self::weighted::Weighted;

/// The name of [`Quorum::majority`], the default.
pub const QUORUM: &str = "quorum";

/// The name of [`Quorum::unanimous`].
pub const UNANIMOUS: &str = "unanimous";

/// The name of [`Weighted`].
pub const WEIGHTED: &str = "weighted";

/// Part of a total that is taken for a rounding error: 0.1 + 0.2 is as much as 0.3, and 0.3333333333 of
/// three is one. It never makes up for anybody who weighs something.
const ROUNDING: f64 = 1e-9;

/// The least that one participant may weigh is this many times what is taken for a rounding error.
const LEAST_TO_SLACK: f64 = 4.0;

/// The algorithms that every hub knows. [`Weighted`] is among them without any weights: those of a vote
/// are stored with it, so a hub that is started without them still judges by them.
pub fn algorithms() -> Algorithms {
    let majority = Arc::new(Quorum::majority());
    Algorithms::new(QUORUM, majority)
        .with(UNANIMOUS, Arc::new(Quorum::unanimous()))
        .with(WEIGHTED, Arc::new(Weighted::default()))
}

/// Whether more than half of the participants have voted.
fn has_majority(tally: &Tally<'_>) -> bool {
    let voted = tally
        .participants
        .iter()
        .filter(|a| tally.votes.contains_key(*a));
    voted.count() * 2 > tally.participants.len() || planted::is(Planted::DecidesWithoutMajority)
}

/// What the votes so far are worth, with a worth for each participant. Summed in the order of the
/// participants, so that a vote more never makes less of those in favour, nor more of those who can be.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Worth {
    total: f64,
    voted: f64,
    in_favour: f64,
    /// In favour, if all who have not voted were.
    at_best: f64,
    /// The least of those who are worth something.
    least: f64,
}

impl Worth {
    /// Whether so much of it is enough: at least a share of it, or more than half. Never nothing.
    fn is_enough(&self, part: f64, threshold: Option<f64>) -> bool {
        let reaches = match threshold {
            Some(share) => part >= share * self.total - self.slack(),
            None => self.is_majority(part),
        };
        part > 0.0 && reaches
    }

    fn is_majority(&self, part: f64) -> bool {
        part - self.total / 2.0 > self.slack()
    }

    /// What is taken for a rounding error.
    fn slack(&self) -> f64 {
        (self.total * ROUNDING).min(self.least / LEAST_TO_SLACK)
    }
}

fn worth(tally: &Tally<'_>, of: impl Fn(&sync_core::AgentId) -> f64) -> Worth {
    let mut sums = Worth {
        total: 0.0,
        voted: 0.0,
        in_favour: 0.0,
        at_best: 0.0,
        least: f64::INFINITY,
    };
    for agent in tally.participants {
        let (own, vote) = (of(agent), tally.votes.get(agent).map(|b| b.vote));
        sums.total += own;
        if own > 0.0 {
            sums.least = sums.least.min(own);
        }
        sums.voted += if vote.is_some() { own } else { 0.0 };
        sums.in_favour += if vote == Some(Vote::For) { own } else { 0.0 };
        let may_be = matches!(vote, None | Some(Vote::For));
        sums.at_best += if may_be { own } else { 0.0 };
    }
    sums
}

/// The verdict once a majority has voted: approved with enough in favour, rejected once there cannot be.
fn verdict(worth: Worth, threshold: Option<Share>) -> Option<bool> {
    let is_enough = |part| worth.is_enough(part, threshold.map(Share::get));
    if is_enough(worth.in_favour) {
        return Some(true);
    }
    (!is_enough(worth.at_best)).then_some(false)
}
