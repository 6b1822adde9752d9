//! Reads rows for the machines beside the hub's task: a slow disk delays nobody but who asked.

use std::collections::HashMap;
use std::sync::Arc;

use sync_core::{Row, Store, StoreError, SwarmId};
use sync_protocol::RowRange;
use tokio::task::{Id, JoinSet};

/// Rows that were read, and for whom.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) swarm: SwarmId,
    pub(super) ticket: u64,
    pub(super) result: Result<Vec<Row>, String>,
}

/// The reads under way: as many as the machines ask for, which bound it.
#[derive(Debug)]
pub(super) struct Loading {
    store: Arc<dyn Store>,
    running: JoinSet<Result<Vec<Row>, StoreError>>,
    askers: HashMap<Id, (SwarmId, u64)>,
}

impl Loading {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            running: JoinSet::new(),
            askers: HashMap::new(),
        }
    }

    /// Starts a read. What comes of it comes from [`Loading::next`].
    pub(super) fn start(&mut self, swarm: SwarmId, ticket: u64, ranges: Vec<RowRange>) {
        let store = Arc::clone(&self.store);
        let asker = (swarm.clone(), ticket);
        let task = self.running.spawn(async move {
            let mut rows = Vec::new();
            for RowRange { after, limit } in ranges {
                rows.extend(store.scan(&swarm, Some(&after), limit).await?);
            }
            Ok(rows)
        });
        self.askers.insert(task.id(), asker);
    }

    /// The next one that is done; for ever if none is under way. Cancel-safe.
    pub(super) async fn next(&mut self) -> Loaded {
        loop {
            let (id, read) = match self.running.join_next_with_id().await {
                Some(Ok((id, read))) => (id, read.map_err(|e| e.to_string())),
                Some(Err(error)) => (error.id(), Err(error.to_string())),
                None => std::future::pending().await,
            };
            if let Some((swarm, ticket)) = self.askers.remove(&id) {
                return Loaded {
                    swarm,
                    ticket,
                    result: read,
                };
            }
        }
    }

    /// Stops all reads, and returns once they are gone: nobody will hear of them.
    pub(super) async fn shutdown(&mut self) {
        self.running.shutdown().await;
        self.askers.clear();
    }
}
