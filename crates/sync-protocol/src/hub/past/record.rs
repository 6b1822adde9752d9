//! What a commit leaves for later: what it did to each key that it changed, in the log.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::codec::List;
use sync_core::{
    Key, Now, Omitted, PastKind, PastLoss, PastValue, PastWrite, Reason, Receipt, Revision, RowOp,
    Version, WriteId,
    planted::{self, Planted},
};

use crate::hub::Hub;
use crate::hub::commit::Commit;
use crate::keyspace::KeyState;
use crate::rows::{self, CommitBytes, CommitHead, KeyRecord, Origin, Told};

/// Largest value that is remembered, in encoded bytes: of what is larger its size is. Values that people
/// look at are smaller, and a key's past may take many times as much as the key.
pub(super) const VALUE_BYTES_MAX: usize = 4 << 10;

/// Bytes of all values of the writes that a commit has brought to a key, or that have lost with it.
const KEY_VALUE_BYTES_MAX: usize = 16 << 10;

/// Writes that came, that lost and that were replaced, each, that are named; of more it says how many.
const NAMED_MAX: usize = 16;

/// Live writes that are folded to remember what they read as. More make a value that a change changes
/// little, and folding it each time would cost its size each time.
const FOLDED_MAX: usize = 64;

impl Hub {
    /// Remembers a commit, in the same batch. `before` has the version and the revision that each key had,
    /// and `from` is the revision before. O(changes).
    pub(in crate::hub) fn remember(
        &mut self,
        commit: &Commit,
        before: &[(Key, (Version, Revision))],
        from: Revision,
        now: Now,
        ops: &mut Vec<RowOp>,
    ) {
        let mut receipts: BTreeMap<&Key, Vec<&Receipt>> = BTreeMap::new();
        for receipt in &commit.receipts {
            receipts.entry(&receipt.key).or_default().push(receipt);
        }
        let max = self.config.limits.journal_max;
        let head = CommitHead {
            from: self.origin_of(commit),
            at_ms: now.wall_ms,
        };
        let mut bytes = CommitBytes::new(self.revision, &head);
        for (key, (before, previous)) in before {
            let Some(state) = self.space.get(key) else {
                continue;
            };
            let has_history = self.commits_kept(key) > 0;
            if max == 0 && !has_history {
                continue;
            }
            let lost = receipts.remove(key).unwrap_or_default();
            let record = KeyRecord {
                key: key.clone(),
                before: *before,
                version: state.version(),
                previous: *previous,
                kind: kind_of(commit, key, state, &lost),
            };
            let told = has_history.then(|| self.told(commit, key, state, &lost));
            bytes.add(&record, told.as_ref());
        }
        if self.past.journal.add(self.revision, from, max) {
            ops.push(rows::put_journal(&self.past.journal.row()));
        }
        if !bytes.is_empty() {
            let begun = self.past.log.add(&bytes, ops);
            self.thin_log(begun, ops);
        }
    }

    fn origin_of(&self, commit: &Commit) -> Origin {
        let brought = commit.origin().and_then(|by| self.sessions.get(&by));
        let brought = brought.map(|session| &session.agent);
        match commit.by.as_ref().or(brought).cloned() {
            Some(proposer) if commit.voted => Origin::Vote(proposer),
            Some(agent) => Origin::One(agent),
            None => Origin::Several,
        }
    }

    /// How many commits of a key are kept.
    pub(super) fn commits_kept(&self, key: &Key) -> u32 {
        let policy = self.policies().of(key);
        let commits = policy.and_then(|policy| policy.history.commits);
        commits.unwrap_or(self.config.limits.history_commits)
    }

    /// What is told of a commit's part of a key.
    fn told(&self, commit: &Commit, key: &Key, state: &KeyState, lost: &[&Receipt]) -> Told {
        let entry = state.entry();
        let ids = commit.stale(key);
        let mut room = Room(KEY_VALUE_BYTES_MAX);
        let buried = commit.buried(key);
        let stays = ids.iter().filter_map(|id| Some((id, entry.write(id)?)));
        // A delete that has done its work is gone with the commit that brings it.
        let came = stays.chain(buried.iter().map(|(id, write)| (id, write)));
        let writes: Vec<_> = came.clone().take(NAMED_MAX).collect();
        let writes = writes.into_iter().map(|(id, write)| {
            let metadata = write.metadata().map_or(0, |m| m.as_bytes().len());
            let room = room.take(write.payload.as_bytes().len() + metadata);
            PastWrite::of(id, write, room)
        });
        let writes: Vec<_> = writes.collect();
        let is_whole = !planted::is(Planted::HistoryWithoutLosers);
        let lost = if is_whole { lost } else { &[] };
        let losses = lost.iter().take(NAMED_MAX).map(|receipt| {
            let room = room.take(receipt.discarded.as_bytes().len());
            PastLoss::of(receipt, commit.seen_by(&receipt.write), room)
        });
        let losses: Vec<_> = losses.collect();
        let lost_ids: BTreeSet<_> = lost.iter().map(|receipt| &receipt.write).collect();
        let is_buried = |id: &WriteId| buried.iter().any(|(delete, _)| delete == id);
        let gone =
            |id: &&WriteId| entry.write(id).is_none() && !lost_ids.contains(id) && !is_buried(id);
        let replaced = ids.iter().filter(gone);
        let named: Vec<_> = replaced.clone().take(NAMED_MAX).cloned().collect();
        let all = came.count() + lost.len() + replaced.count();
        let unnamed = all - writes.len() - losses.len() - named.len();
        let rule = self.resolvers.of_entry(key, entry, |_| true);
        let mut told = Told::new(self.past_value(key, state), List(writes));
        told.rule = rule.map(sync_core::Resolver::rule);
        told.lost = List(losses);
        told.replaced = List(named);
        told.unnamed = u32::try_from(unnamed).unwrap_or(u32::MAX);
        told
    }

    /// A key's value as it is, if it is small.
    pub(super) fn past_value(&self, key: &Key, state: &KeyState) -> PastValue {
        let entry = state.entry();
        let parts = entry.live_count();
        if parts > FOLDED_MAX {
            return PastValue::omitted(Omitted::Parts(parts as u64));
        }
        let bytes = entry.writes().map(|(_, w)| w.payload.as_bytes().len());
        let bytes: usize = bytes.sum();
        if bytes > VALUE_BYTES_MAX {
            return PastValue::omitted(Omitted::Bytes(bytes as u64));
        }
        let rule = self.resolvers.of_entry(key, entry, |_| true);
        PastValue::from(rule.and_then(|rule| rule.fold(entry)))
    }
}

/// The bytes of values that there is still room for.
struct Room(usize);

impl Room {
    /// The most that a value of so many bytes may take, which it then has taken.
    fn take(&mut self, bytes: usize) -> usize {
        let most = self.0.min(VALUE_BYTES_MAX);
        if bytes <= most {
            self.0 -= bytes;
        }
        most
    }
}

/// What a commit has done to a key.
fn kind_of(commit: &Commit, key: &Key, state: &KeyState, lost: &[&Receipt]) -> PastKind {
    let entry = state.entry();
    let lost_ids: BTreeSet<_> = lost.iter().map(|receipt| &receipt.write).collect();
    let mut ids = commit.stale(key).iter();
    // What came and lost at once, or lost against what was there, has changed nothing that shows.
    let changed = ids.any(|id| !lost_ids.contains(id));
    let holds = entry.kinds().any(|kind| !kind.is_absence());
    let merged = |receipt: &&Receipt| matches!(receipt.reason, Reason::Merged { .. });
    if commit.ends(key) {
        PastKind::Expired
    } else if commit.clears() {
        PastKind::Cleared
    } else if !changed {
        PastKind::Unchanged
    } else if !holds {
        PastKind::Deleted
    } else if lost.iter().any(merged) {
        PastKind::Merged
    } else {
        PastKind::Changed
    }
}
