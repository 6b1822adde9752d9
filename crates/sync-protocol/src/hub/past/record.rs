//! What a commit leaves for later: a row per key that it changed, and one that names them all.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::codec::List;
use sync_core::{
    Key, Now, Omitted, PastCommit, PastKind, PastLoss, PastValue, PastWrite, Reason, Receipt,
    Revision, RowOp, Version,
};

use crate::hub::Hub;
use crate::hub::commit::Commit;
use crate::keyspace::KeyState;
use crate::rows::{self, JournalRow, Touched};

/// Largest value that is remembered, in encoded bytes: of what is larger its size is. Values that people
/// look at are smaller, and a key's past may take many times as much as the key.
const VALUE_BYTES_MAX: usize = 4 << 10;

/// Bytes of all values of one row.
const ROW_VALUE_BYTES_MAX: usize = 16 << 10;

/// Writes that came, that lost and that were replaced, each, that a row names; of more it says how many.
const NAMED_MAX: usize = 16;

/// Live writes that are folded to remember what they read as. More make a value that a change changes
/// little, and folding it each time would cost its size each time.
const FOLDED_MAX: usize = 64;

impl Hub {
    /// Remembers a commit, in the same batch. `before` has the version that each key had, and `from` is
    /// the revision before. O(changes).
    pub(in crate::hub) fn remember(
        &mut self,
        commit: &Commit,
        before: &[(Key, Version)],
        from: Revision,
        now: Now,
        ops: &mut Vec<RowOp>,
    ) {
        let mut receipts: BTreeMap<&Key, Vec<&Receipt>> = BTreeMap::new();
        for receipt in &commit.receipts {
            receipts.entry(&receipt.key).or_default().push(receipt);
        }
        let mut keys = Vec::with_capacity(before.len());
        for (key, before) in before {
            let lost = receipts.remove(key).unwrap_or_default();
            let Some(state) = self.space.get(key) else {
                continue;
            };
            let kind = kind_of(commit, key, state, &lost);
            keys.push(Touched {
                key: key.clone(),
                before: *before,
                version: state.version(),
                kind,
            });
            let commits = self.commits_kept(key);
            if commits > 0 && state.version() > *before {
                let past = self.past_commit(commit, key, state, *before, kind, &lost, now);
                let outdated = outdated(*before, state.version(), commits);
                ops.push(rows::put_history(key, past));
                ops.extend(outdated.map(|version| rows::delete_history(key, version)));
            }
        }
        self.note_in_journal(commit, keys, from, ops);
    }

    fn note_in_journal(
        &mut self,
        commit: &Commit,
        keys: Vec<Touched>,
        from: Revision,
        ops: &mut Vec<RowOp>,
    ) {
        let max = self.config.limits.journal_max;
        if max > 0 {
            let by = commit
                .origin()
                .and_then(|session| self.sessions.get(&session));
            ops.push(rows::put_journal(&JournalRow {
                revision: self.revision,
                after: from,
                by: by.map(|session| session.agent.clone()),
                keys: List(keys),
            }));
        }
        let dropped = self.past.journal.add(self.revision, from, max);
        ops.extend(dropped.into_iter().map(rows::delete_journal));
    }

    /// How many commits of a key are kept.
    pub(super) fn commits_kept(&self, key: &Key) -> u32 {
        let policy = self.policies().of(key);
        let commits = policy.and_then(|policy| policy.history.commits);
        commits.unwrap_or(self.config.limits.history_commits)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of the row")]
    fn past_commit(
        &self,
        commit: &Commit,
        key: &Key,
        state: &KeyState,
        before: Version,
        kind: PastKind,
        lost: &[&Receipt],
        now: Now,
    ) -> PastCommit {
        let entry = state.entry();
        let ids = commit.stale(key);
        let mut room = Room(ROW_VALUE_BYTES_MAX);
        let came = ids.iter().filter_map(|id| Some((id, entry.write(id)?)));
        let writes: Vec<_> = came.clone().take(NAMED_MAX).collect();
        let writes = writes.into_iter().map(|(id, write)| {
            let room = room.take(write.payload.as_bytes().len());
            PastWrite::of(id, write, room)
        });
        let writes: Vec<_> = writes.collect();
        let losses = lost.iter().take(NAMED_MAX).map(|receipt| {
            let room = room.take(receipt.discarded.as_bytes().len());
            PastLoss::of(receipt, commit.seen_by(&receipt.write), room)
        });
        let losses: Vec<_> = losses.collect();
        let lost_ids: BTreeSet<_> = lost.iter().map(|receipt| &receipt.write).collect();
        let gone = |id: &&sync_core::WriteId| entry.write(id).is_none() && !lost_ids.contains(id);
        let replaced = ids.iter().filter(gone);
        let named: Vec<_> = replaced.clone().take(NAMED_MAX).cloned().collect();
        let all = came.count() + lost.len() + replaced.count();
        let unnamed = all - writes.len() - losses.len() - named.len();
        let rule = self.resolvers.of_entry(key, entry, |_| true);
        PastCommit {
            version: state.version(),
            before,
            revision: self.revision,
            at_ms: now.wall_ms,
            kind,
            rule: rule.map(sync_core::Resolver::rule),
            value: self.past_value(key, state),
            writes: List(writes),
            lost: List(losses),
            replaced: List(named),
            unnamed: u32::try_from(unnamed).unwrap_or(u32::MAX),
        }
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

/// The versions that are not kept any more once a key goes from one to the next: those that were kept
/// beside the one and are not beside the other. Versions may be left out.
fn outdated(before: Version, version: Version, commits: u32) -> impl Iterator<Item = Version> {
    let (before, commits) = (before.get(), u64::from(commits));
    let first = before.saturating_sub(commits) + 1;
    let last = version.get().saturating_sub(commits).min(before);
    (first..=last).map(Version::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_for_one_that_comes_and_all_where_versions_are_left_out() {
        let cases: [(u64, u64, u32, &[u64]); 7] = [
            (0, 1, 2, &[]),
            (1, 2, 2, &[]),
            (2, 3, 2, &[1]),
            (3, 4, 2, &[2]),
            (3, 9, 2, &[2, 3]),
            (3, 5, 4, &[1]),
            (3, 4, 1, &[3]),
        ];
        for (before, version, commits, expected) in cases {
            let gone = outdated(Version::new(before), Version::new(version), commits);
            let gone: Vec<u64> = gone.map(Version::get).collect();
            assert_eq!(gone, expected, "{before} to {version} of {commits}");
        }
    }
}
