//! What must hold of decisions, and of the answers that tell of them.

use std::collections::BTreeSet;

use sync_core::{
    Answer, Assignment, AuthorityAnswer, AuthorityAsk, CommitOutcome, Current, Expectation, Key,
    Reply, RequestError, Version,
};

use super::{Asker, Made};
use crate::world::World;

impl World {
    /// A commit happens only if all is as expected, and then all of it.
    pub(super) fn check_made(
        &mut self,
        ask: &AuthorityAsk,
        made: &Made,
        was: impl Fn(&Key) -> Option<Version>,
    ) {
        let text = || format!("{ask:?} has made {made:?}");
        let wrong = made.expected.iter().find(|(key, version)| {
            let found = was(key);
            found != Some(*version)
        });
        let wrong = wrong.map(|(key, version)| (key.clone(), *version, was(key)));
        self.require(wrong.is_none(), || format!("{wrong:?}: {}", text()));
        let AuthorityAsk::Commit { expect, assign, .. } = ask else {
            return;
        };
        let whole = assign.iter().zip(&made.versions).all(|(assigned, made)| {
            let value = assigned.value.as_ref();
            let found = self.value_at_hub(&assigned.key);
            value.is_some() == made.1.is_some() && found.as_ref() == value
        });
        self.require(whole, || format!("not all of it: {}", text()));
        for expectation in expect.iter() {
            if let Expectation::Claim { key, token } = expectation {
                let held = self.held_before(key);
                self.require(held == Some(*token), || {
                    format!("{held:?} holds {key}: {}", text())
                });
                self.stats.hit("work under a claim");
            }
        }
        if assign.len() > 1 {
            self.stats.hit("commit of several keys");
        }
        if assign.iter().any(|assigned| assigned.value.is_none()) {
            self.stats.hit("conditional delete");
        }
    }

    /// A decision is durable: no other one was made of the same attempt, nor of the same expectation, and
    /// tokens rise.
    pub(super) fn settle_decision(&mut self, index: usize) {
        self.decisions.made[index].durable = true;
        let made = &self.decisions.made[index];
        if made.rollbacks != self.rollbacks {
            return;
        }
        let same = |other: &&Made| other.durable && other.rollbacks == made.rollbacks;
        let others = self.decisions.made[..index].iter().filter(same);
        let renews = matches!(
            self.decisions.calls[made.call].ask,
            AuthorityAsk::Renew { .. }
        );
        let mut twins = others.filter(|other| other.name == made.name && !renews);
        let twin = twins.next().map(|twin| format!("{made:?} and {twin:?}"));
        let met = made.expected.iter().filter(|(key, version)| {
            let changes = made.versions.iter().any(|(changed, _)| changed == key);
            changes && version.get() > 0
        });
        let met: Vec<_> = met
            .map(|(key, version)| (key.clone(), *version, made.rollbacks))
            .collect();
        let granted = made.granted.clone();
        self.require(twin.is_none(), || {
            format!("decided twice: {}", twin.unwrap_or_default())
        });
        for expected in met {
            let first = self.decisions.met.insert(expected.clone());
            self.require(first, || format!("two commits have met {expected:?}"));
        }
        if let Some((key, token)) = granted {
            let grant = (self.rollbacks, token.granted().revision);
            let last = self.decisions.last_grant.insert(key.clone(), grant);
            let rises = last.is_none_or(|last| last < grant);
            self.require(rises, || {
                format!("the token of {key} is {grant:?} after {last:?}")
            });
        }
    }

    /// Somebody is told what the hub has made of a call.
    pub(crate) fn told_decided(&mut self, index: usize, reply: Reply) {
        let first = self.decisions.calls[index].answer.clone();
        let renews = matches!(self.decisions.calls[index].ask, AuthorityAsk::Renew { .. });
        if let Some((answer, rollbacks)) = &first {
            let is_open = renews || is_refused_for_now(answer);
            let same = *answer == reply || *rollbacks != self.rollbacks || is_open;
            self.stats.hit("decision told again");
            self.require(same, || format!("first {answer:?}, then {reply:?}"));
        }
        match &reply {
            Ok(Answer::Authority(answer)) => self.check_done(index, answer),
            Err(error) => self.check_refused(index, error),
            other => {
                let text = format!("a decision was answered with {other:?}");
                self.require(false, || text);
            }
        }
        let rollbacks = self.rollbacks;
        let held = &mut self.decisions.calls[index].answer;
        let stays = held
            .as_ref()
            .is_some_and(|(answer, _)| !is_refused_for_now(answer));
        if !stays {
            *held = Some((reply, rollbacks));
        }
    }

    fn check_done(&mut self, index: usize, answer: &AuthorityAnswer) {
        let ask = self.decisions.calls[index].ask.clone();
        let mut made = self.decisions.made.iter().rev();
        let made = made.find(|made| {
            made.call == index
                && match answer {
                    AuthorityAnswer::Committed(outcome) => {
                        (made.epoch, made.revision) == (outcome.epoch, outcome.revision)
                    }
                    _ => true,
                }
        });
        let writes = made.map(|made| made.writes.clone()).unwrap_or_default();
        let fits = match (answer, &ask) {
            (AuthorityAnswer::Committed(outcome), AuthorityAsk::Commit { assign, .. }) => {
                self.stats.hit("compare-and-set");
                let nothing = assign.iter().all(|assigned| assigned.value.is_none());
                match made {
                    Some(made) => is_told(outcome, made),
                    None => nothing || self.came_back(index, outcome, assign),
                }
            }
            (AuthorityAnswer::Claimed(lease), AuthorityAsk::Claim { key, .. }) => {
                self.stats.hit("claim");
                let granted = made.and_then(|made| made.granted.clone());
                granted == Some((key.clone(), lease.token)) && lease.key == *key
            }
            (AuthorityAnswer::Claimed(lease), AuthorityAsk::Renew { token, .. }) => {
                self.stats.hit("renewal");
                lease.token == *token
            }
            (AuthorityAnswer::Released, AuthorityAsk::Release { .. }) => {
                self.stats.hit("release");
                made.is_some()
            }
            _ => false,
        };
        let text = made.map(|made| format!("{made:?}"));
        if fits && made.is_none() && self.decisions.made.iter().any(|made| made.call == index) {
            self.stats.hit("decision found by what stands");
        }
        self.require(fits, || format!("{ask:?} was {text:?}, told {answer:?}"));
        for id in writes {
            if let Some(op) = self.ghost.ops.get_mut(&id) {
                op.acked = true;
            }
        }
    }

    /// Whether an answer tells of what was decided before the disk was rolled back, as it stood later.
    fn came_back(&self, index: usize, outcome: &CommitOutcome, assign: &[Assignment]) -> bool {
        let mut made = self.decisions.made.iter();
        let lost = made.any(|made| made.call == index && made.rollbacks < self.rollbacks);
        let stood = assign
            .iter()
            .zip(outcome.versions.iter())
            .all(|(of, told)| {
                let states = self.decisions.states.get(&of.key);
                let mut states = states.into_iter().flatten();
                let so =
                    |state: &super::State| Some(state.version) == told.1 && state.value == of.value;
                told.0 == of.key
                    && (of.value.is_none() == told.1.is_none())
                    && (told.1.is_none() || states.any(so))
            });
        lost && stood && outcome.versions.len() == assign.len()
    }

    /// A refusal is due, and nothing has happened.
    fn check_refused(&mut self, index: usize, error: &RequestError) {
        let open = matches!(
            error,
            RequestError::Deadline { .. }
                | RequestError::ConnectionLost { .. }
                | RequestError::Stopped { .. }
        );
        let unsure = matches!(error, RequestError::Uncertain { .. });
        // Of what was lost with the disk it may not be said that it has not happened: it may come back.
        let made = self.decisions.made.iter().find(|made| {
            let sure = made.rollbacks == self.rollbacks || !unsure;
            made.call == index && made.durable && sure && !open
        });
        let made = made.map(|made| format!("{made:?}"));
        let renews = matches!(self.decisions.calls[index].ask, AuthorityAsk::Renew { .. });
        self.require(made.is_none() || renews, || {
            format!("{made:?} was answered with {error}")
        });
        match error {
            RequestError::Conflict { current } => {
                self.stats.hit("conflict");
                for current in current.iter() {
                    self.check_current(index, current);
                }
            }
            RequestError::StaleToken { .. } | RequestError::ForeignToken { .. } => {
                self.stats.hit("stale token");
                self.check_stale(index);
            }
            RequestError::Claimed { .. } => self.stats.hit("claimed"),
            RequestError::ClaimsPaused { .. } => self.stats.hit("claims paused"),
            RequestError::Unavailable { .. } => self.stats.hit("decision unavailable"),
            RequestError::Deadline { .. } => self.stats.hit("decision late"),
            RequestError::EpochMismatch { .. } => self.stats.hit("version of a lost run"),
            RequestError::Uncertain { .. } => self.stats.hit("refused with a doubt"),
            RequestError::NoSpace { .. } if self.plan.little_room > 0 => {
                self.stats.hit("decision without room");
            }
            RequestError::QuotaExceeded { .. } if self.plan.is_narrow() => {
                self.stats.hit("decision over a quota");
            }
            RequestError::ConnectionLost { .. }
            | RequestError::Stopped { .. }
            | RequestError::Operation { .. } => {}
            other => {
                let text = format!("{:?} was refused: {other}", self.decisions.calls[index]);
                self.require(false, || text);
            }
        }
    }

    /// The key was so between question and answer, and not as expected.
    fn check_current(&mut self, index: usize, current: &Current) {
        let asked_us = self.decisions.calls[index].asked_us;
        let states = self.decisions.states.get(&current.key);
        let states = states.map_or(&[][..], Vec::as_slice);
        let mut really = states.iter().enumerate().filter(|(n, state)| {
            let until = states.get(n + 1).map_or(u64::MAX, |next| next.since_us);
            let same = (state.version, state.revision) == (current.version, current.revision);
            same && state.value == current.value && until >= asked_us
        });
        let never = current.version.get() == 0 && states.is_empty();
        let holds = really.next().is_some() || never;
        let text = format!("{current:?} since {asked_us} us, of {states:?}");
        self.require(holds && current.version != current.expected, || text);
    }

    /// Whether everybody who waits was answered, or gave up.
    pub(crate) fn awaits_decisions(&self) -> bool {
        let calls = self.decisions.calls.iter();
        let mut open = calls.filter(|call| call.answer.is_none());
        open.any(|call| match call.asker {
            Asker::Client(_) => true,
            Asker::Replica(_) => call.until_us != u64::MAX && call.until_us > self.now_us,
        })
    }

    fn value_at_hub(&self, key: &Key) -> Option<sync_core::Value> {
        let entry = self.at_hub(key);
        let rules = self.rules();
        let rule = rules.of_entry(key, &entry, |_| true);
        rule.and_then(|rule| rule.fold(&entry))
    }
}

/// Whether it may be asked for again as the same: for want of room nothing is decided, and nothing is kept.
fn is_refused_for_now(answer: &Reply) -> bool {
    matches!(answer, Err(RequestError::NoSpace { .. }))
}

/// Whether an outcome is that of a commit.
fn is_told(outcome: &CommitOutcome, made: &Made) -> bool {
    // What was not there was not deleted: then nothing has a new number.
    let told: BTreeSet<_> = outcome.versions.iter().cloned().collect();
    told == made.versions.iter().cloned().collect()
}
