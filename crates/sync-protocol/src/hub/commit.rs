//! The one path by which state changes: join, resolve, number, persist, fan out.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{
    AgentId, Context, Entry, Joined, Key, Now, OnConcurrent, Reason, Receipt, Revision, RowOp,
    Seen, SessionId, Version, Write, WriteId,
    planted::{self, Planted},
};

use super::Hub;
use super::fanout::Encoded;
use super::voting::Deciding;
use crate::keyspace::Changes;

/// Keys that the hub changes by itself in one commit: their update fits a frame or a few, and an answer
/// that tells of them, which cuts no commit, fits one that can be sent.
pub(super) const KEYS_PER_COMMIT: usize = 1_000;

/// A commit that is being put together.
#[derive(Debug, Default)]
pub(super) struct Commit {
    changes: Changes,
    /// What this commit adds, per key: the delta that a peer at the revision before lacks.
    deltas: BTreeMap<Key, Entry>,
    /// Keys whose delta holds what the origin does not have.
    foreign: BTreeSet<Key>,
    /// Whose connection brought it, if just one.
    origin: Option<SessionId>,
    /// Who asked the hub for it.
    pub(super) by: Option<AgentId>,
    /// Whether that was by a proposal, which others have approved since.
    pub(super) voted: bool,
    /// Deletes that have come with it and done their work at once.
    buried: BTreeMap<Key, Vec<(WriteId, Write)>>,
    pub(super) receipts: Vec<Receipt>,
    /// Versions below which a key must not come out.
    floors: BTreeMap<Key, Version>,
    /// Rows beside those of the keys.
    pub(super) extra: Vec<RowOp>,
    /// Keys that have reached the end of their lifetime.
    expired: BTreeSet<Key>,
    /// Whether somebody asked for everything that its keys hold to be removed.
    clears: bool,
    /// The hub's own work on what is there, which brings nothing that somebody has written since.
    own: bool,
    /// What the authors of writes that have lost had seen.
    seen: BTreeMap<WriteId, Seen>,
    /// Writes found to have lost, per key.
    pub(super) conflicts: BTreeMap<Key, u32>,
    /// Writes to fields that have been deleted, nobody remembers when.
    pub(super) orphans: BTreeMap<Key, BTreeSet<WriteId>>,
    /// What was decided and goes into the same batch.
    pub(super) decision: Option<Box<Deciding>>,
}

impl Commit {
    /// A commit of what one connection sent.
    pub(super) fn from(origin: SessionId) -> Self {
        Self {
            origin: Some(origin),
            ..Self::default()
        }
    }

    /// A commit that somebody has asked the hub for.
    pub(super) fn asked_by(name: AgentId) -> Self {
        Self {
            by: Some(name),
            ..Self::default()
        }
    }

    /// A commit that ends a vote on what somebody has proposed.
    pub(super) fn voted_on(proposer: AgentId) -> Self {
        Self {
            voted: true,
            ..Self::asked_by(proposer)
        }
    }

    /// A commit that removes everything that its keys hold.
    pub(super) fn clearing(by: Option<AgentId>) -> Self {
        Self {
            by,
            clears: true,
            own: true,
            ..Self::default()
        }
    }

    /// A commit of the hub's own work on what is there.
    pub(super) fn own() -> Self {
        Self {
            own: true,
            ..Self::default()
        }
    }

    /// Whether it removes everything that its keys hold.
    pub(super) fn clears(&self) -> bool {
        self.clears
    }

    /// The connection that brought it, if just one.
    pub(super) fn origin(&self) -> Option<SessionId> {
        self.origin
    }

    /// What the author of a write that has lost with it had seen.
    pub(super) fn seen_by(&self, loser: &WriteId) -> Option<Seen> {
        self.seen.get(loser).copied()
    }

    /// Whether it is what one connection has brought, and that one.
    pub(super) fn is_from(&self, session: SessionId) -> bool {
        self.origin == Some(session)
    }

    /// What a join has changed of a key, and the delta that did.
    pub(super) fn record(&mut self, key: &Key, joined: Joined, delta: Entry) {
        self.changes.record(key, joined);
        self.deltas.entry(key.clone()).or_default().join(delta);
    }

    /// The key's delta holds what the origin does not have.
    pub(super) fn surprises(&mut self, key: &Key) {
        self.foreign.insert(key.clone());
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

    /// Rows that belong into the same batch.
    pub(super) fn with_rows(&mut self, rows: impl IntoIterator<Item = RowOp>) {
        self.extra.extend(rows);
    }

    /// Fates that are told with it.
    pub(super) fn with_receipts(&mut self, receipts: impl IntoIterator<Item = Receipt>) {
        self.receipts.extend(receipts);
    }

    /// Writes of a key that were found to have lost.
    pub(super) fn count_conflicts(&mut self, key: &Key, count: u32) {
        *self.conflicts.entry(key.clone()).or_default() += count;
    }

    /// The writes of a key that came or went so far.
    pub(super) fn stale(&self, key: &Key) -> &BTreeSet<WriteId> {
        self.changes.writes(key)
    }

    /// The deletes of a key that have come with it and done their work at once.
    pub(super) fn buried(&self, key: &Key) -> &[(WriteId, Write)] {
        self.buried.get(key).map_or(&[], Vec::as_slice)
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
    pub(super) fn cover(&mut self, commit: &mut Commit, key: &Key, ids: Context) {
        let delta = Entry::covering(ids);
        let joined = self.space.join(key, delta.clone());
        commit.record(key, joined, delta);
        commit.surprises(key);
    }

    /// Lets the rule of every changed key decide which live writes have lost, each with a receipt in
    /// the same batch as the loss.
    fn resolve(&mut self, commit: &mut Commit, now: Now) {
        let keys: Vec<Key> = commit.changes.keys().cloned().collect();
        for key in keys {
            self.judge(commit, now, &key);
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
                commit
                    .seen
                    .extend(lost.seen().map(|seen| (loss.loser.clone(), seen)));
                let reason = Reason::Superseded {
                    winner,
                    winner_stamp: won.stamp,
                    winner_value: won.payload.value(),
                    rule: rule.rule(),
                };
                commit
                    .receipts
                    .push(receipt(loss.loser, &key, lost, reason));
                commit.count_conflicts(&key, 1);
            }
            self.bury(commit, &key, &buried);
            self.cover(commit, &key, ids);
            if !buried.is_empty() {
                commit.buried.entry(key).or_default().extend(buried);
            }
        }
    }

    /// What the commit that is being put together will be numbered.
    pub(super) fn next_revision(&self) -> Revision {
        self.revision.max(self.met).next()
    }

    /// Closes a commit. One that changes nothing bumps nothing and is forwarded to nobody.
    pub(super) fn finish(&mut self, mut commit: Commit, now: Now) -> Committed {
        self.resolve(&mut commit, now);
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
            self.record_decision(&mut commit, &mut ops);
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
        self.activity.commits += 1;
        let mut before = Vec::with_capacity(changed.len());
        for key in &changed {
            before.push((key.clone(), self.number(key, &commit)));
        }
        let mut ops = self.space.rows(&commit.changes);
        for key in &changed {
            self.schedule(key, &commit, now, &mut ops);
            ops.extend(self.note_claim(now, key));
        }
        ops.append(&mut commit.extra);
        self.record_decision(&mut commit, &mut ops);
        self.remember(&commit, &before, from, now, &mut ops);
        let addressees = self.keep_receipts(&mut commit, &mut ops);
        self.persist(ops);
        let mut encoded = Encoded::new(&commit, self.config.limits.page_bytes);
        self.send_ahead(from, &changed, &mut encoded);
        self.fan_out(from, &changed, &mut encoded);
        if !commit.own {
            self.chores.clearings.spare(&changed);
        }
        self.request_merges(&changed);
        self.tell_watchers(now, from, &changed);
        for session in addressees {
            self.send_receipts(session);
        }
        Committed {
            changed,
            conflicts: commit.conflicts,
        }
    }

    /// Gives a changed key its next version and the commit's revision; returns those it had.
    fn number(&mut self, key: &Key, commit: &Commit) -> (Version, Revision) {
        let Some(state) = self.space.get(key) else {
            return Default::default();
        };
        let before = (state.version(), state.revision());
        self.index.remove(&(state.revision(), Some(key.clone())));
        let floor = commit.floors.get(key).copied().unwrap_or_default();
        let reached = state.version().max(floor);
        let version = if commit.grows(key) && !planted::is(Planted::VersionStays) {
            reached.next()
        } else {
            reached
        };
        self.space.raise(key, version, self.revision);
        self.index.insert((self.revision, Some(key.clone())));
        before
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
