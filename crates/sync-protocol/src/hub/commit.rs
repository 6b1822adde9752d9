//! The one path by which state changes: join, resolve, number, persist, fan out.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{
    Context, Entry, Key, Now, OnConcurrent, Reason, Receipt, Revision, RowOp, SessionId, Version,
    Write, WriteId,
};

use super::Hub;
use crate::compose;
use crate::keyspace::{Changes, KeyState, ended};
use crate::rows;

/// Keys that the hub changes by itself in one commit: their update fits a frame or a few, and an answer
/// that tells of them, which cuts no commit, fits one that can be sent.
pub(super) const KEYS_PER_COMMIT: usize = 1_000;

/// Where a delta comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Its own writer, fresh: may be refused, and then what it replaced stays.
    Writer,
    /// State that somebody held: its covers are facts, but nobody says whether they were chosen.
    Held,
    /// An operation of the hub itself.
    Here,
}

/// A commit that is being put together.
#[derive(Debug, Default)]
pub(super) struct Commit {
    pub(super) changes: Changes,
    /// What this commit adds, per key: the delta that a peer at the revision before lacks.
    deltas: BTreeMap<Key, Entry>,
    /// Keys whose delta holds what the origin does not have.
    foreign: BTreeSet<Key>,
    /// Whose connection brought it, if just one.
    origin: Option<SessionId>,
    pub(super) receipts: Vec<Receipt>,
    /// Versions below which a key must not come out.
    floors: BTreeMap<Key, Version>,
    /// Rows beside those of the keys.
    pub(super) extra: Vec<RowOp>,
    /// Keys that have reached the end of their lifetime.
    expired: BTreeSet<Key>,
    /// Writes found to have lost, per key.
    pub(super) conflicts: BTreeMap<Key, u32>,
    /// Writes to fields that have been deleted, nobody remembers when.
    pub(super) orphans: BTreeMap<Key, BTreeSet<WriteId>>,
}

impl Commit {
    /// A commit of what one connection sent.
    pub(super) fn from(origin: SessionId) -> Self {
        Self {
            origin: Some(origin),
            ..Self::default()
        }
    }

    /// A key whose rule is to decide anew.
    pub(super) fn touch(&mut self, key: &Key) {
        self.changes.touch(key);
    }

    /// A key that is gone because its lifetime has ended.
    pub(super) fn expire(&mut self, key: &Key) {
        self.expired.insert(key.clone());
    }

    /// Whether a key is gone because its lifetime has ended.
    pub(super) fn ends(&self, key: &Key) -> bool {
        self.expired.contains(key)
    }

    /// Whether it brings anything to a key, rather than numbering it anew.
    pub(super) fn grows(&self, key: &Key) -> bool {
        self.deltas.contains_key(key)
    }

    /// A row that belongs into the same batch.
    pub(super) fn with_row(&mut self, row: RowOp) {
        self.extra.push(row);
    }

    /// A fate that is told with it.
    pub(super) fn with_receipt(&mut self, receipt: Receipt) {
        self.receipts.push(receipt);
    }

    /// A version that the key had elsewhere.
    pub(super) fn with_floor(&mut self, key: &Key, version: Version) {
        let floor = self.floors.entry(key.clone()).or_default();
        *floor = version.max(*floor);
    }
}

/// What a commit came to.
#[derive(Debug, Default)]
pub(super) struct Committed {
    /// The keys it changed.
    pub(super) changed: BTreeSet<Key>,
    /// Writes that lost, per key.
    pub(super) conflicts: BTreeMap<Key, u32>,
}

impl Committed {
    /// Takes in what a further commit came to.
    pub(super) fn add(&mut self, other: Self) {
        self.changed.extend(other.changed);
        for (key, count) in other.conflicts {
            *self.conflicts.entry(key).or_default() += count;
        }
    }
}

impl Hub {
    /// Joins one delta into a commit. A write that may not enter is taken out and comes back to its
    /// writer with the reason.
    pub(super) fn admit(
        &mut self,
        commit: &mut Commit,
        now: Now,
        key: &Key,
        mut delta: Entry,
        source: Source,
    ) {
        if source == Source::Writer && self.is_decided(key, &delta) {
            return self.return_adopted(commit, key, &delta);
        }
        if source == Source::Held {
            self.adopt_dead(commit, key, &delta);
        }
        self.space.intern_entry(&mut delta);
        delta = self.refuse_misfits(commit, now, key, delta, source);
        for (_, write) in delta.writes() {
            self.clock.observe(write.stamp, now);
        }
        self.note_orphans(commit, key, &delta);
        let joined = self.space.join(key, delta.clone());
        self.id_alarms += (joined.replaced.len() + joined.outranked.len()) as u64;
        if !joined.inflated() {
            return;
        }
        if !joined.replaced.is_empty() {
            commit.foreign.insert(key.clone());
        }
        if source == Source::Held {
            let entry = self.space.get(key).map(KeyState::entry);
            let lost = entry.into_iter().flat_map(|entry| ended(&joined, entry));
            let unknown =
                |(id, write): &(WriteId, Write)| receipt(id.clone(), key, write, Reason::Unknown);
            commit.receipts.extend(lost.map(unknown));
        }
        commit.changes.record(key, joined);
        commit.deltas.entry(key.clone()).or_default().join(delta);
    }

    /// Whether the write of a delta is dead here. Then it was admitted once, with all that it covers, or
    /// it was refused, and what it covers at its writer must not be covered by its coming again.
    fn is_decided(&self, key: &Key, delta: &Entry) -> bool {
        let Some(held) = self.space.get(key).map(KeyState::entry) else {
            return false;
        };
        let mut writes = delta.writes();
        writes.any(|(id, _)| held.context().contains(id) && held.write(id).is_none())
    }

    /// Takes out the new writes that do not belong into the key.
    fn refuse_misfits(
        &self,
        commit: &mut Commit,
        now: Now,
        key: &Key,
        mut delta: Entry,
        source: Source,
    ) -> Entry {
        let empty = Entry::new();
        let held = self.space.get(key).map_or(&empty, |state| state.entry());
        let fresh = delta
            .writes()
            .filter(|(id, _)| !held.context().contains(id));
        let stays = |id: &WriteId| !delta.context().contains(id) || delta.write(id).is_some();
        let mut rule = self.resolvers.of_entry(key, held, stays);
        let before = self.resolvers.of_entry(key, held, |_| true);
        let mut misfits = Vec::new();
        for (id, write) in fresh {
            let kind = write.payload.kind();
            // What takes the place of all there is leaves the key under the rule it was made by.
            let same = || before.filter(|r| r.holds(kind));
            rule = rule.or_else(|| same().or_else(|| self.resolvers.of_kind(key, kind)));
            let fits = rule.is_some_and(|r| r.holds(kind));
            let reason = match rule {
                Some(rule) if !fits => Some(Reason::RuleMismatch { rule: rule.rule() }),
                _ if source == Source::Writer => self.refuse_write(now, key, write),
                _ => None,
            };
            misfits.extend(reason.map(|reason| (id.clone(), write.clone(), reason)));
        }
        for (id, write, reason) in misfits {
            // What a refused write replaced stays; of held state only the write itself is taken out.
            match source {
                Source::Writer => {
                    let span = std::iter::once(write.span(&id));
                    delta = Entry::covering(span.collect());
                }
                Source::Held | Source::Here => {
                    delta.withhold(&id);
                }
            }
            commit.foreign.insert(key.clone());
            commit.receipts.push(receipt(id, key, &write, reason));
        }
        delta
    }

    fn refuse_write(&self, now: Now, key: &Key, write: &Write) -> Option<Reason> {
        let limits = &self.config.limits;
        let bytes = write.payload.as_bytes().len() as u64;
        let limit = compose::value_bytes_max(key, limits, self.policies());
        if bytes > limit {
            return Some(Reason::TooLarge { bytes, limit });
        }
        if !self.clock.believes(write.stamp, now) {
            let ahead_ms = write.stamp.millis().saturating_sub(now.wall_ms);
            let limit_ms = u64::try_from(limits.drift_max.as_millis()).unwrap_or(u64::MAX);
            return Some(Reason::FutureStamp { ahead_ms, limit_ms });
        }
        None
    }

    /// Covers everything that is live of a key.
    pub(super) fn cover_all(&mut self, commit: &mut Commit, key: &Key) {
        let Some(state) = self.space.get(key).filter(|s| s.entry().is_live()) else {
            return;
        };
        let live: Context = state
            .entry()
            .writes()
            .map(|(id, write)| write.span(id))
            .collect();
        self.cover(commit, key, live);
    }

    pub(super) fn cover(&mut self, commit: &mut Commit, key: &Key, ids: Context) {
        let delta = Entry::covering(ids);
        let joined = self.space.join(key, delta.clone());
        commit.changes.record(key, joined);
        commit.deltas.entry(key.clone()).or_default().join(delta);
        commit.foreign.insert(key.clone());
    }

    /// Lets the rule of every changed key decide which live writes have lost, each with a receipt in
    /// the same batch as the loss.
    fn resolve(&mut self, commit: &mut Commit) {
        let keys: Vec<Key> = commit.changes.keys().cloned().collect();
        for key in keys {
            self.judge(commit, &key);
            let Some(state) = self.space.get(&key) else {
                continue;
            };
            let entry = state.entry();
            let Some(rule) = self.resolvers.of_entry(&key, entry, |_| true) else {
                continue;
            };
            let losses = rule.losses(entry);
            if losses.is_empty() {
                continue;
            }
            let mut ids = Context::new();
            let mut buried = Vec::new();
            for loss in losses {
                ids.insert_id(&loss.loser);
                let Some(lost) = entry.write(&loss.loser) else {
                    continue;
                };
                let won = loss.winner.and_then(|id| Some((entry.write(&id)?, id)));
                let Some((won, winner)) = won else {
                    let older_lose = rule.on_concurrent() == OnConcurrent::Lww;
                    if older_lose && lost.payload.kind().is_absence() {
                        buried.push((loss.loser, lost.clone()));
                    }
                    continue;
                };
                let reason = Reason::Superseded {
                    winner,
                    winner_stamp: won.stamp,
                    winner_value: won.payload.value(),
                    rule: rule.rule(),
                };
                commit
                    .receipts
                    .push(receipt(loss.loser, &key, lost, reason));
                *commit.conflicts.entry(key.clone()).or_default() += 1;
            }
            self.bury(commit, &key, &buried);
            self.cover(commit, &key, ids);
        }
    }

    /// What the commit that is being put together will be numbered.
    pub(super) fn next_revision(&self) -> Revision {
        self.revision.max(self.met).next()
    }

    /// Closes a commit. One that changes nothing bumps nothing and is forwarded to nobody.
    pub(super) fn finish(&mut self, mut commit: Commit, now: Now) -> Committed {
        self.resolve(&mut commit);
        let raised: Vec<Key> = commit
            .floors
            .iter()
            .filter(|(key, floor)| self.space.get(key).is_some_and(|s| s.version() < **floor))
            .map(|(key, _)| key.clone())
            .collect();
        for key in &raised {
            commit.changes.touch(key);
        }
        let changed: BTreeSet<Key> = commit.changes.keys().cloned().collect();
        if changed.is_empty() {
            let mut ops = std::mem::take(&mut commit.extra);
            let addressees = self.keep_receipts(&mut commit, &mut ops);
            if !ops.is_empty() {
                self.persist(ops);
            }
            for session in addressees {
                self.send_receipts(session);
            }
            return Committed::default();
        }
        let from = self.revision;
        self.revision = self.next_revision();
        for key in &changed {
            self.number(key, &commit);
        }
        let mut ops = self.space.rows(&commit.changes);
        for key in &changed {
            self.schedule(key, &commit, now, &mut ops);
        }
        ops.append(&mut commit.extra);
        let addressees = self.keep_receipts(&mut commit, &mut ops);
        self.persist(ops);
        self.fan_out(from, &changed, &commit);
        self.request_merges(&changed);
        self.tell_watchers(now, &changed);
        for session in addressees {
            self.send_receipts(session);
        }
        Committed {
            changed,
            conflicts: commit.conflicts,
        }
    }

    /// Gives a changed key its next version and the commit's revision.
    fn number(&mut self, key: &Key, commit: &Commit) {
        let Some(state) = self.space.get(key) else {
            return;
        };
        self.index.remove(&(state.revision(), Some(key.clone())));
        let floor = commit.floors.get(key).copied().unwrap_or_default();
        let reached = state.version().max(floor);
        let version = if commit.grows(key) {
            reached.next()
        } else {
            reached
        };
        self.space.raise(key, version, self.revision);
        self.index.insert((self.revision, Some(key.clone())));
    }

    /// Receipts become rows of the commit's batch; returns the connections they are for.
    fn keep_receipts(&mut self, commit: &mut Commit, ops: &mut Vec<RowOp>) -> BTreeSet<SessionId> {
        let mut sessions = BTreeSet::new();
        for mut receipt in std::mem::take(&mut commit.receipts) {
            receipt.revision = self.revision;
            ops.push(rows::put_receipt(&receipt));
            sessions.extend(self.roster.get(receipt.addressee()).and_then(|m| m.session));
            self.keep_receipt(receipt);
        }
        sessions
    }

    pub(super) fn keep_receipt(&mut self, receipt: Receipt) {
        let waiting = self
            .receipts
            .entry(receipt.addressee().clone())
            .or_default();
        waiting.insert(receipt.write.clone(), receipt);
    }

    pub(super) fn commit_delta<'a>(commit: &'a Commit, key: &Key) -> Option<&'a Entry> {
        commit.deltas.get(key)
    }

    pub(super) fn is_echo(commit: &Commit, key: &Key, session: SessionId) -> bool {
        commit.origin == Some(session) && !commit.foreign.contains(key)
    }
}

pub(super) fn receipt(write: WriteId, key: &Key, lost: &Write, reason: Reason) -> Receipt {
    Receipt {
        write,
        key: key.clone(),
        stamp: lost.stamp,
        discarded: lost.payload.clone(),
        reason,
        // Set when the commit is numbered.
        revision: Revision::default(),
    }
}
