//! Many seeds, until one fails or there are enough.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sync_sim::{Failure, run_seed};

/// Which seeds to run, and until when.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// The first of them.
    pub(crate) first: u64,
    /// How many at most; none: until the time is over.
    pub(crate) seeds: Option<u64>,
    /// How long at most.
    pub(crate) time: Option<Duration>,
    /// Whether to go on once a seed has failed.
    pub(crate) keep_going: bool,
    /// How many seeds at once.
    pub(crate) threads: usize,
}

/// How far a search has got.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    seeds: AtomicU64,
    events: AtomicU64,
    failures: AtomicU64,
    is_over: AtomicBool,
}

impl Progress {
    /// Seeds that were run to their end.
    pub(crate) fn seeds(&self) -> u64 {
        self.seeds.load(Ordering::Relaxed)
    }

    /// Events in the seeds that went well.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Seeds that failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Whether no seed is run any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

impl Search {
    /// Runs the seeds; calls `failed` with each that fails, one after the other.
    pub(crate) fn run(&self, progress: &Progress, failed: impl FnMut(u64, Failure) + Send) {
        let (next, failed) = (AtomicU64::new(self.first), Mutex::new(failed));
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    while !self.is_enough(progress, start) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if self.seeds.is_some_and(|seeds| seed - self.first >= seeds) {
                            return;
                        }
                        let result = run_seed(seed, false);
                        progress.seeds.fetch_add(1, Ordering::Relaxed);
                        match result {
                            Ok(course) => {
                                progress.events.fetch_add(course.events, Ordering::Relaxed);
                            }
                            Err(failure) => {
                                progress.failures.fetch_add(1, Ordering::Relaxed);
                                let mut failed = failed.lock().expect("no thread panics with it");
                                failed(seed, failure);
                            }
                        }
                    }
                });
            }
        });
        progress.is_over.store(true, Ordering::Relaxed);
    }

    fn is_enough(&self, progress: &Progress, start: Instant) -> bool {
        let late = self.time.is_some_and(|time| start.elapsed() >= time);
        late || (progress.failures() > 0 && !self.keep_going)
    }
}
