//! About how many bytes of memory a held answer takes.

use sync_core::{AgentId, Key, StateVersion, Value};

/// What `moka` and the allocator add to an entry: the key's handle, places in two lists and the table, times.
/// Measured with numbers and with values of a kilobyte, 20,000 of either.
const ENTRY_BYTES: usize = 500;

/// What a place in a B-tree costs beside what is in it: nodes are about two thirds full.
const NODE_BYTES: usize = 32;

/// About how many bytes an entry takes.
pub(super) fn weight(key: &Key, state: Option<&StateVersion>) -> u32 {
    let bytes = ENTRY_BYTES + 2 * key.as_str().len() + state.map_or(0, of_state);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn of_state(state: &StateVersion) -> usize {
    let values = state
        .value
        .iter()
        .chain(state.siblings.iter().map(|s| &s.value));
    let values = values.chain(state.metadata.user.iter().map(|user| &user.0));
    let names = state.metadata.merged_from.iter().map(AgentId::as_str);
    size_of::<StateVersion>()
        + values
            .map(|value| size_of_val(value) + within(value))
            .sum::<usize>()
        + names.map(|name| 32 + name.len()).sum::<usize>()
        + state.siblings.len() * 64
}

/// What a value holds outside of itself.
fn within(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
        Value::Text(text) => text.capacity(),
        Value::Bytes(bytes) => bytes.capacity(),
        Value::List(items) => {
            items.capacity() * size_of::<Value>() + items.iter().map(within).sum::<usize>()
        }
        Value::Map(fields) => fields
            .iter()
            .map(|(name, value)| {
                size_of::<(String, Value)>() + NODE_BYTES + name.capacity() + within(value)
            })
            .sum(),
    }
}
