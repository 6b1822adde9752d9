//! What the tests of the durable store share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test binary uses a part; helpers fail by panicking, as tests do"
)]

use std::io::Write;
use std::process::Command;

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::{Batch, Row, RowOp, Store};

/// Tells a child of this binary which directory to work on; without it the child does nothing.
pub(crate) const CHILD_DIRECTORY: &str = "SYNC_STORE_TEST_DIRECTORY";

pub(crate) fn swarm(name: &str) -> SwarmId {
    SwarmId::new(name).unwrap()
}

pub(crate) fn put(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> RowOp {
    RowOp::Put {
        key: Bytes::copy_from_slice(key.as_ref()),
        value: Bytes::copy_from_slice(value.as_ref()),
    }
}

pub(crate) fn delete(key: impl AsRef<[u8]>) -> RowOp {
    RowOp::Delete {
        key: Bytes::copy_from_slice(key.as_ref()),
    }
}

pub(crate) fn batch(swarm: &SwarmId, ops: impl IntoIterator<Item = RowOp>) -> Batch {
    Batch {
        swarm: swarm.clone(),
        ops: ops.into_iter().collect(),
    }
}

pub(crate) async fn read_all(store: &dyn Store, swarm: &SwarmId) -> Vec<Row> {
    store.scan(swarm, None, usize::MAX).await.unwrap()
}

/// This binary again, running only the test `child`, which sees `directory` in its environment.
pub(crate) fn child(child: &str, directory: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", child, "--nocapture", "--test-threads=1"])
        .env(CHILD_DIRECTORY, directory);
    command
}

/// One whole line to standard output, at once: the parent may kill this process right after.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Seeded numbers (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
