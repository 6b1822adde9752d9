//! Votes: what is proposed, what the agents of a roster say to it, what it comes to, and the trait of
//! those who decide.

mod share;
mod weights;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{AgentId, Key, Revision, Version};
use crate::resolver::Operation;
use crate::value::Value;

pub use self::share::Share;
pub use self::weights::{WEIGHT_MAX, Weights, WeightsError};
pub use crate::id::ProposalId;

/// Longest reason of a vote, in bytes: a paragraph.
pub const REASON_BYTES_MAX: usize = 1024;

/// Proposals of which one message asks, or says, what they came to: as many as a hub remembers, and far
/// from what a frame holds.
pub const ENDINGS_MAX: usize = 1_024;

/// Longest name of an algorithm, in bytes.
pub const ALGORITHM_BYTES_MAX: usize = 64;

/// What somebody asks a roster to agree to.
#[derive(Debug, Clone, PartialEq, Eq, Encode)]
#[expect(clippy::exhaustive_structs, reason = "what a proposal says")]
pub struct Proposal {
    /// Drawn at random by the proposer: whoever asks twice asks once.
    pub id: ProposalId,
    /// What it is about, for those who vote.
    pub subject: Value,
    /// What approval commits, in one step with the decision.
    pub effect: Option<Effect>,
    /// Who decides; none for the hub's default.
    pub algorithm: Option<String>,
    /// How much approval it takes; none for the algorithm's own.
    pub threshold: Option<Share>,
    /// How long the vote may take, in milliseconds; none for the hub's default.
    pub timeout_ms: Option<u64>,
}

/// A write that waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "what a write is")]
pub struct Effect {
    /// The key.
    pub key: Key,
    /// What to do to it.
    pub operation: Operation,
}

/// A proposal as those who vote see it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "what a voter is told")]
pub struct Poll {
    /// The proposal, with the algorithm and the time that hold for it.
    pub proposal: Proposal,
    /// The hub's fingerprint of the proposal. A vote names it, so that it counts for this one and for
    /// nothing else that is ever proposed under the id.
    pub about: Digest,
    /// Who proposed it.
    pub proposer: AgentId,
    /// How many may vote.
    pub participants: u32,
    /// How long votes are still taken, in milliseconds.
    pub remaining_ms: u64,
}

/// What an agent says to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way to vote")]
pub enum Vote {
    /// Yes.
    For,
    /// No.
    Against,
    /// Neither; it counts as having voted.
    Abstain,
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::For => "for",
            Self::Against => "against",
            Self::Abstain => "abstain",
        })
    }
}

/// A vote and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode)]
#[expect(clippy::exhaustive_structs, reason = "what there is to say")]
pub struct Ballot {
    /// The vote.
    pub vote: Vote,
    /// Why, if the voter says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a vote ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the three ways a vote ends")]
pub enum Verdict {
    /// It takes place.
    Approved,
    /// It does not.
    Rejected,
    /// Its time ran out before it was decided either way: it does not take place.
    Timeout,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
        })
    }
}

/// What became of a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_enums, reason = "a voter must handle every case")]
pub enum VoteOutcome {
    /// It counts, and is durable at the hub. So it is if the same vote was sent before.
    Counted,
    /// The agent has voted otherwise before, or with another reason, which stands.
    AlreadyVoted(Vote),
    /// The agent was not on the roster when the proposal was made.
    NotParticipant,
    /// The vote was over before.
    Over(Verdict),
    /// The hub knows no such proposal.
    Unknown,
    /// Another proposal than the one that the vote is about has this id at the hub.
    Another,
}

/// One agent's vote in a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "who said what")]
pub struct Cast {
    /// Who.
    pub agent: AgentId,
    /// What, and why.
    #[serde(flatten)]
    pub ballot: Ballot,
}

/// What a proposal came to, with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[non_exhaustive]
pub struct Decision {
    /// Which proposal.
    #[serde(rename = "proposal_id")]
    pub proposal: ProposalId,
    /// How it ended.
    #[serde(rename = "decision")]
    pub verdict: Verdict,
    /// Who decided.
    pub algorithm: String,
    /// How much approval it took; none for more than half.
    pub threshold: Option<Share>,
    /// The roster when the proposal was made, ascending: who was to vote.
    pub participants: Vec<AgentId>,
    /// Every vote that counted, ascending by agent.
    pub votes: Vec<Cast>,
    /// What those who were to vote weighed, as far as that was not 1.
    #[serde(skip_serializing_if = "Weights::is_empty")]
    pub weights: Weights,
    /// From the proposal to the decision, in milliseconds, by the hub's clock.
    pub duration_ms: u64,
    /// What approval has committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed: Option<CommittedEffect>,
    /// Why approval has committed nothing although the proposal names a write: it no longer fits its key,
    /// or had nothing left to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_committed: Option<String>,
    /// What kept it from a verdict if its time ran out, as far as the hub knows: its algorithm is gone, or
    /// some of those who had not voted were not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Decision {
    /// A decision that commits nothing.
    pub fn new(proposal: ProposalId, verdict: Verdict, algorithm: String) -> Self {
        Self {
            proposal,
            verdict,
            algorithm,
            threshold: None,
            participants: Vec::new(),
            votes: Vec::new(),
            weights: Weights::default(),
            duration_ms: 0,
            committed: None,
            not_committed: None,
            why: None,
        }
    }

    /// The votes of one kind.
    pub fn votes_that(&self, vote: Vote) -> impl Iterator<Item = &Cast> {
        self.votes.iter().filter(move |c| c.ballot.vote == vote)
    }

    /// What the votes of one kind weigh together.
    pub fn weight_that(&self, vote: Vote) -> f64 {
        let agents = self.votes_that(vote).map(|cast| &cast.agent);
        self.weights.sum(agents)
    }

    /// What all who were to vote weigh together.
    pub fn weight_in_all(&self) -> f64 {
        self.weights.sum(&self.participants)
    }

    /// Those who voted otherwise than it was decided.
    pub fn dissent(&self) -> impl Iterator<Item = &Cast> {
        let against = match self.verdict {
            Verdict::Approved => Some(Vote::Against),
            Verdict::Rejected => Some(Vote::For),
            Verdict::Timeout => None,
        };
        let votes = self.votes.iter();
        votes.filter(move |c| Some(c.ballot.vote) == against)
    }
}

/// What approval has committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "where to find it")]
pub struct CommittedEffect {
    /// The key.
    pub key: Key,
    /// Its version afterwards; none if it holds no value.
    pub version: Option<Version>,
    /// The commit.
    pub revision: Revision,
}

/// What an algorithm has come to in this run of the hub.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Encode, Decode)]
#[expect(clippy::exhaustive_structs, reason = "the counts there are")]
pub struct AlgorithmStatistics {
    /// Its name.
    pub algorithm: String,
    /// Votes under way.
    pub open: u64,
    /// Proposals that were approved.
    pub approved: u64,
    /// That were rejected.
    pub rejected: u64,
    /// That ran out of time.
    pub timeouts: u64,
    /// Votes cast in those that ended.
    pub votes: u64,
    /// Votes that could have been cast in them.
    pub participants: u64,
    /// From proposal to decision on average, in milliseconds; none before the first decision.
    pub mean_duration_ms: Option<u64>,
}

/// The votes so far.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "what an algorithm judges by")]
pub struct Tally<'a> {
    /// Who may vote, ascending; never empty.
    pub participants: &'a [AgentId],
    /// Who has, each once.
    pub votes: &'a BTreeMap<AgentId, Ballot>,
    /// How much approval the proposer asks for.
    pub threshold: Option<Share>,
    /// What the participants weighed when the proposal was made.
    pub weights: &'a Weights,
}

/// Decides proposals. `sync-resolve` has those that ship.
///
/// To be correct, an algorithm must
///
/// - be a pure function of the tally: no clock, no randomness, no memory;
/// - stand by what it said: whatever votes are added, a verdict that was given is given again;
/// - say nothing before a majority of the participants has voted, so that two halves of a swarm cannot
///   decide otherwise (a hub does not ask it before);
/// - say something once everybody has voted;
/// - return: a panic ends whatever drives the hub, with all its swarms, unless that guards itself (the
///   synchronizer of `swarm-sync` does: one that panics decides nothing, the log says so, and the votes
///   that are put to it run out of time).
///
/// `sync_core::testing::consensus_suite` checks these.
pub trait ConsensusAlgorithm: Send + Sync + fmt::Debug {
    /// The verdict, once there is one: true for approved. The deadline is not its business.
    fn judge(&self, tally: &Tally<'_>) -> Option<bool>;

    /// How much approval it takes if the proposer does not say, for the record; none for more than half,
    /// and for an algorithm that has no such measure.
    fn default_threshold(&self) -> Option<Share>;

    /// What these participants weigh, asked when the proposal is made: it is stored with the proposal, and
    /// comes back in every tally. Whoever weighs 1, as all do by default, need not be named.
    fn weights(&self, _participants: &[AgentId]) -> Weights {
        Weights::default()
    }

    /// Refuses a roster or a threshold that it cannot decide with, before anybody is asked.
    fn check(&self, participants: &[AgentId], threshold: Option<Share>) -> Result<(), String>;
}

/// The algorithms a hub knows, by name. By default none: every proposal is refused.
#[derive(Debug, Clone, Default)]
pub struct Algorithms {
    by_name: BTreeMap<String, Arc<dyn ConsensusAlgorithm>>,
    default: String,
}

impl Algorithms {
    /// One algorithm, which is the default.
    pub fn new(name: impl Into<String>, algorithm: Arc<dyn ConsensusAlgorithm>) -> Self {
        let default = name.into();
        let by_name = BTreeMap::from([(default.clone(), algorithm)]);
        Self { by_name, default }
    }

    /// One more, or another one under a name that is taken.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, algorithm: Arc<dyn ConsensusAlgorithm>) -> Self {
        self.by_name.insert(name.into(), algorithm);
        self
    }

    /// The same with another default; `None` if it is not among them.
    #[must_use]
    pub fn with_default(mut self, name: &str) -> Option<Self> {
        let known = self.by_name.contains_key(name);
        name.clone_into(&mut self.default);
        known.then_some(self)
    }

    /// The algorithm of that name, the default one for none, with its name.
    pub fn get(&self, name: Option<&str>) -> Option<(&str, &Arc<dyn ConsensusAlgorithm>)> {
        let name = name.unwrap_or(&self.default);
        let (name, algorithm) = self.by_name.get_key_value(name)?;
        Some((name, algorithm))
    }

    /// All names, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}
