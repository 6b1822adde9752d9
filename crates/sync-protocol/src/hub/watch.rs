//! Watching: questions that wait for changes. The watcher asks, so one that is slow holds up nothing here
//! but its own next answer. Changes of keys that somebody watches are kept for a while, so that each is
//! delivered; where that was not enough the answer says that it holds only the last change of each key.

mod kept;

use std::collections::BTreeSet;
use std::time::Duration;

use sync_core::{
    AgentId, Answer, Change, ChangeKind, Cursor, Key, Now, Pattern, Revision, SessionId, Since,
    Watched,
};

use self::kept::{Keeper, Kept};
use super::ask::check_pattern;
use super::delta::{Page, item_bytes, weight_of};
use super::{Hub, ReplyTo};
use crate::view::omit_value;

/// Questions of one connection that may wait. One more ends the oldest, which may go on where it was:
/// nobody takes a question back, so many that wait are of watches that have long ended.
const WAITING_PER_PEER: usize = 64;

/// The longest a question waits.
const WAIT_MAX: Duration = Duration::from_mins(1);

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
    keeper: Keeper,
    waiting: Vec<Waiting>,
}

impl Watches {
    /// When a question has waited long enough, or nobody asks for a pattern any more.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let waiting = self.waiting.iter().map(|w| w.until);
        waiting.chain(self.keeper.deadline()).min()
    }

    /// Whether no question waits.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Nobody waits for what a lost connection has asked.
    pub(super) fn forget_session(&mut self, session: SessionId) {
        let of = |to: ReplyTo| matches!(to, ReplyTo::Remote(s, _) if s == session);
        self.waiting.retain(|waiting| !of(waiting.to));
    }

    /// The oldest question of a connection that has as many as may wait.
    fn one_too_many(&mut self, session: SessionId) -> Option<Waiting> {
        let of = |w: &Waiting| matches!(w.to, ReplyTo::Remote(s, _) if s == session);
        let waiting = self.waiting.iter().filter(|w| of(w));
        let is_full = waiting.count() >= WAITING_PER_PEER;
        let oldest = self.waiting.iter().position(of).filter(|_| is_full)?;
        Some(self.waiting.remove(oldest))
    }

    /// The callers in this process that wait; nobody afterwards.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = ReplyTo> {
        std::mem::take(&mut self.waiting).into_iter().map(|w| w.to)
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
        if let Err(error) = check_pattern(&pattern) {
            return self.reply(to, Err(error));
        }
        let head = self.revision;
        let from = match from.map_or(Ok(head), |since| self.position(since)) {
            Ok(from) => from,
            Err(error) => return self.reply(to, Err(error)),
        };
        self.renew_interest(&pattern, to, now);
        if let Some(watched) = self.changes_after(&pattern, from) {
            return self.reply(to, Ok(Answer::Watched(watched)));
        }
        if let ReplyTo::Remote(session, _) = to
            && let Some(oldest) = self.watches.one_too_many(session)
        {
            self.end_wait(&oldest);
        }
        let until = now.mono + wait.min(WAIT_MAX);
        self.watches.waiting.push(Waiting {
            to,
            pattern,
            from,
            until,
        });
    }

    /// A question shows that its pattern is watched.
    fn renew_interest(&mut self, pattern: &Pattern, to: ReplyTo, now: Now) {
        let session = match to {
            ReplyTo::Remote(session, _) => self.sessions.get(&session),
            ReplyTo::Local(_) => None,
        };
        let by: Option<&AgentId> = session.map(|s| &s.agent);
        let keeper = &mut self.watches.keeper;
        keeper.renew(pattern, by, self.revision, now.mono);
    }

    /// Keeps what a commit has changed for those who watch it, and answers those who wait for it.
    pub(super) fn tell_watchers(&mut self, now: Now, changed: &BTreeSet<Key>) {
        self.watches.keeper.forget_ended(now.mono);
        let revision = self.revision;
        for key in changed {
            if self.watches.keeper.is_watched(key)
                && let Some((change, weight)) = self.change(key)
            {
                self.watches.keeper.keep(Kept {
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

    /// Questions that have waited long enough learn how far they may go on from, and what nobody asks
    /// for any more is no longer watched.
    pub(super) fn expire_watches(&mut self, now: Now) {
        let late = |w: &mut Waiting| w.until <= now.mono;
        let late: Vec<Waiting> = self.watches.waiting.extract_if(.., late).collect();
        for waiting in late {
            self.renew_interest(&waiting.pattern, waiting.to, now);
            self.end_wait(&waiting);
        }
        self.watches.keeper.forget_ended(now.mono);
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
        let complete = self.watches.keeper.is_complete(pattern, from);
        let (changes, to) = if complete {
            let keeper = &self.watches.keeper;
            keeper.page(pattern, from, self.revision)
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
            if let Some((change, weight)) = self.change(key) {
                page.push_change(change, revision, weight);
            }
        }
        (page.items, self.revision)
    }

    /// A key as the last commit left it, and about how many bytes its value takes.
    fn change(&self, key: &Key) -> Option<(Change, usize)> {
        let held = self.space.get(key)?;
        let state = self.read(key, held);
        let kind = match (&state.value, state.metadata.expired) {
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

impl Page<Change> {
    /// Adds a change, without its value if that does not fit.
    fn push_change(&mut self, mut change: Change, revision: Revision, weight: usize) {
        let taken = self.room_for(weight);
        if taken < weight {
            omit_value(&mut change.state, weight);
        }
        let bytes = item_bytes(&change.state.key) + taken;
        self.push(change, revision, bytes);
    }
}
