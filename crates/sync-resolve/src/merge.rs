//! Functions of the user's that make one value of concurrent ones. Only the hub calls them, so they may
//! be slow, ask others, or answer differently each time; the join stays what it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sync_core::{Key, Sibling, Value};

/// Makes one value of several.
#[async_trait]
pub trait Merge: Send + Sync {
    /// The value that takes the place of `siblings`, which are ascending by write and at least two. An
    /// error, a panic or a missed deadline leaves them all in place, and readers are told why.
    async fn merge(&self, key: &Key, siblings: &[Sibling]) -> Result<Value, String>;
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
}

/// The functions of a hub, by the names that policies call them.
#[derive(Clone, Default)]
pub struct Merges {
    by_name: BTreeMap<String, Arc<dyn Merge>>,
}

impl Merges {
    /// With one more, in the place of one of the same name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, merge: Arc<dyn Merge>) -> Self {
        self.by_name.insert(name.into(), merge);
        self
    }

    /// With a function that waits for nothing.
    #[must_use]
    pub fn with_fn(
        self,
        name: impl Into<String>,
        merge: impl Fn(&Key, &[Sibling]) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Self {
        self.with(name, Arc::new(Function(merge)))
    }

    /// The function of that name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Merge>> {
        self.by_name.get(name).cloned()
    }

    /// All names, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl fmt::Debug for Merges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
