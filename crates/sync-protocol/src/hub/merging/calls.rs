//! Who is merged when: keys in line for a place, functions at work, and functions that have failed and
//! are asked again later.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::{Key, WriteId};

/// How often the pause before a function is asked again doubles: from the first of ten seconds to some
/// ten minutes, so that a service that is gone for long is asked seldom and not forgotten.
const DOUBLINGS_MAX: u32 = 6;

/// A function at work.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) key: Key,
    pub(super) function: String,
    /// What it is to make one value of.
    pub(super) writes: Vec<WriteId>,
}

/// A key with concurrent values that a function is to make one of.
#[derive(Debug)]
pub(super) struct Contest {
    function: String,
    stage: Stage,
    /// How often the function has failed in a row.
    failures: u32,
    /// Why it did the last time.
    failed: Option<String>,
}

#[derive(Debug)]
enum Stage {
    /// In line, under this number.
    Waiting(u64),
    /// The function is at work, under this ticket.
    Called(u64),
    /// It has made nothing of these, and is asked again then.
    Failed(Vec<WriteId>, Duration),
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::hub) struct Merges {
    contests: BTreeMap<Key, Contest>,
    waiting: BTreeMap<u64, Key>,
    retries: BTreeSet<(Duration, Key)>,
    /// By ticket. One whose answer nobody wants any more has its place until it answers: it is at work.
    calls: BTreeMap<u64, Call>,
    /// The last number or ticket given out.
    last: u64,
}

impl Merges {
    /// Why the concurrent values of a key could not be merged.
    pub(in crate::hub) fn failure(&self, key: &Key) -> Option<&str> {
        self.contests.get(key)?.failed.as_deref()
    }

    /// When [`Merges::wake`] is due.
    pub(in crate::hub) fn deadline(&self) -> Option<Duration> {
        self.retries.first().map(|(at, _)| *at)
    }

    /// Whether the function is in line or at work for the key: then it will see what is there.
    pub(super) fn is_under_way(&self, key: &Key, function: &str) -> bool {
        self.contests
            .get(key)
            .is_some_and(|c| c.function == function && !matches!(c.stage, Stage::Failed(..)))
    }

    /// Puts a key in line, unless it is there, or its function has just failed on these very writes.
    pub(super) fn want(&mut self, key: &Key, function: &str, writes: &[WriteId]) {
        let held = self.contests.get(key).map(|c| (&c.function, &c.stage));
        let failed = held.is_some_and(|(held, stage)| {
            held == function && matches!(stage, Stage::Failed(tried, _) if tried == writes)
        });
        if failed || self.is_under_way(key, function) {
            return;
        }
        let same = self.take(key).filter(|c| c.function == function);
        let contest = same.unwrap_or_else(|| Contest {
            function: function.to_owned(),
            stage: Stage::Waiting(0),
            failures: 0,
            failed: None,
        });
        self.line_up(key.clone(), contest);
    }

    /// Nothing is to be merged any more. A function at work is waited for, so that there is never a
    /// second one for the key.
    pub(super) fn settle(&mut self, key: &Key) {
        let contest = self.contests.get(key);
        if contest.is_some_and(|c| !matches!(c.stage, Stage::Called(_))) {
            self.take(key);
        }
    }

    /// The first in line, if one of `places` is free.
    pub(super) fn first(&self, places: usize) -> Option<Key> {
        let (_, key) = self.waiting.first_key_value()?;
        (self.calls.len() < places).then(|| key.clone())
    }

    /// Gives a key its place. The ticket, and the function to call.
    pub(super) fn call(&mut self, key: &Key, writes: Vec<WriteId>) -> Option<(u64, String)> {
        let mut contest = self.take(key)?;
        self.last += 1;
        let (ticket, function) = (self.last, contest.function.clone());
        contest.stage = Stage::Called(ticket);
        self.contests.insert(key.clone(), contest);
        let call = Call {
            key: key.clone(),
            function: function.clone(),
            writes,
        };
        self.calls.insert(ticket, call);
        Some((ticket, function))
    }

    /// A function has answered. Nothing if nobody wants to know any more.
    pub(super) fn answered(&mut self, ticket: u64) -> Option<(Call, Contest)> {
        let call = self.calls.remove(&ticket)?;
        let contest = self.contests.get(&call.key)?;
        let wanted = matches!(contest.stage, Stage::Called(wanted) if wanted == ticket);
        let contest = wanted.then(|| self.take(&call.key)).flatten()?;
        Some((call, contest))
    }

    /// The function has made nothing. It is asked again after `pause`, doubled for every failure before.
    pub(super) fn fail(
        &mut self,
        (call, mut contest): (Call, Contest),
        reason: String,
        mono: Duration,
        pause: Duration,
    ) {
        let doublings = contest.failures.min(DOUBLINGS_MAX);
        let at = mono.saturating_add(pause.saturating_mul(1 << doublings));
        contest.failures = contest.failures.saturating_add(1);
        contest.failed = Some(reason);
        contest.stage = Stage::Failed(call.writes, at);
        self.retries.insert((at, call.key.clone()));
        self.contests.insert(call.key, contest);
    }

    /// Puts those in line whose pause is over.
    pub(super) fn wake(&mut self, mono: Duration) {
        while self.deadline().is_some_and(|at| at <= mono)
            && let Some((_, key)) = self.retries.pop_first()
        {
            if let Some(contest) = self.take(&key) {
                self.line_up(key, contest);
            }
        }
    }

    fn line_up(&mut self, key: Key, mut contest: Contest) {
        self.last += 1;
        contest.stage = Stage::Waiting(self.last);
        self.waiting.insert(self.last, key.clone());
        self.contests.insert(key, contest);
    }

    fn take(&mut self, key: &Key) -> Option<Contest> {
        let contest = self.contests.remove(key)?;
        match contest.stage {
            Stage::Waiting(number) => {
                self.waiting.remove(&number);
            }
            Stage::Failed(_, at) => {
                self.retries.remove(&(at, key.clone()));
            }
            Stage::Called(_) => {}
        }
        Some(contest)
    }
}
