//! Reading rows back: pages of one swarm, and the list of swarms.

use std::ops::Bound;

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::{Row, StoreError};

use super::table::Table;
use super::value::Body;
use crate::row::{ROW_PREFIX, after_all, row_key, swarm_of, swarm_prefix};

/// Up to `limit` rows of `swarm` whose keys come after `after`.
pub(super) fn scan(
    table: &Table,
    swarm: &SwarmId,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let prefix = swarm_prefix(swarm);
    let from = match after {
        Some(after) => Bound::Excluded(row_key(swarm, after)),
        None => Bound::Included(prefix.clone()),
    };
    let to = Bound::Excluded(after_all(&prefix));
    let mut rows = Vec::new();
    for found in table.range((from, to)).take(limit) {
        let (key, row) = found?;
        let value = match Body::decode(row.body()).map_err(|e| table.corrupt(&key, e))? {
            Body::Inline(bytes) => Bytes::copy_from_slice(bytes),
            Body::Chunked(chunked) => {
                let get = |chunk: &[u8]| table.get(chunk);
                chunked.read(&table.name, &key, get)?.into()
            }
        };
        rows.push(Row {
            key: Bytes::copy_from_slice(&key[prefix.len()..]),
            value,
        });
    }
    Ok(rows)
}

/// The swarms with rows, ascending. Costs one seek per swarm.
pub(super) fn swarms(table: &Table) -> Result<Vec<SwarmId>, StoreError> {
    let mut swarms = Vec::new();
    let mut from = vec![ROW_PREFIX];
    while let Some(found) = table.range(from..vec![ROW_PREFIX + 1]).next() {
        let (key, _) = found?;
        let (swarm, prefix_bytes) =
            swarm_of(&key).ok_or_else(|| table.corrupt(&key, "it names no swarm"))?;
        swarms.push(swarm);
        from = after_all(&key[..prefix_bytes]);
    }
    // By key they come shortest name first.
    swarms.sort_unstable();
    Ok(swarms)
}
