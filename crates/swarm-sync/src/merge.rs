//! The user's functions that make one value out of concurrent ones, by the name that policies give.
//!
//! Only the hub calls them, and what comes out is a write like any other: a function may be slow, may
//! wait for somebody else's answer and need not return the same twice.
//!
//! ```
//! use swarm_sync::{Merges, Value, merge_fn};
//!
//! let longest = merge_fn(|_key, siblings| {
//!     let length = |value: &Value| value.to_string().len();
//!     let longest = siblings.iter().max_by_key(|s| length(&s.value));
//!     longest.map(|s| s.value.clone()).ok_or_else(|| "nothing to merge".to_owned())
//! });
//! let merges = Merges::new().with("longest", longest);
//! assert!(merges.names().eq(["longest", "max", "min", "union"]));
//! ```

mod builtin;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{Key, Sibling, Value};

/// Makes one value of several.
#[async_trait]
pub trait Merge: Send + Sync {
    /// One value for `key` in place of `siblings`, of which there are at least two. An error says why
    /// there is none, for the operator; then all of them stay, and the hub asks again later.
    async fn merge(&self, key: &Key, siblings: &[Sibling]) -> Result<Value, String>;

    /// Whether [`Merge::merge`] may keep its thread for long without waiting for anything: because it
    /// computes, reads a file or calls something synchronous. The hub gives it a thread of its own then.
    /// Such a call cannot be stopped: when its time is over its answer no longer counts, but it runs on,
    /// and the end of a runtime waits for it.
    fn blocks(&self) -> bool {
        false
    }
}

#[async_trait]
impl<M: Merge + ?Sized> Merge for Arc<M> {
    async fn merge(&self, key: &Key, siblings: &[Sibling]) -> Result<Value, String> {
        self.as_ref().merge(key, siblings).await
    }

    fn blocks(&self) -> bool {
        self.as_ref().blocks()
    }
}

/// A function that is not asynchronous, as a [`Merge`]. It may block: it gets a thread.
pub fn merge_fn<F>(merge: F) -> impl Merge
where
    F: Fn(&Key, &[Sibling]) -> Result<Value, String> + Send + Sync,
{
    Function(merge)
}

struct Function<F>(F);

#[async_trait]
impl<F> Merge for Function<F>
where
    F: Fn(&Key, &[Sibling]) -> Result<Value, String> + Send + Sync,
{
    async fn merge(&self, key: &Key, siblings: &[Sibling]) -> Result<Value, String> {
        (self.0)(key, siblings)
    }

    fn blocks(&self) -> bool {
        true
    }
}

/// Functions by name.
#[derive(Clone)]
pub struct Merges(BTreeMap<String, Arc<dyn Merge>>);

impl Merges {
    /// Those that come with this crate:
    ///
    /// | name | what it makes |
    /// |---|---|
    /// | `max` | the greatest of numbers, whole or not |
    /// | `min` | the least of numbers |
    /// | `union` | of lists, one with every item once, in the order of canonical bytes, as a set reads |
    pub fn new() -> Self {
        Self(BTreeMap::new())
            .with("max", merge_fn(builtin::max))
            .with("min", merge_fn(builtin::min))
            .with("union", merge_fn(builtin::union))
    }

    /// The same with one more, in place of any other of that name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, merge: impl Merge + 'static) -> Self {
        self.0.insert(name.into(), Arc::new(merge));
        self
    }

    /// The function of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Merge>> {
        self.0.get(name)
    }

    /// The names, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Default for Merges {
    fn default() -> Self {
        Self::new()
    }
}

/// The names: functions have nothing to show.
impl fmt::Debug for Merges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
