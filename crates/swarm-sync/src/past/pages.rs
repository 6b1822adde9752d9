//! A diff that is put together page by page.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sync_core::{Ask, DiffNext, DiffPage, Key, KeyDiff, Revision, Since};

use super::question;

/// What was asked for so far, and what to ask for next.
#[derive(Debug)]
pub(super) struct Pages {
    /// How many more may be asked for.
    left: usize,
    /// None once everything was told.
    next: Option<(Since, Option<Since>, Option<Key>)>,
    /// The first page's, and how far the last one goes.
    span: Option<(Revision, Revision)>,
    kept_after: Option<Revision>,
    changes: BTreeMap<Key, KeyDiff>,
    /// As the last page says it.
    rest: Option<DiffNext>,
}

impl Pages {
    /// At most `pages`, and one at least.
    pub(super) fn new(from: Since, to: Option<Since>, after: Option<Key>, pages: usize) -> Self {
        Self {
            left: pages.max(1),
            next: Some((from, to, after)),
            span: None,
            kept_after: None,
            changes: BTreeMap::new(),
            rest: None,
        }
    }

    /// The question for the next page, if there is to be one.
    pub(super) fn ask(&mut self) -> Option<Ask> {
        self.left = self.left.checked_sub(1)?;
        let (from, to, after) = self.next.take()?;
        Some(question::diff(from, to, after))
    }

    pub(super) fn take(&mut self, page: DiffPage) {
        let begun = self.span.map_or(page.from, |(from, _)| from);
        self.span = Some((begun, page.to));
        self.kept_after = self.kept_after.or(page.kept_after);
        for change in page.changes.0 {
            join(&mut self.changes, change);
        }
        self.next = page.next.clone().map(|next| {
            let (from, to) = (Since::Revision(next.from), Since::Revision(next.to));
            (from, Some(to), next.after)
        });
        self.rest = page.next;
    }

    /// All pages as one.
    pub(super) fn whole(self) -> DiffPage {
        let (from, to) = self.span.unwrap_or_default();
        DiffPage {
            from,
            to,
            changes: self.changes.into_values().collect::<Vec<_>>().into(),
            next: self.rest,
            kept_after: self.kept_after,
        }
    }
}

/// A key that changed in an earlier page, too, was what it was there.
fn join(changes: &mut BTreeMap<Key, KeyDiff>, later: KeyDiff) {
    match changes.entry(later.key.clone()) {
        Entry::Vacant(free) => {
            free.insert(later);
        }
        Entry::Occupied(mut held) => {
            let earlier = held.get_mut();
            *earlier = KeyDiff {
                before: earlier.before,
                was: earlier.was.take(),
                commits: earlier.commits.saturating_add(later.commits),
                ..later
            };
        }
    }
}
