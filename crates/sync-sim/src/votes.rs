//! Votes: what is proposed, how agents vote, and what must come of it.
//!
//! A hub decides a proposal once. One whose disk was rolled back knows nothing of what it has decided
//! since, nor of votes it has confirmed: asked again it has its agents vote again. What holds then is that
//! each agent says the same as before, that what is decided follows from the votes, and that a value
//! comes with its decision; but the value of a lost decision may come back from agents, who hold values
//! and no decisions.

mod ahead;
mod check;
mod note;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::{
    AgentId, Ask, Ballot, Decision, Digest, Effect, Entry, Key, Operation, Poll, Proposal,
    ProposalId, RequestError, Revision, Share, Value, Verdict, Vote, WriteId,
};
use sync_protocol::Command;

use crate::tables::{fights, is_decided, ttl};
use crate::workload::Asked;
use crate::world::{Event, World};

/// Longest time that an agent thinks, in microseconds.
const THINKING_US_MAX: u64 = 600_000;

/// What is known of votes, outside the nodes.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    /// Everything that was ever proposed.
    proposals: BTreeMap<ProposalId, Proposal>,
    /// The roster whenever it was opened.
    rosters: BTreeMap<ProposalId, Vec<Vec<AgentId>>>,
    /// What an agent has said first.
    given: BTreeMap<(AgentId, ProposalId), Ballot>,
    /// What replicas were told of under an id.
    told: BTreeSet<(usize, ProposalId, Digest)>,
    /// Votes that the hub was said to have counted.
    confirmed: BTreeSet<(AgentId, ProposalId)>,
    /// In which run a replica has passed a proposal on.
    passed_on: BTreeSet<(usize, u64, ProposalId)>,
    /// What the hub has open and has decided, as of the last step.
    open: BTreeSet<ProposalId>,
    seen: BTreeMap<ProposalId, Decision>,
    /// What was durable or told, of this disk.
    bound: BTreeMap<ProposalId, Decision>,
    /// Those that a hub has found on a damaged disk, perhaps without what they had committed.
    salvaged: BTreeSet<ProposalId>,
    /// Every decision there was, each with how often the disk had been rolled back.
    ever: BTreeMap<ProposalId, Vec<(Decision, u64)>>,
    /// What decisions have committed.
    writes: BTreeMap<(ProposalId, Revision), Vec<WriteId>>,
    /// What the hub held of the keys that open proposals write to, as of the last step.
    before: BTreeMap<Key, Entry>,
}

impl Votes {
    pub(crate) fn hub_crashed(&mut self) {
        self.open.clear();
        self.seen.clear();
        self.before.clear();
    }

    pub(crate) fn hub_rolled_back(&mut self) {
        self.bound.clear();
    }
}

impl World {
    /// Somebody proposes something new, or the same once more, or another thing under the same id.
    pub(crate) fn propose_something(&mut self) {
        let known: Vec<ProposalId> = self.votes.proposals.keys().copied().collect();
        if known.is_empty() || self.random.chance(700) {
            let proposal = self.draw_proposal();
            self.votes.proposals.insert(proposal.id, proposal.clone());
            self.stats.hit("proposal");
            // A guess: somebody names the id before there is anything under it.
            let n = self.random.below(self.replicas.len() as u64);
            if self.random.chance(200) {
                self.vote(usize::try_from(n).expect("few"), proposal.id);
            }
            return self.propose(proposal);
        }
        let id = *self.random.pick(&known);
        let mut proposal = self.votes.proposals[&id].clone();
        if self.random.chance(700) {
            self.stats.hit("proposed again");
            return self.propose(proposal);
        }
        // It would be a proposal of its own where nobody knows the id.
        if self.votes.open.contains(&id) || self.votes.seen.contains_key(&id) {
            self.stats.hit("proposed otherwise");
            proposal.subject = Value::Null;
            let request = self.new_request(Asked::Impostor);
            let now = self.hub_now();
            let hub = self.hub.machine.as_mut().expect("it knows the id");
            hub.handle_ask(now, request, Ask::Propose(Box::new(proposal)));
            self.drain_hub();
        }
    }

    fn propose(&mut self, proposal: Proposal) {
        let asked = Asked::Propose(proposal.id);
        self.ask_somewhere(asked, Ask::Propose(Box::new(proposal)));
    }

    fn draw_proposal(&mut self) -> Proposal {
        let names = [
            None,
            None,
            Some("quorum"),
            Some("unanimous"),
            Some("weighted"),
        ];
        let algorithm = *self.random.pick(&names);
        let share = *self
            .random
            .pick(&[None, None, Some(0.3), Some(0.5), Some(1.0)]);
        let share = share.filter(|_| algorithm != Some("unanimous"));
        self.next_value += 1;
        Proposal {
            id: ProposalId::from_random(self.random.next()),
            subject: Value::Int(self.next_value),
            effect: self.draw_effect(),
            algorithm: algorithm.map(str::to_owned),
            threshold: share.map(|share| Share::new(share).expect("a share")),
            timeout_ms: *self.random.pick(&[None, Some(150), Some(700), Some(2_000)]),
        }
    }

    /// A write that can be told from all others by what hangs on it. One proposal for a key, so that a hub
    /// that comes back and decides several at once leaves each of them to be seen; and no key whose values
    /// end or whose rules fight, because both may happen in that same step.
    fn draw_effect(&mut self) -> Option<Effect> {
        let key = self.random.pick(&self.plan.keys).clone();
        let operation = self.draw_operation(&key);
        let mut others = self
            .votes
            .proposals
            .values()
            .filter_map(|p| p.effect.as_ref());
        let is_taken = others.any(|effect| effect.key == key);
        let ends = self
            .plan
            .tables
            .iter()
            .any(|table| ttl(table, &key).is_some());
        let leaves_a_write = !matches!(
            operation,
            Operation::Delete | Operation::Remove(_) | Operation::UnsetField(_)
        );
        let fits = !is_taken && !ends && !fights(&key) && !is_decided(&key) && leaves_a_write;
        fits.then_some(Effect { key, operation })
    }

    /// An agent's application is asked: it thinks, or says nothing, or thinks again.
    pub(crate) fn asked_to_vote(&mut self, n: usize, poll: &Poll) {
        let id = poll.proposal.id;
        let again = !self.votes.passed_on.insert((n, self.replicas[n].run, id));
        self.require(!again, || format!("replica {n} asks twice for {id}"));
        self.votes.told.insert((n, id, poll.about));
        let proposed = self.votes.proposals.get(&id);
        let is_same = proposed.is_some_and(|proposed| {
            proposed.subject == poll.proposal.subject && proposed.effect == poll.proposal.effect
        });
        self.require(is_same, || format!("nobody has proposed {poll:?}"));
        if self.random.chance(self.plan.silent) {
            return;
        }
        let times = if self.random.chance(200) { 2 } else { 1 };
        for _ in 0..times {
            let after = self.random.below(THINKING_US_MAX);
            self.schedule(after, Event::Vote(n, id));
        }
    }

    /// The run that votes may be another one than the one that was asked.
    pub(crate) fn vote(&mut self, n: usize, proposal: ProposalId) {
        let vote = *self.random.pick(&[
            Vote::For,
            Vote::For,
            Vote::For,
            Vote::Against,
            Vote::Abstain,
        ]);
        let argues = self.random.chance(300);
        let reason = argues.then(|| format!("at {}", self.now_us));
        let now = self.clock(n);
        let (agent, run) = (self.replicas[n].agent.clone(), self.replicas[n].run);
        if self.replicas[n].machine.is_none() {
            return;
        }
        if !self.votes.passed_on.contains(&(n, run, proposal)) {
            self.stats.hit("vote by another run");
        }
        let request = self.new_request(Asked::Vote(agent, proposal, vote));
        let replica = self.replicas[n].machine.as_mut().expect("checked above");
        let command = Command::Vote {
            proposal,
            ballot: Ballot { vote, reason },
            timeout: Duration::from_millis(500),
        };
        replica.handle_command(now, request, command);
        self.drain_replica(n);
    }

    /// What a voter was told about its vote.
    pub(crate) fn vote_answered(
        &mut self,
        (agent, id): (AgentId, ProposalId),
        vote: Vote,
        error: Option<RequestError>,
    ) {
        if let Some(error) = error {
            if let RequestError::UnknownProposal { .. } = error {
                self.stats.hit("vote on nothing");
            }
            return self.stats.hit("vote refused");
        }
        self.stats.hit("vote confirmed");
        let held = self.votes.given.get(&(agent.clone(), id));
        let is_given = held.is_some_and(|ballot| ballot.vote == vote);
        self.require(is_given, || {
            format!("{agent} voted {vote} on {id}, which was counted and never sent")
        });
        self.votes.confirmed.insert((agent, id));
    }

    /// A vote is on its way: the same as ever.
    pub(crate) fn vote_leaves(
        &mut self,
        n: usize,
        (id, about): (ProposalId, Digest),
        ballot: &Ballot,
    ) {
        let agent = self.replicas[n].agent.clone();
        let text = format!("{agent} says {ballot:?} to {id}");
        let was_told = self.votes.told.contains(&(n, id, about));
        self.require(was_told, || format!("{text}, and was not told of it"));
        if !self.votes.given.contains_key(&(agent.clone(), id)) {
            self.check_vote_is_durable(n, id, ballot);
        }
        let given = self.votes.given.entry((agent, id));
        let given = given.or_insert_with(|| ballot.clone()).clone();
        self.require(given == *ballot, || format!("{text}, and said {given:?}"));
    }

    /// A replica says that there is nothing left to vote on: its agent has voted.
    pub(crate) fn has_voted(&mut self, n: usize, id: ProposalId) {
        let agent = self.replicas[n].agent.clone();
        let given = self.votes.given.contains_key(&(agent, id));
        self.require(given, || format!("replica {n} has not voted on {id}"));
    }

    /// An agent hears what came of a vote.
    pub(crate) fn heard(&mut self, n: usize, id: ProposalId, verdict: Verdict) {
        let known = self.votes.ever.get(&id).into_iter().flatten();
        let is_true = known.into_iter().any(|(held, _)| held.verdict == verdict);
        self.require(is_true, || {
            format!("replica {n} hears that {id} is {verdict}, which nobody decided")
        });
    }

    /// It may be asked again by a hub that has lost its disk: by itself if it has voted, and then that one
    /// may lose it, too.
    pub(crate) fn forgets(&mut self, n: usize, id: ProposalId) {
        let run = self.replicas[n].run;
        let vote = (self.replicas[n].agent.clone(), id);
        let was_told =
            self.votes.passed_on.remove(&(n, run, id)) || self.votes.given.contains_key(&vote);
        self.require(was_told, || {
            format!("replica {n} forgets {id}, of which it was not told")
        });
    }
}
