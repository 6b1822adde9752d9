//! The stores of Swarm Sync: where a node keeps its rows.
//!
//! | store | [`Durability`](sync_core::store::Durability) | an acknowledged commit survives |
//! |---|---|---|
//! | [`MemoryStore`] | `Memory` | nothing: the rows end with the process |
//! | [`SledStore`] (feature `sled`, default) | `Disk` | `kill -9`, and power loss as far as sled allows; what sled loses is reported as damage when the directory is opened, never as rows that are not there |
//! | [`RedbStore`] (feature `redb`) | `Disk` | `kill -9` and power loss: the engine fsyncs every commit; the choice where power loss matters most |
//!
//! All pass [`sync_core::testing::store_suite`](https://docs.rs/sync-core), which runs on a store
//! of your own too.
//!
//! ```
//! use bytes::Bytes;
//! use sync_core::id::SwarmId;
//! use sync_core::store::{Batch, RowOp, Store};
//! use sync_store::MemoryStore;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let store = MemoryStore::new();
//! let swarm = SwarmId::new("builders")?;
//! store
//!     .commit(vec![Batch {
//!         swarm: swarm.clone(),
//!         ops: vec![RowOp::Put {
//!             key: Bytes::from_static(b"plan"),
//!             value: Bytes::from_static(b"dig"),
//!         }],
//!     }])
//!     .await?;
//! let rows = store.scan(&swarm, None, 10).await?;
//! assert_eq!(rows[0].value, "dig");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! [`SledStore`] keeps its promises on top of a storage engine that does not fsync and that opens
//! damaged files without a word. [`SledStore`]'s own page says how. A directory belongs to the engine that
//! made it; another one refuses it with a sentence.

#[cfg(feature = "_disk")]
mod archive;
#[cfg(feature = "_disk")]
mod damage;
#[cfg(feature = "_disk")]
mod directory;
#[cfg(feature = "_disk")]
mod free;
#[cfg(feature = "_disk")]
mod hold;
#[cfg(feature = "_disk")]
mod inspect;
#[cfg(feature = "_disk")]
mod look;
mod memory;
#[cfg(feature = "redb")]
mod redb_store;
#[cfg(feature = "_disk")]
mod row;
#[cfg(feature = "_disk")]
mod seal;
#[cfg(feature = "sled")]
mod sled_store;
#[cfg(feature = "_disk")]
mod thread;

#[cfg(feature = "_disk")]
pub use archive::{ARCHIVE_FORMAT, ArchiveError, ArchiveReader, ArchiveWriter};
#[cfg(feature = "_disk")]
pub use hold::{Hold, hold};
#[cfg(feature = "_disk")]
pub use inspect::{DamagedRow, Inspection, Sealed, inspect};
#[cfg(feature = "_disk")]
pub use look::{Found, STORE_FORMAT, lock_file, look};
pub use memory::MemoryStore;
#[cfg(feature = "redb")]
pub use redb_store::{RedbOptions, RedbStore};
#[cfg(feature = "sled")]
pub use sled_store::{SledOptions, SledStore};
