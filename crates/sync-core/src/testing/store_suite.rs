//! What every [`Store`] must do, as laws that run on a store of your own.
//!
//! Implement [`StoreFixture`] and call [`run_all`] within a tokio runtime; or call the laws one by
//! one, each in a test of its own, to see all that fail instead of the first. A law that fails
//! panics with what it expected; the randomised one with its seed too.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use sync_core::store::Store;
//! use sync_core::testing::store_suite::{StoreFixture, run_all};
//! # use async_trait::async_trait;
//! # use sync_core::id::SwarmId;
//! # use sync_core::store::{Batch, Durability, Row, StoreError};
//! # #[derive(Debug)]
//! # struct MyStore;
//! # impl MyStore {
//! #     async fn open(path: &std::path::Path) -> Self { Self }
//! # }
//! # #[async_trait]
//! # impl Store for MyStore {
//! #     async fn commit(&self, _: Vec<Batch>) -> Result<(), StoreError> { Ok(()) }
//! #     async fn scan(&self, _: &SwarmId, _: Option<&[u8]>, _: usize) -> Result<Vec<Row>, StoreError> { Ok(vec![]) }
//! #     async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> { Ok(vec![]) }
//! #     fn durability(&self) -> Durability { Durability::Disk }
//! #     async fn close(&self) -> Result<(), StoreError> { Ok(()) }
//! # }
//! # mod tempfile {
//! #     pub struct TempDir;
//! #     impl TempDir {
//! #         pub fn new() -> std::io::Result<Self> { Ok(Self) }
//! #         pub fn path(&self) -> &std::path::Path { std::path::Path::new("") }
//! #     }
//! # }
//! use tempfile::TempDir;
//!
//! struct MyFixture;
//!
//! impl StoreFixture for MyFixture {
//!     type Place = TempDir;
//!
//!     fn place(&self) -> TempDir {
//!         TempDir::new().unwrap()
//!     }
//!
//!     async fn open(&self, place: &TempDir) -> Arc<dyn Store> {
//!         Arc::new(MyStore::open(place.path()).await)
//!     }
//! }
//!
//! # async fn test() {
//! run_all(&MyFixture).await;
//! # }
//! ```

#![expect(
    clippy::missing_panics_doc,
    reason = "panicking is how a law fails; the module says so once"
)]

mod batches;
mod life;
mod model;
mod scans;

use std::sync::Arc;

use bytes::Bytes;

use crate::id::SwarmId;
use crate::store::{Batch, Row, RowOp, Store};
use crate::testing::numbers::Numbers;

pub use batches::{
    a_group_commits_all_its_batches_in_order, a_later_op_on_a_key_wins,
    a_refused_group_changes_nothing, batches_of_any_size_commit_whole, concurrent_commits_all_land,
    ops_of_a_batch_apply_in_order, values_of_any_size_come_back,
};
pub use life::{
    a_closed_store_refuses_every_call, an_empty_store_has_nothing, closing_twice_is_no_error,
    reopening_keeps_every_row,
};
pub use model::{a_store_behaves_like_a_map, a_store_behaves_like_a_map_with_seed};
pub use scans::{
    pages_join_to_the_whole, scans_are_in_key_order, swarms_do_not_meet,
    swarms_with_rows_are_listed,
};

/// Makes the stores that the laws run on.
pub trait StoreFixture: Sync {
    /// Where one store keeps its rows: a temporary directory, a name, `()`. Cleaned up by its drop.
    type Place: Send + Sync;

    /// A place that holds no rows and that no other place shares rows with.
    fn place(&self) -> Self::Place;

    /// Opens the store at `place`. A law opens a place again only after it closed the store before.
    fn open(&self, place: &Self::Place) -> impl Future<Output = Arc<dyn Store>> + Send;
}

/// Runs every law, each on a store of its own. Panics at the first that the store breaks.
pub async fn run_all<F: StoreFixture>(fixture: &F) {
    an_empty_store_has_nothing(fixture).await;
    ops_of_a_batch_apply_in_order(fixture).await;
    a_later_op_on_a_key_wins(fixture).await;
    a_group_commits_all_its_batches_in_order(fixture).await;
    a_refused_group_changes_nothing(fixture).await;
    batches_of_any_size_commit_whole(fixture).await;
    values_of_any_size_come_back(fixture).await;
    concurrent_commits_all_land(fixture).await;
    scans_are_in_key_order(fixture).await;
    pages_join_to_the_whole(fixture).await;
    swarms_do_not_meet(fixture).await;
    swarms_with_rows_are_listed(fixture).await;
    reopening_keeps_every_row(fixture).await;
    a_closed_store_refuses_every_call(fixture).await;
    closing_twice_is_no_error(fixture).await;
    a_store_behaves_like_a_map(fixture).await;
}

fn swarm(name: &str) -> SwarmId {
    SwarmId::new(name).unwrap()
}

fn put(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> RowOp {
    RowOp::Put {
        key: Bytes::copy_from_slice(key.as_ref()),
        value: Bytes::copy_from_slice(value.as_ref()),
    }
}

fn delete(key: impl AsRef<[u8]>) -> RowOp {
    RowOp::Delete {
        key: Bytes::copy_from_slice(key.as_ref()),
    }
}

fn batch(swarm: &SwarmId, ops: impl IntoIterator<Item = RowOp>) -> Batch {
    Batch {
        swarm: swarm.clone(),
        ops: ops.into_iter().collect(),
    }
}

fn row(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Row {
    Row {
        key: Bytes::copy_from_slice(key.as_ref()),
        value: Bytes::copy_from_slice(value.as_ref()),
    }
}

/// `length` bytes that differ between values and along a value, so that swapped parts show.
fn bytes(length: usize, salt: u64) -> Vec<u8> {
    let mut numbers = Numbers::new(salt);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&numbers.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Every row of `swarm`, read in pages of `page` rows.
async fn read_all(store: &dyn Store, swarm: &SwarmId, page: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.key.clone());
        let next = store.scan(swarm, after.as_deref(), page).await.unwrap();
        assert!(
            next.len() <= page,
            "{} rows in a page of {page}",
            next.len()
        );
        // Else a store that repeats rows would be read for ever.
        let keys = after.iter().chain(next.iter().map(|row| &row.key));
        assert!(keys.is_sorted_by(|a, b| a < b), "keys that do not ascend");
        let is_last = next.len() < page;
        rows.extend(next);
        if is_last {
            return rows;
        }
    }
}

/// Compares without printing megabytes.
#[track_caller]
fn assert_rows(found: &[Row], expected: &[Row], what: &str) {
    let difference = found.iter().zip(expected).find(|(f, e)| f != e);
    if let Some((found, expected)) = difference {
        panic!(
            "{what}: found key \"{}\" with {} bytes, expected key \"{}\" with {} bytes",
            found.key.escape_ascii(),
            found.value.len(),
            expected.key.escape_ascii(),
            expected.value.len(),
        );
    }
    assert_eq!(found.len(), expected.len(), "{what}: number of rows");
}
