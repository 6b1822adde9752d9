//! What is held, and what is being asked for: the decisions of a cache. Time is an argument; `moka` only
//! bounds how much there is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use sync_core::{Key, Now, RequestError, StateVersion};
use tokio::sync::watch;

use super::weight::weight;
use super::{CacheOptions, CacheStats, CachedState};

/// Longer than any lifetime that makes a difference; `moka` panics at a thousand years.
const TTL_MAX: Duration = Duration::from_hours(24 * 365);

/// What the hub answered about a key.
#[derive(Debug, Clone)]
pub(super) struct Fetched {
    pub(super) state: Option<Arc<StateVersion>>,
    /// When it was asked: what it says was true at some moment since.
    pub(super) asked: Now,
}

pub(super) type Outcome = Result<Fetched, RequestError>;

/// An answer that is held.
#[derive(Debug, Clone)]
struct Entry {
    fetched: Fetched,
    /// Of an earlier generation than the current one it is not shown.
    generation: u64,
}

/// What a read that has missed does.
#[derive(Debug)]
pub(super) enum Seat {
    /// It did not miss after all: somebody's answer has landed.
    Found(CachedState),
    /// It asks, for all who want that key meanwhile.
    Ask(Turn),
    /// It waits for the answer to who asks. None comes if that one gives up.
    Wait(watch::Receiver<Option<Outcome>>),
}

/// A question under way.
#[derive(Debug)]
struct Flight {
    number: u64,
    landing: watch::Receiver<Option<Outcome>>,
}

/// The questions under way. One that is not among them any more, because its key has changed since it
/// was asked, may tell its answer to who waits for it, but leaves nothing behind; and nobody joins it.
#[derive(Debug, Default)]
struct Flights {
    by_key: BTreeMap<Key, Flight>,
    last: u64,
}

impl Flights {
    /// Ends a question; true if its key has not changed since it was asked.
    fn end(&mut self, key: &Key, number: u64) -> bool {
        let stands = self.by_key.get(key).is_some_and(|f| f.number == number);
        if stands {
            self.by_key.remove(key);
        }
        stands
    }
}

#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    asked: AtomicU64,
    invalidations: AtomicU64,
}

/// Everything held.
#[derive(Debug)]
pub(super) struct Held {
    ttl: Duration,
    entries: Cache<Key, Entry>,
    /// Locked by whoever adds or ends an entry, so that what was asked before a change cannot be added
    /// after it. Reads need no lock.
    flights: Mutex<Flights>,
    generation: AtomicU64,
    counters: Counters,
    watching: AtomicBool,
}

impl Held {
    pub(super) fn new(options: &CacheOptions) -> Self {
        let entries = Cache::builder()
            .max_capacity(options.bytes_max)
            .weigher(|key: &Key, entry: &Entry| weight(key, entry.fetched.state.as_deref()))
            // Only so that what is too old to be shown takes no room: by another clock, and later.
            .time_to_live(options.ttl.min(TTL_MAX))
            .build();
        Self {
            ttl: options.ttl,
            entries,
            flights: Mutex::default(),
            generation: AtomicU64::new(0),
            counters: Counters::default(),
            watching: AtomicBool::new(false),
        }
    }

    pub(super) fn ttl(&self) -> Duration {
        self.ttl
    }

    /// What is held of a key. Counts as a read.
    pub(super) fn look(&self, key: &Key, now: Now) -> Option<CachedState> {
        let found = self.find(key, now);
        let counter = match found {
            Some(_) => &self.counters.hits,
            None => &self.counters.misses,
        };
        count(counter, 1);
        found
    }

    /// The place of a read that has missed.
    pub(super) fn join(this: &Arc<Self>, key: &Key, now: Now) -> Seat {
        let mut flights = lock(&this.flights);
        if let Some(found) = this.find(key, now) {
            return Seat::Found(CachedState {
                from_cache: false,
                ..found
            });
        }
        if let Some(flight) = flights.by_key.get(key) {
            return Seat::Wait(flight.landing.clone());
        }
        flights.last += 1;
        let number = flights.last;
        let (tell, landing) = watch::channel(None);
        flights
            .by_key
            .insert(key.clone(), Flight { number, landing });
        Seat::Ask(Turn {
            held: Arc::clone(this),
            key: key.clone(),
            number,
            tell,
        })
    }

    /// An answer as a read shows it; none if it is too old for that.
    pub(super) fn read(&self, fetched: &Fetched, now: Now) -> Option<CachedState> {
        let age = age(fetched.asked, now);
        (age < self.ttl).then(|| CachedState {
            state: fetched.state.clone(),
            age,
            from_cache: false,
        })
    }

    pub(super) fn note_asked(&self) {
        count(&self.counters.asked, 1);
    }

    /// The key has changed: what is held of it ends, and what is being asked is not to be held.
    pub(super) fn forget(&self, key: &Key) {
        let mut flights = lock(&self.flights);
        flights.by_key.remove(key);
        if self.entries.remove(key).is_some() {
            count(&self.counters.invalidations, 1);
        }
    }

    /// Anything may have changed.
    pub(super) fn forget_all(&self) {
        let mut flights = lock(&self.flights);
        flights.by_key.clear();
        self.entries.run_pending_tasks();
        count(&self.counters.invalidations, self.entries.entry_count());
        // `invalidate_all` alone spares what was added within the same tick of its clock.
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate_all();
        self.entries.run_pending_tasks();
    }

    pub(super) fn set_watching(&self, watching: bool) {
        self.watching.store(watching, Ordering::Release);
    }

    pub(super) fn stats(&self) -> CacheStats {
        self.entries.run_pending_tasks();
        let counters = &self.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats {
            hits: read(&counters.hits),
            misses: read(&counters.misses),
            asked: read(&counters.asked),
            invalidations: read(&counters.invalidations),
            entries: self.entries.entry_count(),
            bytes: self.entries.weighted_size(),
            watching: self.watching.load(Ordering::Acquire),
        }
    }

    fn find(&self, key: &Key, now: Now) -> Option<CachedState> {
        let entry = self.entries.get(key)?;
        if entry.generation != self.generation.load(Ordering::Acquire) {
            return None;
        }
        let found = self.read(&entry.fetched, now)?;
        Some(CachedState {
            from_cache: true,
            ..found
        })
    }

    fn add(&self, key: &Key, fetched: Fetched) {
        let generation = self.generation.load(Ordering::Acquire);
        let entry = Entry {
            fetched,
            generation,
        };
        self.entries.insert(key.clone(), entry);
        // Left to itself `moka` would go over its bound by up to 64 entries before it looks.
        self.entries.run_pending_tasks();
    }
}

/// The right, and duty, to ask about a key. Dropped, it lets the next one ask.
#[derive(Debug)]
pub(super) struct Turn {
    held: Arc<Held>,
    key: Key,
    number: u64,
    tell: watch::Sender<Option<Outcome>>,
}

impl Turn {
    /// Holds an answer, unless its key has changed meanwhile, and tells everybody who waits for it.
    pub(super) fn land(self, outcome: Outcome) {
        let mut flights = lock(&self.held.flights);
        let stands = flights.end(&self.key, self.number);
        if stands && let Ok(fetched) = &outcome {
            self.held.add(&self.key, fetched.clone());
        }
        drop(flights);
        self.tell.send_replace(Some(outcome));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.held.flights).end(&self.key, self.number);
    }
}

/// How long ago, by whichever of the two clocks says more.
fn age(asked: Now, now: Now) -> Duration {
    let wall = Duration::from_millis(now.wall_ms.saturating_sub(asked.wall_ms));
    now.mono.saturating_sub(asked.mono).max(wall)
}

fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Locks. Nothing under these locks leaves a change half done, so a panic elsewhere in the thread that
/// held one says nothing about the data.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also between two looks that `moka` takes at itself by itself, as [`Held::stats`] would have it do.
    #[test]
    fn the_bound_holds_after_each_answer() {
        let options = CacheOptions {
            bytes_max: 10_000,
            ..CacheOptions::default()
        };
        let held = Arc::new(Held::new(&options));
        for n in 0..200 {
            let key = Key::new(format!("k{n}")).unwrap();
            let Seat::Ask(turn) = Held::join(&held, &key, Now::default()) else {
                panic!("nobody has asked for {key}")
            };
            let (state, asked) = (None, Now::default());
            turn.land(Ok(Fetched { state, asked }));
            let weights = held.entries.iter().map(|(key, _)| weight(&key, None));
            let bytes: u64 = weights.map(u64::from).sum();
            assert!(bytes <= options.bytes_max, "{bytes} after {n}");
        }
        assert!(held.entries.iter().count() > 10);
    }
}
