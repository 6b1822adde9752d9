//! Watching: questions that wait for changes. The watcher asks, so one that is slow holds up nothing here
//! but its own next answer. Changes of keys that somebody watches are kept for a while, so that each is
//! delivered; where that was not enough the answer says that it holds only the last change of each key.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use sync_core::{
    Answer, Change, ChangeKind, Cursor, Key, Now, Pattern, RequestError, Revision, SessionId,
    Since, Watched,
};

use super::delta::{Page, VALUE_BYTES_PER_PAGE, weight_of};
use super::{Hub, ReplyTo};
use crate::view::omit_value;

/// Changes that are kept for watchers, and their bytes: seconds of a busy swarm.
const KEPT_MAX: usize = 16_384;
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long after its last question a pattern is still watched: a connection may be lost and made anew.
const INTEREST: Duration = Duration::from_mins(2);

/// Patterns watched at a time. Each change is matched against all of them.
const PATTERNS_MAX: usize = 1_024;

/// Questions of one peer that may wait.
const WAITING_PER_PEER: usize = 64;

/// The longest a question waits.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// A pattern that somebody watches.
#[derive(Debug)]
struct Interest {
    /// Changes up to here were not kept for it.
    since: Revision,
    until: Duration,
}

#[derive(Debug)]
struct Kept {
    change: Change,
    revision: Revision,
    weight: usize,
}

/// A question that waits for a change.
#[derive(Debug)]
struct Waiting {
    to: ReplyTo,
    pattern: Pattern,
    /// Where the watcher is. Nothing that matches has changed since, or it would not wait.
    from: Revision,
    until: Duration,
}

/// Everything about watching.
#[derive(Debug, Default)]
pub(super) struct Watches {
    interests: BTreeMap<Pattern, Interest>,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    /// The last revision of which changes were given up.
    given_up: Revision,
    waiting: Vec<Waiting>,
}

impl Watches {
    /// When a question has waited long enough.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.waiting.iter().map(|w| w.until).min()
    }

    /// Nobody waits for what a lost connection has asked.
    pub(super) fn forget_session(&mut self, session: SessionId) {
        let of = |to: ReplyTo| matches!(to, ReplyTo::Remote(s, _) if s == session);
        self.waiting.retain(|waiting| !of(waiting.to));
    }

    /// The callers in this process that wait; nobody afterwards.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = ReplyTo> {
        std::mem::take(&mut self.waiting).into_iter().map(|w| w.to)
    }

    fn is_watched(&self, key: &Key) -> bool {
        self.interests.keys().any(|p| p.matches(key.as_str()))
    }

    /// Notes that a pattern is watched, from `head` on if that is news.
    fn renew(&mut self, pattern: &Pattern, head: Revision, now: Duration) {
        if let Some(interest) = self.interests.get_mut(pattern) {
            interest.until = now + INTEREST;
            return;
        }
        self.interests.retain(|_, interest| interest.until > now);
        if self.interests.is_empty() {
            self.kept.clear();
            self.kept_bytes = 0;
        }
        if self.interests.len() < PATTERNS_MAX {
            let interest = Interest {
                since: head,
                until: now + INTEREST,
            };
            self.interests.insert(pattern.clone(), interest);
        }
    }

    /// Whether every change after `from` was kept for a pattern.
    fn is_complete(&self, pattern: &Pattern, from: Revision) -> bool {
        let since = self.interests.get(pattern).map(|i| i.since);
        since.is_some_and(|since| from >= since.max(self.given_up))
    }

    fn keep(&mut self, kept: Kept) {
        self.kept_bytes += kept.weight;
        self.kept.push_back(kept);
        while self.kept.len() > KEPT_MAX || self.kept_bytes > KEPT_BYTES_MAX {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.kept_bytes -= oldest.weight;
            self.given_up = oldest.revision;
        }
    }

    /// The kept changes after `from` that match, at most a page; a revision is never cut.
    fn page(&self, pattern: &Pattern, from: Revision, head: Revision) -> (Vec<Change>, Revision) {
        let start = self.kept.partition_point(|kept| kept.revision <= from);
        let matching = self.kept.iter().skip(start);
        let matching = matching.filter(|kept| pattern.matches(kept.change.state.key.as_str()));
        let mut page = Page::default();
        for kept in matching {
            if page.is_full_before(kept.revision) {
                return page.finish();
            }
            push(&mut page, kept.change.clone(), kept.revision, kept.weight);
        }
        (page.items, head)
    }
}

impl Hub {
    /// Answers at once if there is anything after `from`, else when there is.
    pub(super) fn watch(
        &mut self,
        now: Now,
        to: ReplyTo,
        pattern: Pattern,
        from: Option<Since>,
        wait: Duration,
    ) {
        let head = self.revision;
        let from = match from.map_or(Ok(head), |since| self.position(since)) {
            Ok(from) => from,
            Err(error) => return self.reply(to, Err(error)),
        };
        self.watches.renew(&pattern, head, now.mono);
        if let Some(watched) = self.changes_after(&pattern, from) {
            return self.reply(to, Ok(Answer::Watched(watched)));
        }
        let same = |waiting: &&Waiting| matches!((waiting.to, to), (ReplyTo::Remote(a, _), ReplyTo::Remote(b, _)) if a == b);
        if self.watches.waiting.iter().filter(same).count() >= WAITING_PER_PEER {
            let reason = format!(
                "{WAITING_PER_PEER} watches wait on this connection already, the limit; end one, or use a wider pattern"
            );
            return self.reply(to, Err(RequestError::Invalid { reason }));
        }
        let until = now.mono + wait.min(WAIT_MAX);
        self.watches.waiting.push(Waiting {
            to,
            pattern,
            from,
            until,
        });
    }

    /// Keeps what a commit has changed for those who watch it, and answers those who wait for it.
    pub(super) fn tell_watchers(&mut self, changed: &BTreeSet<Key>, expired: &BTreeSet<Key>) {
        let revision = self.revision;
        for key in changed {
            if self.watches.is_watched(key)
                && let Some((change, weight)) = self.change(key, expired.contains(key))
            {
                self.watches.keep(Kept {
                    change,
                    revision,
                    weight,
                });
            }
        }
        let concerns = |w: &mut Waiting| changed.iter().any(|k| w.pattern.matches(k.as_str()));
        let due: Vec<Waiting> = self.watches.waiting.extract_if(.., concerns).collect();
        for waiting in due {
            self.end_wait(&waiting);
        }
    }

    /// Questions that have waited long enough learn how far they may go on from.
    pub(super) fn expire_watches(&mut self, now: Now) {
        let late = |w: &mut Waiting| w.until <= now.mono;
        let late: Vec<Waiting> = self.watches.waiting.extract_if(.., late).collect();
        for waiting in late {
            let head = self.revision;
            self.watches.renew(&waiting.pattern, head, now.mono);
            self.end_wait(&waiting);
        }
    }

    fn end_wait(&mut self, waiting: &Waiting) {
        let watched = self.changes_after(&waiting.pattern, waiting.from);
        let nothing = || Watched {
            changes: Vec::new(),
            compacted: false,
            to: self.cursor_at(self.revision),
        };
        let watched = watched.unwrap_or_else(nothing);
        self.reply(waiting.to, Ok(Answer::Watched(watched)));
    }

    /// What a watcher at `from` has missed; none if nothing.
    fn changes_after(&self, pattern: &Pattern, from: Revision) -> Option<Watched> {
        let complete = self.watches.is_complete(pattern, from);
        let (changes, to) = if complete {
            self.watches.page(pattern, from, self.revision)
        } else {
            self.last_changes(pattern, from)
        };
        (!changes.is_empty()).then(|| Watched {
            changes,
            compacted: !complete,
            to: self.cursor_at(to),
        })
    }

    /// The last change of every key that matches and has changed. O(changes).
    fn last_changes(&self, pattern: &Pattern, from: Revision) -> (Vec<Change>, Revision) {
        let mut page = Page::default();
        for (revision, key) in self.changed_after(from, None) {
            if !pattern.matches(key.as_str()) {
                continue;
            }
            if page.is_full_before(revision) {
                return page.finish();
            }
            if let Some((change, weight)) = self.change(key, false) {
                push(&mut page, change, revision, weight);
            }
        }
        (page.items, self.revision)
    }

    /// A key as the last commit left it, and about how many bytes its value takes.
    fn change(&self, key: &Key, expired: bool) -> Option<(Change, usize)> {
        let held = self.space.get(key)?;
        let state = self.read(key, held);
        let kind = match (&state.value, expired) {
            (Some(_), _) => ChangeKind::Changed,
            (None, true) => ChangeKind::Expired,
            (None, false) => ChangeKind::Deleted,
        };
        Some((Change { kind, state }, weight_of(held)))
    }

    /// A position of this run.
    pub(super) fn cursor_at(&self, revision: Revision) -> Cursor {
        Cursor {
            epoch: self.epoch(),
            revision,
            head: self.revision,
        }
    }
}

/// Adds a change, without its value if that does not fit.
fn push(page: &mut Page<Change>, mut change: Change, revision: Revision, weight: usize) {
    let taken = page.room_for(weight);
    if taken < weight {
        omit_value(&mut change.state, weight);
    }
    page.push(change, revision, taken);
}

const _: () = assert!(
    VALUE_BYTES_PER_PAGE < KEPT_BYTES_MAX,
    "a page is kept whole"
);
