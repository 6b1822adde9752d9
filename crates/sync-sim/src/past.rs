//! Questions about the past, against a log of what the hub has committed.

use std::collections::BTreeSet;

use sync_core::{
    Ask, ChangeKind, DiffPage, HistoryPage, Key, Knew, PastAnswer, PastAsk, PastCommit, PastKind,
    PastState, PastValue, Reason, Receipt, Revision, Since, Value, WriteId,
};
use sync_protocol::{Hub, RowRange};

use crate::workload::Asked;
use crate::world::{Event, World};

/// Longest time that a read takes, in microseconds: long enough for commits to overtake it.
const READ_US_MAX: u64 = 30_000;

/// Rows that the hub wants.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) run: u64,
    pub(crate) ticket: u64,
    pub(crate) ranges: Vec<RowRange>,
}

impl World {
    /// Somebody at the hub wants to know how it was.
    pub(crate) fn ask_past(&mut self) {
        let key = self.random.pick(&self.plan.keys).clone();
        let Some(hub) = &self.hub.machine else { return };
        let head = hub.revision().get();
        let at = |random: &mut crate::random::Random| {
            Since::Revision(Revision::new(random.between(0, head + 1)))
        };
        let ask = match self.random.below(5) {
            0 => PastAsk::History {
                key,
                upto: None,
                limit: u32::try_from(self.random.between(1, 40)).expect("a few"),
            },
            1 => PastAsk::Explain(key),
            2 => PastAsk::StateAt {
                key,
                at: at(&mut self.random),
            },
            3 => PastAsk::Diff {
                from: at(&mut self.random),
                to: None,
                after: None,
            },
            _ => {
                let ids: Vec<_> = self
                    .ghost
                    .ops
                    .iter()
                    .map(|(id, op)| (id, &op.key))
                    .collect();
                if ids.is_empty() {
                    return;
                }
                let (id, key) = *self.random.pick(&ids);
                let (key, write) = (key.clone(), id.clone());
                let after = None;
                PastAsk::Knew { key, write, after }
            }
        };
        if self.random.chance(200) {
            return self.ask_somewhere(Asked::Other, Ask::Past(ask));
        }
        let request = self.new_request(Asked::Past(ask.clone()));
        let now = self.hub_now();
        if let Some(hub) = &mut self.hub.machine {
            hub.handle_ask(now, request, Ask::Past(ask));
            self.drain_hub();
        }
    }

    pub(crate) fn read_rows(&mut self, ticket: u64, ranges: Vec<RowRange>) {
        let (after, run) = (self.random.between(20, READ_US_MAX), self.hub.run);
        let read = Read {
            run,
            ticket,
            ranges,
        };
        self.schedule(after, Event::Read(read));
    }

    pub(crate) fn rows_read(&mut self, read: &Read) {
        let now = self.hub_now();
        let rows = self.hub.disk.read(&read.ranges);
        let hub = self.hub.machine.as_mut();
        if let Some(hub) = hub.filter(|_| self.hub.run == read.run) {
            hub.handle_loaded(now, read.ticket, Ok(rows));
            self.drain_hub();
        }
    }

    pub(crate) fn told_past(&mut self, ask: &PastAsk, answer: &PastAnswer) {
        match answer {
            PastAnswer::History(page) => self.check_history(page),
            PastAnswer::Explained(told) => {
                self.stats.hit("explained");
                self.require(told.sentences.len() >= 2, || format!("{told:?}"));
            }
            PastAnswer::State(state) => self.check_past_state(state),
            PastAnswer::Diff(page) => self.check_diff(ask, page),
            PastAnswer::Knew(knew) => self.check_knew(knew),
        }
    }

    fn check_history(&mut self, page: &HistoryPage) {
        self.stats.hit("history");
        let mut below = None;
        for commit in page.commits.iter() {
            let follows = below.is_none_or(|(before, revision)| {
                commit.version == before && commit.revision < revision
            });
            let rises = commit.before < commit.version;
            self.require(follows && rises, || format!("a gap: {page:?}"));
            self.check_commit(&page.key, commit);
            below = Some((commit.before, commit.revision));
        }
        let complete = below.is_some_and(|(before, _)| before.get() == 0);
        let says = page.next.is_some() || page.dropped.is_some();
        let nothing = page.version.get() == 0;
        self.require(complete || says || nothing, || format!("it ends: {page:?}"));
        if let Some(dropped) = page.dropped {
            self.stats.hit("history dropped");
            let last = below.map_or(page.version, |(before, _)| before);
            self.require(last == dropped.upto, || format!("{page:?}"));
        }
        self.check_newest(page);
    }

    /// The newest commit leaves the key as it is.
    fn check_newest(&mut self, page: &HistoryPage) {
        let state = self.hub.machine.as_ref();
        let state = state.and_then(|hub| hub.keyspace().get(&page.key));
        let (Some(newest), Some(state)) = (page.commits.first(), state) else {
            return;
        };
        let rules = self.rules();
        let rule = rules.of_entry(&page.key, state.entry(), |_| true);
        let same_rule = rule.map(sync_core::Resolver::rule) == newest.rule;
        if state.version() == newest.version && same_rule {
            let value = rule.and_then(|rule| rule.fold(state.entry()));
            let fits = is(&newest.value, value.as_ref());
            self.require(fits, || format!("it is {value:?}, told was {newest:?}"));
            self.stats.hit("history up to now");
        }
    }

    /// A commit that is in the log is as it is there, and its writes are what was written.
    fn check_commit(&mut self, key: &Key, commit: &PastCommit) {
        let missing = self.missing_loser(key, commit);
        self.require(missing.is_none(), || missing.unwrap_or_default());
        let noted = self.noted(key, commit.revision);
        if let Some((value, kind)) = noted {
            let fits = is(&commit.value, value.as_ref());
            self.require(fits, || format!("noted was {value:?}, told {commit:?}"));
            if let Some(kind) = kind {
                let expired = commit.kind == PastKind::Expired;
                let fits =
                    expired == (kind == ChangeKind::Expired) || commit.kind == PastKind::Unchanged;
                self.require(fits, || format!("noted was {kind:?}, told {commit:?}"));
            }
        }
        for write in commit.writes.iter() {
            let op = self.ghost.ops.get(&write.write);
            let wrote = op.and_then(|op| op.payload.as_ref());
            let fits = wrote.is_none_or(|payload| is(&write.value, payload.value().as_ref()));
            let ours = op.is_none_or(|op| op.key == *key);
            let found = format!("written was {op:?}, told {write:?}");
            self.require(fits && ours, || found);
        }
    }

    /// A write that is said to have lost with a commit, and of which that does not tell. A hub that has lost
    /// its disk may have given the number of that commit to another one.
    fn missing_loser(&self, key: &Key, commit: &PastCommit) -> Option<String> {
        if self.rollbacks > 0 || commit.unnamed > 0 {
            return None;
        }
        let told = |id: &WriteId| commit.lost.iter().any(|loss| loss.lost.write == *id);
        let is_missing = |receipt: &&Receipt| {
            let lost = matches!(
                receipt.reason,
                Reason::Superseded { .. } | Reason::Merged { .. }
            );
            let ours = receipt.key == *key && receipt.revision == commit.revision;
            ours && lost && !told(&receipt.write)
        };
        let waiting = self.hub.machine.iter().flat_map(Hub::receipts);
        let mut all = waiting.chain(self.ghost.receipts.values());
        let missing = all.find(is_missing)?;
        Some(format!("{missing} is not told of in {commit:?}"))
    }

    /// How a commit left a key, if that is in the log.
    fn noted(&self, key: &Key, at: Revision) -> Option<(Option<Value>, Option<ChangeKind>)> {
        let mut log = self.hub.log.iter();
        let noted = log.find(|noted| noted.revision == at && noted.key == *key)?;
        Some((noted.value.clone(), noted.kind))
    }

    fn check_past_state(&mut self, state: &PastState) {
        let Some(revision) = state.revision else {
            return;
        };
        self.stats.hit("state of the past");
        let in_time = revision <= state.at && state.until.is_none_or(|until| until > state.at);
        self.require(in_time, || format!("{state:?}"));
        if let Some((value, _)) = self.noted(&state.key, revision) {
            let fits = is(&state.value, value.as_ref());
            self.require(fits, || format!("noted was {value:?}, told {state:?}"));
        }
    }

    fn check_diff(&mut self, ask: &PastAsk, page: &DiffPage) {
        self.stats.hit("diff");
        for diff in page.changes.iter() {
            let within = page.from < diff.revision && diff.revision <= page.to;
            self.require(within && diff.before <= diff.version, || {
                format!("{diff:?}")
            });
            let Some((value, _)) = self.noted(&diff.key, diff.revision) else {
                continue;
            };
            let became = diff.became.as_ref();
            let fits = became.is_none_or(|became| is(became, value.as_ref()));
            self.require(fits, || format!("noted was {value:?}, told {diff:?}"));
        }
        if page.kept_after.is_some() {
            return self.stats.hit("diff dropped");
        }
        let PastAsk::Diff {
            from: Since::Revision(from),
            ..
        } = ask
        else {
            return;
        };
        let within = |at: Revision| *from < at && at <= page.to;
        let log = self.hub.log.iter().filter(|noted| within(noted.revision));
        let told: BTreeSet<&Key> = page.changes.iter().map(|diff| &diff.key).collect();
        let missing = log.map(|noted| &noted.key).find(|key| !told.contains(key));
        let missing = missing.cloned();
        self.require(missing.is_none(), || {
            format!("without {missing:?}: {page:?}")
        });
    }

    fn check_knew(&mut self, knew: &Knew) {
        self.stats.hit("knew");
        let seen = knew.seen.filter(|_| knew.comparable).map(|s| s.revision);
        let seen = seen.unwrap_or_default();
        for stale in knew.stale.iter() {
            let between = seen < stale.revision && stale.revision < knew.committed;
            self.require(between, || format!("{stale:?} of {knew:?}"));
        }
    }
}

/// Whether a value of the past is that one, as far as it is told.
fn is(told: &PastValue, value: Option<&Value>) -> bool {
    told.omitted.is_some() || told.value.as_ref() == value
}
