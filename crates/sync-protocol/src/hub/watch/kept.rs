//! Changes that are kept for a while, because somebody watches their keys: so that each is delivered.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use sync_core::{
    AgentId, Change, Key, Pattern, Revision, codec,
    planted::{self, Planted},
};

use crate::hub::delta::{Page, VALUE_BYTES_PER_PAGE};
use crate::hub::search::{Cost, Effort, Search};

/// Changes that are kept for watchers, and their bytes: seconds of a busy swarm.
const KEPT_MAX: usize = 16_384;
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long after its last question a pattern is still watched: a connection may be lost and made anew.
const INTEREST: Duration = Duration::from_mins(2);

/// Patterns watched at a time. Each change is matched against all of them.
const PATTERNS_MAX: usize = 1_024;

/// Of these, patterns that one peer was the first to ask for: none is to use them up for the others,
/// whose watches would tell only the last change of each key.
const PATTERNS_PER_PEER: usize = 64;

/// A pattern that somebody watches.
#[derive(Debug)]
struct Interest {
    /// Who asked for it first; none in this process.
    by: Option<AgentId>,
    /// Changes up to here were not kept for it.
    since: Revision,
    until: Duration,
    cost: Cost,
}

/// A change as a watcher gets it. Encoded, because then it takes as much as it weighs: a list of nothing
/// takes thirty times that once it is read.
#[derive(Debug)]
struct Kept {
    key: Key,
    change: Bytes,
    revision: Revision,
    /// The bytes of its value.
    weight: usize,
}

/// What is watched, and the changes that are kept for it.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    interests: BTreeMap<Pattern, Interest>,
    /// When to look for interests that have ended: not after the first of them does.
    look_at: Option<Duration>,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    /// The last revision of which changes were given up.
    given_up: Revision,
}

impl Keeper {
    /// When an interest may have ended.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.look_at
    }

    /// Whether somebody watches a key; at times although nobody does, once the effort is spent.
    pub(super) fn is_watched(&self, key: &Key, effort: &mut Effort) -> bool {
        let mut interests = self.interests.iter();
        interests.any(|(pattern, interest)| {
            effort.is_spent() || Search::with(pattern, interest.cost).finds(key, effort)
        })
    }

    /// Notes that `by` watches a pattern, from `head` on if that is news.
    pub(super) fn renew(
        &mut self,
        pattern: &Pattern,
        by: Option<&AgentId>,
        head: Revision,
        now: Duration,
    ) {
        self.forget_ended(now);
        let until = now + INTEREST;
        if let Some(interest) = self.interests.get_mut(pattern) {
            interest.until = until;
            return;
        }
        let of_peer = |interest: &&Interest| by.is_some() && interest.by.as_ref() == by;
        if self.interests.len() >= PATTERNS_MAX
            || self.interests.values().filter(of_peer).count() >= PATTERNS_PER_PEER
        {
            return;
        }
        self.look_at.get_or_insert(until);
        let interest = Interest {
            by: by.cloned(),
            since: head,
            until,
            cost: Cost::of(pattern),
        };
        self.interests.insert(pattern.clone(), interest);
    }

    /// Nothing is kept, nor matched, for a pattern that nobody asks for any more.
    pub(super) fn forget_ended(&mut self, now: Duration) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.interests.retain(|_, interest| interest.until > now);
        self.look_at = self.interests.values().map(|i| i.until).min();
        if self.interests.is_empty() {
            self.kept = VecDeque::new();
            self.kept_bytes = 0;
        }
    }

    /// Whether every change after `from` was kept for a pattern.
    pub(super) fn is_complete(&self, pattern: &Pattern, from: Revision) -> bool {
        let since = self.interests.get(pattern).map(|i| i.since);
        since.is_some_and(|since| from >= since.max(self.given_up))
    }

    /// Keeps a change.
    pub(super) fn keep(&mut self, change: &Change, revision: Revision, weight: usize) {
        let kept = Kept {
            key: change.state.key.clone(),
            change: codec::to_bytes(change),
            revision,
            weight,
        };
        self.kept_bytes += kept.bytes();
        self.kept.push_back(kept);
        while self.kept.len() > KEPT_MAX || self.kept_bytes > KEPT_BYTES_MAX {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.kept_bytes -= oldest.bytes();
            self.given_up = oldest.revision;
        }
    }

    /// A change of that key is not kept: those who watch it and do not wait for it learn its last one.
    pub(super) fn skip(&mut self, key: &Key, revision: Revision, effort: &mut Effort) {
        for (pattern, interest) in &mut self.interests {
            if effort.is_spent() || Search::with(pattern, interest.cost).finds(key, effort) {
                interest.since = revision;
            }
        }
    }

    /// The kept changes after `from` that match, at most a page, and up to where that is all; a revision
    /// is never cut.
    pub(super) fn page(
        &self,
        pattern: &Pattern,
        from: Revision,
        head: Revision,
    ) -> (Vec<Change>, Revision) {
        let start = self.kept.partition_point(|kept| kept.revision <= from);
        let start = start + usize::from(planted::is(Planted::WatchSkipsAChange));
        let (search, mut effort) = (Search::new(pattern), Effort::default());
        let mut page = Page::default();
        let mut seen = from;
        for kept in self.kept.iter().skip(start) {
            let is_full = page.is_full_before(kept.revision) || effort.is_spent();
            if is_full && seen < kept.revision {
                return (page.items, seen);
            }
            seen = kept.revision;
            if search.finds(&kept.key, &mut effort)
                // It was encoded here.
                && let Ok(change) = codec::from_bytes("a kept change", &kept.change)
            {
                page.push_change(change, kept.revision, kept.weight);
            }
        }
        (page.items, head)
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.key.as_str().len() + self.change.len()
    }
}

const _: () = assert!(
    VALUE_BYTES_PER_PAGE < KEPT_BYTES_MAX,
    "a page is kept whole"
);
