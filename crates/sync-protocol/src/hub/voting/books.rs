//! The votes under way, and who waits for what they come to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bincode::{Decode, Encode};
use sync_core::codec;
use sync_core::{
    AgentId, Ballot, Cast, Decision, Digest, HUB_NAME, Now, Poll, Proposal, ProposalId, SessionId,
    Verdict, VoteOutcome, Weights,
};

use super::decided::{Decided, Remembered, again};
use super::tallies::Tallies;
use crate::hub::ReplyTo;

/// A vote as it was opened: what is stored of it. Who has voted is in rows of their own.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Opened {
    /// With the algorithm, the threshold and the time that hold for it.
    pub(crate) proposal: Proposal,
    /// Of the proposal as it was made, to tell it from another one under its id.
    pub(crate) fingerprint: Digest,
    pub(crate) proposer: AgentId,
    /// The roster then, ascending.
    pub(crate) participants: Vec<AgentId>,
    /// What they weighed then: a hub that is started with other weights judges by these.
    pub(crate) weights: Weights,
    /// In milliseconds since 1970.
    pub(crate) began_ms: u64,
}

/// A vote as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoredVote {
    pub(crate) proposal: ProposalId,
    pub(crate) agent: AgentId,
    pub(crate) ballot: Ballot,
    /// How long further votes were taken then, in milliseconds.
    pub(crate) left_ms: u64,
}

impl Opened {
    fn timeout(&self) -> Duration {
        Duration::from_millis(self.proposal.timeout_ms.unwrap_or_default())
    }

    /// How long it still takes after a restart. It is told by the wall clock, as nothing else goes on
    /// while a hub is down: if that was set back meanwhile, the vote is given that much again, up to what
    /// [`Open::left_max`] says.
    fn left(&self, now: Now) -> Duration {
        let passed = now.wall_ms.saturating_sub(self.began_ms);
        self.timeout().saturating_sub(Duration::from_millis(passed))
    }
}

/// A vote under way.
#[derive(Debug)]
pub(crate) struct Open {
    pub(super) opened: Opened,
    pub(super) votes: BTreeMap<AgentId, Ballot>,
    /// By the clock that never jumps, while this run lasts.
    deadline: Duration,
    /// What was left when the last vote was stored: no wall clock makes it more again.
    left_max: Duration,
    /// Who wants to know what it comes to.
    pub(super) waiting: Vec<ReplyTo>,
    /// Connections through which it was asked for.
    told: BTreeSet<SessionId>,
    pub(super) hub_was: HubWas,
    /// Of its proposal.
    bytes: usize,
}

/// Where the hub was while votes could be given: who was not connected then says nothing of agents if
/// there was nothing to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HubWas {
    Here,
    /// For a part of the time.
    Restarted,
    /// When the time ended.
    AwayAtTheEnd,
}

impl Open {
    /// What those who vote are told.
    pub(super) fn poll(&self, now: Now) -> Poll {
        Poll {
            proposal: self.opened.proposal.clone(),
            about: self.opened.fingerprint,
            proposer: self.opened.proposer.clone(),
            participants: u32::try_from(self.opened.participants.len()).unwrap_or(u32::MAX),
            remaining_ms: self.left_ms(now),
        }
    }

    /// How long votes are still taken, in milliseconds.
    pub(super) fn left_ms(&self, now: Now) -> u64 {
        let left = self.deadline.saturating_sub(now.mono);
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    fn is_asked(&self, agent: &AgentId) -> bool {
        self.opened.participants.binary_search(agent).is_ok()
    }

    /// What becomes of a vote, unless it is a new one.
    pub(super) fn outcome_of(&self, agent: &AgentId, ballot: &Ballot) -> Option<VoteOutcome> {
        if !self.is_asked(agent) {
            return Some(VoteOutcome::NotParticipant);
        }
        let held = self.votes.get(agent)?;
        Some(again(held, ballot))
    }

    /// What it has come to.
    pub(super) fn decision(&self, verdict: Verdict, now: Now) -> Decision {
        let Opened {
            proposal,
            participants,
            began_ms,
            ..
        } = &self.opened;
        let algorithm = proposal.algorithm.clone().unwrap_or_default();
        let mut decision = Decision::new(proposal.id, verdict, algorithm);
        decision.threshold = proposal.threshold;
        decision.participants.clone_from(participants);
        let votes = self.votes.iter().map(|(agent, ballot)| Cast {
            agent: agent.clone(),
            ballot: ballot.clone(),
        });
        decision.votes = votes.collect();
        decision.weights.clone_from(&self.opened.weights);
        decision.duration_ms = now.wall_ms.saturating_sub(*began_ms);
        decision
    }
}

/// Everything about votes.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    open: BTreeMap<ProposalId, Open>,
    pub(super) decided: Decided,
    /// What each algorithm has come to in this run.
    pub(super) counts: Tallies,
    /// Whether there are votes of an earlier run whose deadlines are not told in this run's time yet.
    is_restored: bool,
}

impl Votes {
    /// Takes back what was under way.
    pub(crate) fn restore(&mut self, opened: Opened) {
        self.is_restored = true;
        let open = Open {
            votes: BTreeMap::new(),
            deadline: Duration::ZERO,
            left_max: Duration::MAX,
            waiting: Vec::new(),
            told: BTreeSet::new(),
            hub_was: HubWas::Restarted,
            bytes: codec::to_bytes(&opened.proposal).len(),
            opened,
        };
        self.open.insert(open.opened.proposal.id, open);
    }

    /// Takes back a vote, with what was left of the time when it was stored; false if it is on nothing
    /// that is under way.
    pub(crate) fn restore_vote(&mut self, vote: StoredVote) -> bool {
        let Some(open) = self.open.get_mut(&vote.proposal) else {
            return false;
        };
        let left = Duration::from_millis(vote.left_ms);
        open.left_max = open.left_max.min(left);
        open.votes.insert(vote.agent, vote.ballot);
        true
    }

    /// Takes back what was decided.
    pub(crate) fn restore_decision(&mut self, remembered: Remembered) {
        let bytes = codec::to_bytes(&remembered).len();
        self.decided.insert(remembered, bytes);
    }

    /// Tells the deadlines of an earlier run in this one's time; returns whose, once.
    pub(super) fn resume(&mut self, now: Now) -> Vec<ProposalId> {
        if !std::mem::take(&mut self.is_restored) {
            return Vec::new();
        }
        for open in self.open.values_mut() {
            let left = open.opened.left(now).min(open.left_max);
            if left.is_zero() {
                open.hub_was = HubWas::AwayAtTheEnd;
            }
            open.deadline = now.mono + left;
        }
        self.open.keys().copied().collect()
    }

    pub(super) fn open(&mut self, opened: Opened, bytes: usize, now: Now, to: ReplyTo) {
        let open = Open {
            votes: BTreeMap::new(),
            deadline: now.mono + opened.timeout(),
            left_max: opened.timeout(),
            waiting: vec![to],
            told: BTreeSet::new(),
            hub_was: HubWas::Here,
            bytes,
            opened,
        };
        self.open.insert(open.opened.proposal.id, open);
    }

    pub(super) fn get(&self, id: ProposalId) -> Option<&Open> {
        self.open.get(&id)
    }

    /// Of a proposal that is known.
    pub(super) fn fingerprint(&self, id: ProposalId) -> Option<Digest> {
        let open = self.open.get(&id).map(|open| open.opened.fingerprint);
        open.or_else(|| Some(self.decided.get(id)?.fingerprint))
    }

    /// One more wants to know what it comes to.
    pub(super) fn wait(&mut self, id: ProposalId, to: ReplyTo) {
        if let Some(open) = self.open.get_mut(&id) {
            open.waiting.push(to);
        }
    }

    pub(super) fn count(&mut self, id: ProposalId, agent: &AgentId, ballot: Ballot) {
        if let Some(open) = self.open.get_mut(&id) {
            open.votes.insert(agent.clone(), ballot);
        }
    }

    pub(super) fn note_told(&mut self, id: ProposalId, session: SessionId) {
        if let Some(open) = self.open.get_mut(&id) {
            open.told.insert(session);
        }
    }

    /// What an agent is still to vote on and was not told through a connection, up to `page` bytes of it.
    pub(super) fn untold(
        &mut self,
        now: Now,
        agent: &AgentId,
        session: SessionId,
        page: usize,
    ) -> Vec<(Poll, usize)> {
        let mut room = page;
        let mut polls = Vec::new();
        for open in self.open.values_mut() {
            let is_due = open.is_asked(agent) && !open.votes.contains_key(agent);
            let is_over = open.deadline <= now.mono;
            if is_over || !is_due || open.told.contains(&session) {
                continue;
            }
            if open.bytes > room && !polls.is_empty() {
                break;
            }
            room = room.saturating_sub(open.bytes);
            open.told.insert(session);
            polls.push((open.poll(now), open.bytes));
        }
        polls
    }

    /// Nobody waits for what a lost connection has asked, and nobody was asked through it.
    pub(crate) fn forget_session(&mut self, session: SessionId) {
        let of = |to: &ReplyTo| matches!(to, ReplyTo::Remote(s, _) if *s == session);
        for open in self.open.values_mut() {
            open.waiting.retain(|to| !of(to));
            open.told.remove(&session);
        }
    }

    /// How many votes peers have under way, and how many bytes.
    pub(super) fn of_peers(&self) -> (usize, usize) {
        let of_peer = |open: &&Open| open.opened.proposer.as_str() != HUB_NAME;
        let open = self.open.values().filter(of_peer);
        open.fold((0, 0), |(count, bytes), open| {
            (count + 1, bytes + open.bytes)
        })
    }

    /// How many an agent has proposed.
    pub(super) fn of_proposer(&self, agent: &AgentId) -> usize {
        let open = self.open.values();
        open.filter(|open| open.opened.proposer == *agent).count()
    }

    /// How long the next one goes on at most, of those that this one or any peer has proposed.
    pub(super) fn next_end(&self, now: Now, proposer: Option<&AgentId>) -> Duration {
        let is_of = |open: &&Open| match proposer {
            Some(agent) => open.opened.proposer == *agent,
            None => open.opened.proposer.as_str() != HUB_NAME,
        };
        let ends = self.open.values().filter(is_of).map(|open| open.deadline);
        ends.min().unwrap_or_default().saturating_sub(now.mono)
    }

    /// How many answers a connection waits for.
    pub(super) fn awaited_by(&self, session: SessionId) -> usize {
        let waiting = self.open.values().flat_map(|open| &open.waiting);
        let of = |to: &&ReplyTo| matches!(to, ReplyTo::Remote(s, _) if *s == session);
        waiting.filter(of).count()
    }

    pub(super) fn due(&self, mono: Duration) -> Vec<ProposalId> {
        let due = self.open.iter().filter(|(_, open)| open.deadline <= mono);
        due.map(|(id, _)| *id).collect()
    }

    /// When to look again.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        if self.is_restored {
            return Some(Duration::ZERO);
        }
        self.open.values().map(|open| open.deadline).min()
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Everyone who waits; nobody afterwards.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = ReplyTo> {
        let open = self.open.values_mut();
        open.flat_map(|open| std::mem::take(&mut open.waiting))
    }

    /// Takes out what is being decided.
    pub(super) fn close(&mut self, id: ProposalId) -> Option<Open> {
        self.open.remove(&id)
    }

    /// What is under way.
    pub(crate) fn proposals(&self) -> impl Iterator<Item = &Proposal> {
        self.open.values().map(|open| &open.opened.proposal)
    }

    /// What was decided, the oldest first.
    pub(crate) fn decisions(&self) -> impl DoubleEndedIterator<Item = &Decision> {
        self.decided.iter().map(|remembered| &*remembered.decision)
    }
}
