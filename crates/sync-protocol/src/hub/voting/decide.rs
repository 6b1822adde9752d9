//! How a vote ends: the decision, the end of what was open and what approval commits are one batch, so
//! that there is never the value without the decision, nor a second decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use sync_core::write::METADATA_BYTES_MAX;
use sync_core::{
    AgentId, AlgorithmStatistics, Answer, Body, CommittedEffect, Decision, Digest, Effect, Key,
    Now, ProposalId, RowOp, Value, Verdict, Vote,
};

use super::books::{HubWas, Open};
use super::decided::Remembered;
use crate::hub::Hub;
use crate::hub::commit::Commit;
use crate::rows;

/// Names in a sentence that says who was away; whoever wants all of them reads the decision.
const AWAY_SHOWN: usize = 3;

/// A decision on its way into a commit.
#[derive(Debug)]
pub(in crate::hub) struct Deciding {
    fingerprint: Digest,
    decision: Decision,
    /// The key that the commit changes for it.
    committed: Option<Key>,
}

impl Hub {
    /// Ends a vote, then tells those who wait and those who were asked.
    pub(super) fn decide(&mut self, now: Now, id: ProposalId, verdict: Verdict) {
        let Some(open) = self.votes.close(id) else {
            return;
        };
        let mut decision = open.decision(verdict, now);
        if verdict == Verdict::Timeout {
            decision.why = self.why_undecided(&open);
        }
        let mut commit = Commit::voted_on(open.opened.proposer.clone());
        commit.with_row(rows::delete_poll(id));
        commit.with_rows(open.votes.keys().map(|agent| rows::delete_vote(id, agent)));
        let effect = open.opened.proposal.effect.as_ref();
        let mut committed = None;
        if let Some(effect) = effect.filter(|_| verdict == Verdict::Approved) {
            match self.admit_effect(&mut commit, now, effect, &decision, &open.opened.proposer) {
                Ok(()) => committed = Some(effect.key.clone()),
                Err(reason) => decision.not_committed = Some(reason),
            }
        }
        let fingerprint = open.opened.fingerprint;
        commit.decision = Some(Box::new(Deciding {
            fingerprint,
            decision,
            committed,
        }));
        self.finish(commit, now);
        let Some(held) = self.votes.decided.get(id) else {
            return;
        };
        let decision = Arc::clone(&held.decision);
        self.reply_all(open.waiting, &Ok(Answer::Decided(Arc::clone(&decision))));
        let proposal = id;
        for session in self.connected(&decision.participants) {
            self.send(session, Body::Decided { proposal, verdict });
        }
    }

    /// What kept a vote from a verdict, if it was more than time.
    fn why_undecided(&self, open: &Open) -> Option<String> {
        let algorithm = open.opened.proposal.algorithm.as_deref();
        if self.config.algorithms.get(algorithm).is_none() {
            let name = algorithm.unwrap_or_default();
            return Some(format!(
                "its algorithm {name:?} is not known to this hub: start it with that one, and propose again"
            ));
        }
        if open.hub_was == HubWas::AwayAtTheEnd {
            return Some(format!(
                "its time ended while the hub was away, which then had the votes of {} of the roster's {}: what agents voted meanwhile came too late, so propose it again",
                open.votes.len(),
                open.opened.participants.len()
            ));
        }
        self.why_silent(open)
    }

    /// Who has not voted and is not connected: agents that have left for good count until they are taken
    /// off the roster. After a restart they may just not be back yet.
    fn why_silent(&self, open: &Open) -> Option<String> {
        let participants = &open.opened.participants;
        let is_away = |agent: &AgentId| {
            let member = self.roster.get(agent);
            member.is_none_or(|member| member.session.is_none())
        };
        let silent = participants.iter().filter(|a| !open.votes.contains_key(*a));
        let away: Vec<&str> = silent.filter(|a| is_away(a)).map(AgentId::as_str).collect();
        if away.is_empty() {
            return None;
        }
        let named = away.iter().take(AWAY_SHOWN).copied().collect::<Vec<_>>();
        let more = if away.len() > named.len() {
            ", …"
        } else {
            ""
        };
        let advice = if open.hub_was == HubWas::Here {
            "take those off that are gone for good"
        } else {
            "the hub itself was started again meanwhile, so propose it again when they are back"
        };
        Some(format!(
            "{} of the roster's {} had not voted and were not connected ({}{more}): {advice}",
            away.len(),
            participants.len(),
            named.join(", ")
        ))
    }

    /// Puts what was approved into the commit, or says why it has no place any more. It is written in the
    /// proposer's name: should it lose later on, that is who can do something about it.
    fn admit_effect(
        &mut self,
        commit: &mut Commit,
        now: Now,
        effect: &Effect,
        decision: &Decision,
        proposer: &AgentId,
    ) -> Result<(), String> {
        let Effect { key, operation } = effect;
        if let Some(reason) = self.no_longer_allowed(proposer, key) {
            return Err(reason);
        }
        let metadata = metadata(decision, proposer);
        let writer = self.writer_named(proposer.clone());
        let made = self.admit_here(commit, now, writer, key, operation, Some(metadata));
        if made.map_err(|error| error.to_string())?.is_none() {
            return Err(format!("there was nothing left to do to the key {key}"));
        }
        if commit.grows(key) {
            return Ok(());
        }
        let refused = commit.receipts.pop().map(|receipt| receipt.to_string());
        Err(refused.unwrap_or_else(|| format!("the key {key} takes no such write any more")))
    }

    /// Writes a decision into the batch that holds what it commits.
    pub(in crate::hub) fn record_decision(&mut self, commit: &mut Commit, ops: &mut Vec<RowOp>) {
        let Some(deciding) = commit.decision.take() else {
            return;
        };
        let Deciding {
            fingerprint,
            mut decision,
            committed,
        } = *deciding;
        decision.committed = committed.map(|key| CommittedEffect {
            version: self.version_of(&key),
            revision: self.revision,
            key,
        });
        self.votes.counts.add(&decision);
        let decided = &mut self.votes.decided;
        let remembered = Remembered {
            number: decided.next_number(),
            fingerprint,
            decision: Arc::new(decision),
        };
        let (row, bytes) = rows::put_decision(&remembered);
        ops.push(row);
        decided.insert(remembered, bytes);
        ops.extend(decided.forget_oldest(&self.config.limits));
    }

    pub(in crate::hub) fn vote_statistics(&self) -> Vec<AlgorithmStatistics> {
        let known = self.config.algorithms.names();
        self.votes.counts.statistics(known, self.votes.proposals())
    }
}

/// What hangs on an approved value: the proposal, who proposed it, and who voted for it, as many as there
/// is room for. The decision names all of them.
fn metadata(decision: &Decision, proposer: &AgentId) -> Value {
    let voters: Vec<&AgentId> = decision.votes_that(Vote::For).map(|c| &c.agent).collect();
    let all = voters.len();
    let mut named = all;
    loop {
        let map = metadata_of(decision, proposer, &voters[..named], all - named);
        if named == 0 || map.encode().len() <= METADATA_BYTES_MAX {
            return map;
        }
        // Halving keeps this quick; whoever needs all of them reads the decision.
        named /= 2;
    }
}

fn metadata_of(decision: &Decision, proposer: &AgentId, voters: &[&AgentId], more: usize) -> Value {
    let name = |agent: &AgentId| Value::from(agent.as_str());
    let mut map = BTreeMap::from([
        (
            "proposal".to_owned(),
            Value::from(decision.proposal.to_string().as_str()),
        ),
        ("proposer".to_owned(), name(proposer)),
        (
            "voters".to_owned(),
            Value::List(voters.iter().map(|agent| name(agent)).collect()),
        ),
    ]);
    if more > 0 {
        let more = i64::try_from(more).unwrap_or(i64::MAX);
        map.insert("more_voters".to_owned(), Value::from(more));
    }
    Value::Map(map)
}
