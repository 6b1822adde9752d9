//! Contexts of zstd that wait for their next use.

use std::sync::Mutex;

use crate::lock;

/// Contexts kept of each kind: as many as are in use at once, usually. One takes up to 0.6 MiB, so a
/// connection cannot have its own.
const IDLE_MAX: usize = 4;

/// Gives out what was given back, or something new.
#[derive(Debug)]
pub(super) struct Pool<T> {
    idle: Mutex<Vec<T>>,
}

impl<T> Pool<T> {
    pub(super) const fn new() -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn take(&self, new: impl FnOnce() -> T) -> T {
        let idle = lock(&self.idle).pop();
        idle.unwrap_or_else(new)
    }

    pub(super) fn give_back(&self, item: T) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(item);
        }
    }
}
