//! Rules under which concurrent operations never lose anything.

mod counter;
mod set;

pub use counter::Counter;
pub use set::Set;

use sync_core::{Context, Entry, Payload, Plan};

/// Deleting such a key covers what was shown and leaves nothing live, so that a concurrent operation
/// survives.
pub(crate) fn delete(entry: &Entry) -> Option<Plan> {
    entry
        .is_live()
        .then(|| covering(entry.writes().map(|(id, write)| write.closure(id))))
}

/// A plan that covers and writes nothing.
fn covering(closures: impl Iterator<Item = Context>) -> Plan {
    plan(None, closures)
}

/// A plan that covers `closures` and leaves `payload` live.
pub(crate) fn plan(payload: Option<Payload>, closures: impl Iterator<Item = Context>) -> Plan {
    let mut over = Context::new();
    for closure in closures {
        over.union(&closure);
    }
    Plan {
        payload,
        over,
        floor: None,
    }
}
