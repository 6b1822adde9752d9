//! Both stores against the suite that every store must pass.
#![allow(
    clippy::unwrap_used,
    reason = "a fixture fails by panicking, as a test does"
)]

use std::sync::Arc;

use sync_core::store::Store;
use sync_core::testing::store_suite::{self, StoreFixture};
use sync_store::MemoryStore;

struct Memory;

impl StoreFixture for Memory {
    type Place = ();

    fn place(&self) {}

    async fn open(&self, (): &()) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new())
    }
}

#[cfg(feature = "sled")]
struct Sled;

#[cfg(feature = "sled")]
impl StoreFixture for Sled {
    type Place = tempfile::TempDir;

    fn place(&self) -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    async fn open(&self, place: &tempfile::TempDir) -> Arc<dyn Store> {
        Arc::new(sync_store::SledStore::open(place.path()).unwrap())
    }
}

#[cfg(feature = "redb")]
struct Redb;

#[cfg(feature = "redb")]
impl StoreFixture for Redb {
    type Place = tempfile::TempDir;

    fn place(&self) -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    async fn open(&self, place: &tempfile::TempDir) -> Arc<dyn Store> {
        Arc::new(sync_store::RedbStore::open(place.path()).unwrap())
    }
}

/// One test per law and store, so that a failure names both.
macro_rules! laws {
    ($($law:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $law() {
                    super::store_suite::$law(&super::Memory).await;
                }
            )+
        }

        #[cfg(feature = "sled")]
        mod sled {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    super::store_suite::$law(&super::Sled).await;
                }
            )+
        }

        #[cfg(feature = "redb")]
        mod redb {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    super::store_suite::$law(&super::Redb).await;
                }
            )+
        }
    };
}

laws!(
    an_empty_store_has_nothing,
    ops_of_a_batch_apply_in_order,
    a_later_op_on_a_key_wins,
    a_group_commits_all_its_batches_in_order,
    a_refused_group_changes_nothing,
    batches_of_any_size_commit_whole,
    values_of_any_size_come_back,
    concurrent_commits_all_land,
    scans_are_in_key_order,
    pages_join_to_the_whole,
    swarms_do_not_meet,
    swarms_with_rows_are_listed,
    reopening_keeps_every_row,
    a_closed_store_refuses_every_call,
    closing_twice_is_no_error,
    a_store_behaves_like_a_map,
);

/// The list above might lack a law that the suite has.
#[tokio::test]
async fn the_whole_suite_runs_in_one_call() {
    store_suite::run_all(&Memory).await;
}

#[cfg(feature = "sled")]
#[tokio::test]
async fn the_whole_suite_runs_on_one_thread() {
    store_suite::run_all(&Sled).await;
}

#[cfg(feature = "redb")]
#[tokio::test]
async fn the_whole_suite_runs_on_one_thread_with_redb() {
    store_suite::run_all(&Redb).await;
}
