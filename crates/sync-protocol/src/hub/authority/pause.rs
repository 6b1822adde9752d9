//! How long a hub grants no claims, as it may have granted what it has lost with its disk.
//!
//! It remembers the longest lease that was granted, renewed or heard of, until it has been free to grant
//! for as long as that lasts without any so long. It grants nothing before it has run for as long as what
//! it remembers of runs before, be that from its disk or from an agent that brings a claim of a lost one.

use std::time::Duration;

use sync_core::{Entry, Key, Now, RowOp};

use super::super::commit::Commit;
use super::Hub;
use crate::keyspace::KeyState;
use crate::millis::millis;
use crate::rows;

/// The longest lease, and until when it stands in the way of others.
#[derive(Debug, Default)]
pub(in crate::hub) struct Pause {
    /// As stored.
    longest_ms: u64,
    /// The longest of those that have begun since it did.
    next_ms: u64,
    /// When that takes its place, in the time of [`Now::mono`].
    falls: Option<Duration>,
    /// The first time that this run knows. Whoever granted what comes from elsewhere was gone by then: a
    /// swarm has one hub at a time.
    began: Option<Duration>,
    /// No claim is granted before, in the time of [`Now::mono`].
    until: Option<Duration>,
}

impl Pause {
    pub(super) fn restore(&mut self, longest_ms: u64) {
        self.longest_ms = longest_ms;
    }

    /// The first time that this run knows; later ones change nothing.
    pub(super) fn begin(&mut self, now: Now) {
        if self.began.is_none() {
            self.began = Some(now.mono);
            self.lost(now, self.longest_ms);
        }
    }

    /// When something is due, in the time of [`Now::mono`].
    pub(super) fn wake(&self) -> Option<Duration> {
        [self.until, self.falls].into_iter().flatten().min()
    }

    /// How much longer nothing is granted.
    pub(super) fn remaining(&self, now: Now) -> Option<Duration> {
        let until = self.until.filter(|until| *until > now.mono)?;
        Some(until.saturating_sub(now.mono))
    }

    /// A run before may have granted a lease that long. Returns whether it is longer than all before.
    fn lost(&mut self, now: Now, lease_ms: u64) -> bool {
        let began = self.began.unwrap_or(now.mono);
        let until = began + Duration::from_millis(lease_ms);
        if until > now.mono {
            self.until = self.until.max(Some(until));
        }
        self.lasts(now, lease_ms)
    }

    /// A lease begins. Returns whether it is longer than all before.
    fn lasts(&mut self, now: Now, lease_ms: u64) -> bool {
        if lease_ms < self.longest_ms {
            self.next_ms = self.next_ms.max(lease_ms);
            return false;
        }
        let is_longer = lease_ms > self.longest_ms;
        self.longest_ms = lease_ms;
        self.next_ms = 0;
        self.stay(now);
        is_longer
    }

    /// What is remembered stays for as long as it lasts, of which a pause is no part: else it would be
    /// forgotten before the first lease of a run.
    fn stay(&mut self, now: Now) {
        let from = self.until.unwrap_or_default().max(now.mono);
        let length = Duration::from_millis(self.longest_ms);
        self.falls = (!length.is_zero()).then(|| from + length);
    }

    /// Ends what is over. Returns whether something else is remembered now.
    fn end(&mut self, now: Now) -> bool {
        self.until = self.until.filter(|until| *until > now.mono);
        if self.falls.is_none_or(|falls| falls > now.mono) {
            return false;
        }
        self.longest_ms = std::mem::take(&mut self.next_ms);
        self.stay(now);
        true
    }
}

impl Hub {
    /// A lease has begun; the row that changes with it.
    pub(super) fn note_lease(&mut self, now: Now, lease_ms: u64) -> Option<RowOp> {
        let is_longer = self.claims.pause.lasts(now, lease_ms);
        is_longer.then(|| self.longest_row())
    }

    /// Somebody brings state: claims in it that are new here were granted by a run that this one does
    /// not know all of.
    pub(in crate::hub) fn heed_leases(
        &mut self,
        commit: &mut Commit,
        now: Now,
        key: &Key,
        brought: &Entry,
    ) {
        let held = self.space.get(key).map(KeyState::entry);
        let is_new = |id| held.is_none_or(|held| !held.context().contains(id));
        let fresh = brought.writes().filter(|(id, _)| is_new(id));
        let claims = fresh.filter_map(|(_, write)| write.payload.as_claim());
        let Some(longest) = claims.map(|claim| claim.lease_ms).max() else {
            return;
        };
        self.begin_claims(now);
        // What no hub grants is not waited for: nobody is believed without bound.
        let lease_max = millis(self.config.limits.lease_max);
        commit.with_rows(self.wait_for_lost(now, longest.min(lease_max)));
    }

    /// A run before may have granted a lease that long; the row that changes with it.
    pub(super) fn wait_for_lost(&mut self, now: Now, lease_ms: u64) -> Option<RowOp> {
        let is_longer = self.claims.pause.lost(now, lease_ms);
        is_longer.then(|| self.longest_row())
    }

    pub(super) fn end_pause(&mut self, now: Now) {
        if self.claims.pause.end(now) {
            self.persist(vec![self.longest_row()]);
        }
    }

    fn longest_row(&self) -> RowOp {
        rows::put_longest_lease(self.claims.pause.longest_ms)
    }
}
