//! What a cache may hold and for how long.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{Clock, Pattern};

use crate::clock::SystemClock;
use crate::error::StartError;

/// How a [`CachedClient`](super::CachedClient) behaves.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// How old what is read may be: it counts from when the hub was asked. A minute, as the
    /// specification has it; short enough for what nobody can be told of while the hub is away.
    pub ttl: Duration,
    /// What may be held, in bytes of memory, names and bookkeeping included, give or take what an
    /// allocator adds. 64 MiB: tens of thousands of values of a kilobyte, and little beside what a process
    /// that talks to models takes. What is asked for more often stays; what alone is larger is not held.
    pub bytes_max: u64,
    /// How long a read waits for the hub if what it wants is not held. 10 s: a lost connection is made
    /// anew within half of that if the hub is there.
    pub timeout: Duration,
    /// The keys whose changes the hub is to tell; `*`, all of them, if not set. Changes travel with their
    /// values: who reads few keys of a large swarm names them. What is read of others is held by its age
    /// alone.
    pub watched: Option<Pattern>,
    /// What tells the time. An age is what either of its two says, whichever is more: the one that never
    /// goes back stands still while a machine sleeps.
    pub clock: Arc<dyn Clock>,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            ttl: Duration::from_mins(1),
            bytes_max: 64 << 20,
            timeout: Duration::from_secs(10),
            watched: None,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl CacheOptions {
    /// Refuses what no read could ever satisfy.
    pub(super) fn check(&self) -> Result<(), StartError> {
        if !self.ttl.is_zero() {
            return Ok(());
        }
        let reason = "the lifetime of what is held (`ttl`) is 0, so that no answer is young enough: give it at least what an answer takes, or use a `Client`";
        Err(StartError::Config {
            reason: reason.to_owned(),
        })
    }
}
