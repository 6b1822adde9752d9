//! Watching: questions that wait for changes. The watcher asks, so one that is slow holds up nothing here
//! but its own next answer. Changes of keys that somebody watches are kept for a while, so that each is
//! delivered; where that was not enough the answer says that it holds only the last change of each key.

mod kept;
mod waiting;

use std::collections::BTreeSet;
use std::time::Duration;

use sync_core::{
    AgentId, Answer, Change, ChangeKind, Cursor, Key, Now, Pattern, Revision, SessionId, Since,
    Watched,
};

use self::kept::Keeper;
use self::waiting::{Questions, Waiting};
use super::delta::{Page, item_bytes};
use super::search::{Effort, Search, check_pattern};
use super::{Hub, ReplyTo};
use crate::keyspace::KeyState;
use crate::view::omit_value;

/// Writes and bytes of a value that is kept for those who watch it. A larger one is read for those who
/// wait for it, and not at each of its changes for somebody who may have gone.
const KEPT_WRITES_MAX: usize = 256;
const KEPT_VALUE_BYTES_MAX: usize = 64 * 1024;

/// The longest a question waits.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Everything about watching.
#[derive(Debug, Default)]
pub(super) struct Watches {
    keeper: Keeper,
    questions: Questions,
}

impl Watches {
    /// When a question has waited long enough, or nobody asks for a pattern any more, at the latest.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let wakes = [self.questions.deadline(), self.keeper.deadline()];
        wakes.into_iter().flatten().min()
    }

    /// Whether no question waits.
    pub(super) fn is_idle(&self) -> bool {
        self.questions.is_empty()
    }

    /// Nobody waits for what a lost connection has asked.
    pub(super) fn forget_session(&mut self, session: SessionId) {
        self.questions.forget_session(session);
    }

    /// The callers in this process that wait; nobody afterwards.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = ReplyTo> {
        std::mem::take(&mut self.questions).drain()
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
            && let Some(oldest) = self.watches.questions.one_too_many(session)
        {
            self.end_wait(oldest.to);
        }
        let until = now.mono + wait.min(WAIT_MAX);
        let question = Waiting::new(to, pattern, until);
        self.watches.questions.push(question);
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

    /// Keeps what a commit has changed since `before` for those who watch it, and answers those who wait
    /// for it.
    pub(super) fn tell_watchers(&mut self, now: Now, before: Revision, changed: &BTreeSet<Key>) {
        self.watches.keeper.forget_ended(now.mono);
        let mut effort = Effort::default();
        for key in changed {
            if self.watches.keeper.is_watched(key, &mut effort) {
                self.keep_change(key, &mut effort);
            }
        }
        // What is woken for nothing, once the effort is spent, asks again.
        let concerns = |w: &Waiting| {
            let search = w.search();
            let mut keys = changed.iter();
            keys.any(|key| effort.is_spent() || search.finds(key, &mut effort))
        };
        let due = self.watches.questions.take(concerns);
        let mut effort = Effort::default();
        for waiting in due {
            let news = self.news(waiting.search(), changed, &mut effort);
            let watched = news.unwrap_or_else(|| self.nothing_at(before));
            self.reply(waiting.to, Ok(Answer::Watched(watched)));
        }
    }

    fn keep_change(&mut self, key: &Key, effort: &mut Effort) {
        let revision = self.revision;
        if self.space.get(key).is_some_and(is_large) {
            self.watches.keeper.skip(key, revision, effort);
        } else if let Some((change, weight)) = self.change(key) {
            self.watches.keeper.keep(&change, revision, weight);
        }
    }

    /// What the last commit has changed, for one who has waited for it; none if looking for it would
    /// take too much.
    fn news(
        &self,
        search: Search<'_>,
        changed: &BTreeSet<Key>,
        effort: &mut Effort,
    ) -> Option<Watched> {
        let mut page = Page::default();
        for key in changed {
            if effort.is_spent() {
                return None;
            }
            if search.finds(key, effort)
                && let Some((change, weight)) = self.change(key)
            {
                effort.spend(weight);
                page.push_change(change, self.revision, weight);
            }
        }
        Some(Watched {
            changes: page.items,
            compacted: false,
            to: self.cursor_at(self.revision),
        })
    }

    fn nothing_at(&self, revision: Revision) -> Watched {
        Watched {
            changes: Vec::new(),
            compacted: false,
            to: self.cursor_at(revision),
        }
    }

    /// Questions that have waited long enough learn how far they may go on from, and what nobody asks
    /// for any more is no longer watched.
    pub(super) fn expire_watches(&mut self, now: Now) {
        for waiting in self.watches.questions.late(now.mono) {
            self.renew_interest(&waiting.pattern, waiting.to, now);
            self.end_wait(waiting.to);
        }
        self.watches.keeper.forget_ended(now.mono);
    }

    /// A question that still waits has seen all there is, so nothing is looked for.
    fn end_wait(&mut self, to: ReplyTo) {
        let watched = self.nothing_at(self.revision);
        self.reply(to, Ok(Answer::Watched(watched)));
    }

    /// What a watcher at `from` has missed; none if nothing. It may have to ask further before it knows.
    fn changes_after(&self, pattern: &Pattern, from: Revision) -> Option<Watched> {
        let complete = self.watches.keeper.is_complete(pattern, from);
        let (changes, to) = if complete {
            let keeper = &self.watches.keeper;
            keeper.page(pattern, from, self.revision)
        } else {
            self.last_changes(pattern, from)
        };
        (!changes.is_empty() || to < self.revision).then(|| Watched {
            changes,
            compacted: !complete,
            to: self.cursor_at(to),
        })
    }

    /// The last change of every key that matches and has changed, at most a page, and up to where that
    /// is all. O(changes).
    fn last_changes(&self, pattern: &Pattern, from: Revision) -> (Vec<Change>, Revision) {
        let (search, mut effort) = (Search::new(pattern), Effort::default());
        let mut page = Page::default();
        let mut seen = from;
        for (revision, key) in self.changed_after(from, None) {
            let is_full = page.is_full_before(revision) || effort.is_spent();
            if is_full && seen < revision {
                return (page.items, seen);
            }
            seen = revision;
            if search.finds(key, &mut effort)
                && let Some((change, weight)) = self.change(key)
            {
                effort.spend(weight);
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
        Some((Change { kind, state }, held.weight()))
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

/// Whether reading a key takes more than a commit of it usually does.
fn is_large(state: &KeyState) -> bool {
    state.entry().live_count() > KEPT_WRITES_MAX || state.weight() > KEPT_VALUE_BYTES_MAX
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
