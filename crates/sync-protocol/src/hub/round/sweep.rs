//! A round that names no keys: agents are asked what they have written of those that match, page by page.
//! Where nothing waits at an agent, it costs a question and an answer of some dozen bytes, however many
//! keys there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sync_core::codec::List;
use sync_core::message::{Scope, Spot};
use sync_core::{AgentId, Body, Now, Pattern, Priority, RequestError, RoundId, SessionId};

use super::batch::Wanted;
use super::books::Round;
use crate::hub::{Asker, Hub};

/// What a sweep came to.
#[derive(Debug)]
pub(in crate::hub) struct Swept {
    /// Whether it brought anything.
    pub(in crate::hub) changed: bool,
    /// The agents of the roster that did not answer each of its rounds that was answered at all.
    pub(in crate::hub) missing: Vec<AgentId>,
    /// Why the others failed.
    pub(in crate::hub) failed: BTreeMap<Priority, RequestError>,
}

/// Which page of which answer arrived.
#[derive(Debug)]
pub(in crate::hub) struct SweptPage {
    pub(in crate::hub) round: RoundId,
    pub(in crate::hub) part: u32,
    pub(in crate::hub) next: Option<Spot>,
}

/// What one round of a sweep is about.
pub(super) fn scope(patterns: &List<Pattern>, priority: Priority) -> Arc<Scope> {
    let patterns = patterns.clone();
    Arc::new(Scope { patterns, priority })
}

impl Hub {
    /// Starts a round for each of these priorities, the most urgent first, for a plan.
    pub(in crate::hub) fn start_sweep(
        &mut self,
        now: Now,
        plan: u64,
        patterns: Vec<Pattern>,
        priorities: BTreeSet<Priority>,
        timeout: Option<Duration>,
    ) {
        let wanted = Wanted {
            asker: Asker::Plan(plan),
            keys: Vec::new(),
            classes: priorities.into_iter().map(|of| (of, Vec::new())).collect(),
            patterns: Some(List(patterns)),
            timeout,
        };
        self.start(now, wanted);
    }

    /// Asks connections for the page of a sweep that is due there. One that has not answered an earlier run
    /// about the same is asked once it has.
    pub(super) fn sweep_in(&mut self, number: u64, sessions: &[SessionId]) {
        let (epoch, digest) = (self.epoch(), self.digest());
        for session in sessions {
            let agent = self.sessions.get(session).map(|peer| &peer.agent);
            let (Some(agent), Some(of)) = (agent, self.rounds.get(number)) else {
                continue;
            };
            let (Some(scope), Some(heard)) = (of.scope.clone(), of.asked.get(agent)) else {
                continue;
            };
            let (part, after) = heard.page();
            let started = of.started;
            let peer = self.sessions.get_mut(session);
            if !peer.is_some_and(|peer| peer.owes.ask((number, part), &scope, started)) {
                continue;
            }
            let body = Body::Sweep {
                round: RoundId { epoch, number },
                part,
                digest,
                scope,
                after,
            };
            self.send(*session, body);
        }
    }

    /// A page of what an agent has written. The next one is asked for once this one is here, so that a
    /// slow link is not filled with pages of runs that have ended.
    pub(in crate::hub) fn handle_swept(
        &mut self,
        now: Now,
        session: SessionId,
        page: SweptPage,
        segments: &[Bytes],
    ) -> Result<(), String> {
        let SweptPage { round, part, next } = page;
        let more = next.is_some();
        let brings_nothing = part == 0 && !more && segments.is_empty();
        let peer = self.sessions.get_mut(&session);
        let about = peer.and_then(|peer| peer.owes.answered(round.number, part));
        let mut is_same = false;
        let hear = |round: &mut Round, agent: &AgentId| {
            let counts = round.hear_page(agent, part, next)?;
            is_same = counts && brings_nothing;
            Ok(counts)
        };
        let counted = self.take_answer(now, session, round, segments, hear)?;
        if is_same {
            // It names no keys: what it spares is not known.
            self.count_same(0);
        }
        if counted && more {
            self.sweep_in(round.number, &[session]);
        }
        for number in about.map_or_else(Vec::new, |about| self.sweeps_in_line(session, &about)) {
            self.sweep_in(number, &[session]);
        }
        Ok(())
    }

    /// The rounds about the same that a connection was not asked in yet, as it owed an answer.
    fn sweeps_in_line(&self, session: SessionId, about: &Scope) -> Vec<u64> {
        let Some(peer) = self.sessions.get(&session).filter(|peer| peer.settled) else {
            return Vec::new();
        };
        let waits = |round: &Round| {
            let same = round.scope.as_deref() == Some(about) && round.committed.is_none();
            same && round.asks(&peer.agent, session) && round.waits_for.contains(&peer.agent)
        };
        let rounds = self.rounds.iter();
        let waiting = rounds.filter(|(number, of)| waits(of) && !peer.owes.is_asked(*number));
        waiting.map(|(number, _)| number).collect()
    }
}
