//! Callers that wait for something, each until a deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::Now;

use super::RequestId;

/// How long somebody waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    /// Until then, in the time of [`Now::mono`].
    pub(super) at: Duration,
    /// As it was asked for.
    pub(super) limit: Duration,
}

impl Deadline {
    /// A time that no clock will see is the last that there is.
    pub(super) fn after(now: Now, limit: Duration) -> Self {
        let at = now.mono.saturating_add(limit);
        Self { at, limit }
    }
}

/// Who waits for what.
#[derive(Debug)]
pub(super) struct Waits<T> {
    by_request: BTreeMap<RequestId, (T, Deadline)>,
    /// Beside it, so that looking for who has waited long enough costs nothing for the others.
    by_time: BTreeSet<(Duration, RequestId)>,
}

impl<T> Default for Waits<T> {
    fn default() -> Self {
        Self {
            by_request: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<T> Waits<T> {
    pub(super) fn insert(&mut self, request: RequestId, what: T, deadline: Deadline) {
        self.remove(request);
        self.by_time.insert((deadline.at, request));
        self.by_request.insert(request, (what, deadline));
    }

    pub(super) fn remove(&mut self, request: RequestId) -> Option<T> {
        let (what, deadline) = self.by_request.remove(&request)?;
        self.by_time.remove(&(deadline.at, request));
        Some(what)
    }

    pub(super) fn get(&self, request: RequestId) -> Option<&T> {
        self.by_request.get(&request).map(|(what, _)| what)
    }

    pub(super) fn get_mut(&mut self, request: RequestId) -> Option<&mut T> {
        self.by_request.get_mut(&request).map(|(what, _)| what)
    }

    /// How much of its time somebody has left.
    pub(super) fn left(&self, request: RequestId, now: Now) -> Duration {
        let held = self.by_request.get(&request);
        held.map_or(Duration::ZERO, |(_, d)| d.at.saturating_sub(now.mono))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (RequestId, &T)> {
        self.by_request
            .iter()
            .map(|(request, (what, _))| (*request, what))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_request.is_empty()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (RequestId, &mut T)> {
        self.by_request
            .iter_mut()
            .map(|(request, (what, _))| (*request, what))
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.by_request.values_mut().map(|(what, _)| what)
    }

    /// When the first of them has waited long enough.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Everyone who waits; nobody afterwards.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = RequestId> {
        std::mem::take(self).by_request.into_keys()
    }

    /// Whoever waits for what `is_there` holds of; they wait no longer.
    pub(super) fn take(&mut self, is_there: impl Fn(&T) -> bool) -> Vec<RequestId> {
        let there = self.iter().filter(|(_, what)| is_there(what));
        let there: Vec<RequestId> = there.map(|(request, _)| request).collect();
        for request in &there {
            self.remove(*request);
        }
        there
    }

    /// Somebody who has waited as long as they wanted, for so long.
    pub(super) fn take_late(&mut self, now: Now) -> Option<(RequestId, T, Duration)> {
        let (_, request) = self.by_time.first().filter(|(at, _)| *at <= now.mono)?;
        let request = *request;
        let limit = self.by_request.get(&request)?.1.limit;
        Some((request, self.remove(request)?, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now {
            wall_ms: 0,
            mono: Duration::from_millis(millis),
        }
    }

    #[test]
    fn who_has_waited_longest_is_told_first_and_once() {
        let mut waits = Waits::default();
        for (request, limit) in [(1, 30), (2, 10), (3, 10), (2, 20)] {
            let limit = Duration::from_millis(limit);
            waits.insert(request, request * 100, Deadline::after(at(0), limit));
        }
        assert_eq!(waits.deadline(), Some(at(10).mono));
        assert_eq!(waits.left(1, at(10)), at(20).mono);
        assert!(waits.take_late(at(9)).is_none());
        assert_eq!(waits.take_late(at(25)), Some((3, 300, at(10).mono)));
        assert_eq!(waits.take_late(at(25)), Some((2, 200, at(20).mono)));
        assert!(waits.take_late(at(25)).is_none());
        assert_eq!(waits.take(|what| *what == 100), [1]);
        assert_eq!(waits.deadline(), None);
    }
}
