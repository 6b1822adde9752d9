//! What one caller has asked for: a round for each priority among its keys, and one answer when all of
//! them have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::codec::List;
use sync_core::{
    AgentId, Answer, Key, KeyReport, Now, Pattern, Priority, RequestError, Revision, SyncReport,
};

use super::books::Round;
use super::confirm::has_confirmed;
use super::sweep::Swept;
use crate::hub::commit::Committed;
use crate::hub::{Asker, Hub};
use crate::millis::millis;

/// What a synchronization came to.
type Outcome = Result<SyncReport, RequestError>;

/// What somebody wants to be synchronized.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) asker: Asker,
    /// The keys as they were asked for, each with its class.
    pub(super) keys: Vec<(Key, Priority)>,
    /// The same by class.
    pub(super) classes: BTreeMap<Priority, Vec<Key>>,
    /// What a sweep is about, which names no keys.
    pub(super) patterns: Option<List<Pattern>>,
    /// How long each round waits; by the priority of its keys if none.
    pub(super) timeout: Option<Duration>,
}

/// A synchronization under way.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) asker: Asker,
    /// The keys as they were asked for, each with the class it went out with.
    pub(super) keys: Vec<(Key, Priority)>,
    pub(super) started: Duration,
    /// Its rounds that have not ended.
    pub(super) open: BTreeSet<u64>,
    /// Bytes of the keys of those that have, as long as there are others.
    pub(super) kept: usize,
    pub(super) sum: Sum,
}

/// What the rounds that have ended came to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// Who answered in each of them that ended in its time; none if none was answered.
    responded: Option<BTreeSet<AgentId>>,
    revision: Revision,
    bytes: u64,
    brought: Committed,
    /// Whether a sweep has brought anything.
    changed: bool,
    /// Why the others failed.
    failed: BTreeMap<Priority, RequestError>,
}

impl Sum {
    /// A class that did not get as far as an answer.
    pub(super) fn fail(&mut self, priority: Priority, error: RequestError) {
        self.failed.insert(priority, error);
    }

    /// Why nothing was answered: what the most urgent class failed of.
    fn first_failure(self) -> RequestError {
        // There is a class, and every class has either been answered or failed.
        let nothing = || RequestError::Invalid {
            reason: "nothing was asked for".to_owned(),
        };
        self.failed.into_values().next().unwrap_or_else(nothing)
    }

    /// Takes in a round that has ended.
    fn add(&mut self, round: Round, ended: Result<Revision, RequestError>) {
        match ended {
            Ok(revision) => {
                let answered: BTreeSet<AgentId> = round.responded().cloned().collect();
                self.responded = Some(match self.responded.take() {
                    Some(before) => &before & &answered,
                    None => answered,
                });
                self.revision = self.revision.max(revision);
                self.bytes += round.bytes;
            }
            Err(error) => {
                self.fail(round.priority, error);
            }
        }
        self.changed |= round.changed;
        self.brought.add(round.brought);
    }
}

impl Hub {
    /// A round is over: at a revision, or without an answer. Its caller is told once all of its rounds
    /// are.
    pub(super) fn end_class(
        &mut self,
        now: Now,
        number: u64,
        ended: Result<Revision, RequestError>,
    ) {
        let Some(round) = self.rounds.close(number) else {
            return;
        };
        self.count_round(now, number, &round, ended.is_ok());
        let id = round.batch;
        let Some(batch) = self.rounds.batch_mut(id) else {
            return;
        };
        batch.sum.add(round, ended);
        if batch.open.is_empty()
            && let Some(batch) = self.rounds.close_batch(id)
        {
            self.conclude(now, batch);
        }
    }

    pub(super) fn conclude(&mut self, now: Now, batch: Batch) {
        match batch.asker {
            Asker::Caller(to) => {
                let outcome = self.outcome(now, batch);
                let outcome = outcome.map(|report| self.report_for(to, report));
                self.reply(to, outcome.map(Answer::Synced));
            }
            Asker::Plan(plan) => {
                let outcome = self.swept(batch.sum);
                self.plan_was_told(now, plan, outcome);
            }
        }
    }

    /// One error if nothing at all was synchronized, that of the most urgent class.
    fn outcome(&self, now: Now, batch: Batch) -> Outcome {
        let Batch {
            keys, started, sum, ..
        } = batch;
        let Some(responded) = &sum.responded else {
            return Err(sum.first_failure());
        };
        let in_step = responded
            .iter()
            .filter(|a| has_confirmed(&self.roster, a, sum.revision));
        let elapsed = now.mono.saturating_sub(started);
        Ok(SyncReport {
            epoch: self.epoch(),
            revision: sum.revision,
            in_step: in_step.cloned().collect(),
            missing: self.missing(responded),
            responded: responded.iter().cloned().collect(),
            conflicts: sum.brought.conflicts.values().sum(),
            bytes: sum.bytes,
            elapsed_ms: millis(elapsed),
            keys: keys
                .into_iter()
                .map(|(key, priority)| self.key_report(key, priority, &sum))
                .collect(),
        })
    }

    /// What a sweep came to. One error if nobody was swept at all.
    fn swept(&self, sum: Sum) -> Result<Swept, RequestError> {
        let Some(responded) = &sum.responded else {
            return Err(sum.first_failure());
        };
        Ok(Swept {
            changed: sum.changed,
            missing: self.missing(responded),
            failed: sum.failed,
        })
    }

    /// Who is on the roster and has not answered.
    fn missing<C: FromIterator<AgentId>>(&self, responded: &BTreeSet<AgentId>) -> C {
        let roster = self.roster.keys();
        let missing = roster.filter(|agent| !responded.contains(*agent));
        missing.cloned().collect()
    }

    fn key_report(&self, key: Key, priority: Priority, sum: &Sum) -> KeyReport {
        let failed = sum.failed.get(&priority);
        KeyReport {
            version: self.version_of(&key),
            changed: sum.brought.changed.contains(&key),
            conflicts: sum.brought.conflicts.get(&key).copied().unwrap_or_default(),
            failed: failed.map(ToString::to_string),
            key,
        }
    }
}
