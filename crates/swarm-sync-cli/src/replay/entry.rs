//! What git tracks at a path, and the value it is in the swarm.

use std::collections::BTreeMap;

use swarm_sync::Value;

/// Mode of a submodule: what it names is a commit of another repository.
pub(super) const SUBMODULE: &str = "160000";

/// A file, a symbolic link or a submodule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mode: String,
    pub(super) object: String,
    /// Bytes of the blob; none for a submodule.
    pub(super) size: Option<u64>,
}

impl Entry {
    pub(super) fn is_submodule(&self) -> bool {
        self.mode == SUBMODULE
    }

    pub(super) fn to_value(&self) -> Value {
        let what = if self.is_submodule() {
            "commit"
        } else {
            "blob"
        };
        let mut fields = BTreeMap::from([
            (what.to_owned(), Value::from(self.object.as_str())),
            ("mode".to_owned(), Value::from(self.mode.as_str())),
        ]);
        let size = self.size.and_then(|size| i64::try_from(size).ok());
        if let Some(size) = size {
            fields.insert("size".to_owned(), Value::from(size));
        }
        Value::Map(fields)
    }
}
