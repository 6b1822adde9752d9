//! Listings of keys: a page ends where enough was found or looked at, and tells of no key that its asker
//! may not read.

use sync_core::codec::List;
use sync_core::{Answer, Key, Pattern};

use super::search::{Effort, Search};
use super::{Hub, ReplyTo};

/// Keys in one answer to a listing: at 1 KiB each they fit a frame.
pub(super) const KEYS_PER_PAGE: usize = 512;

/// A listing whose last page ended at a key that its asker may not know of. Each connection has one: the
/// last.
#[derive(Debug)]
pub(super) struct Hidden {
    pattern: Pattern,
    /// After which key its asker was told to go on: between that and where the page ended nothing was
    /// found.
    told: Key,
    ended: Key,
}

/// What no key that people use comes before.
fn first_of_all() -> Key {
    Key::new("\0").expect("one character is a key")
}

impl Hub {
    /// A page of the keys that match. Where it ends is a key, too, and need not be one that its asker may
    /// know of: then it is told another, and the hub remembers where to go on.
    pub(super) fn list_keys(
        &mut self,
        to: ReplyTo,
        pattern: &Pattern,
        after: Option<&Key>,
    ) -> Answer {
        let hidden = self.peer(to).and_then(|peer| peer.listed.as_ref());
        let hidden = hidden.filter(|h| h.pattern == *pattern && Some(&h.told) == after);
        let (keys, ended) = self.keys_matching(pattern, hidden.map(|h| &h.ended).or(after));
        let next = match ended {
            Some(ended) if !self.may_know(to, &ended) => {
                let told = keys.last().or(after).cloned().unwrap_or_else(first_of_all);
                self.hide(to, pattern, told.clone(), ended);
                Some(told)
            }
            shown => shown,
        };
        Answer::Keys {
            keys: List(keys),
            next,
        }
    }

    fn hide(&mut self, to: ReplyTo, pattern: &Pattern, told: Key, ended: Key) {
        let session = to.session().and_then(|id| self.sessions.get_mut(&id));
        if let Some(session) = session {
            let pattern = pattern.clone();
            session.listed = Some(Hidden {
                pattern,
                told,
                ended,
            });
        }
    }

    /// The keys of one page, and the last one that was looked at if there may be more.
    fn keys_matching(&self, pattern: &Pattern, after: Option<&Key>) -> (Vec<Key>, Option<Key>) {
        let search = Search::new(pattern);
        let mut effort = Effort::default();
        let mut keys = Vec::new();
        for (key, state) in self.space.iter_beginning(pattern.beginning(), after) {
            // One that holds no value costs its way, too.
            if !state.entry().is_live() {
                effort.spend(0);
            } else if search.finds(key, &mut effort) {
                keys.push(key.clone());
            }
            if keys.len() >= KEYS_PER_PAGE || effort.is_spent() {
                return (keys, Some(key.clone()));
            }
        }
        (keys, None)
    }
}
