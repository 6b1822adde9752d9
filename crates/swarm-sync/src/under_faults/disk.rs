//! A store that outlives the crash of its host, and takes its time: a crash comes before a group of batches
//! is there, or after it is and before anybody was told.

use std::time::Duration;

use async_trait::async_trait;
use sync_core::{Batch, Durability, Row, Store, StoreError, SwarmId};
use sync_store::MemoryStore;
use tokio::time::sleep;

/// Each way. Two ticks of the simulation, so that other hosts run in between.
const HALF: Duration = Duration::from_millis(4);

#[derive(Debug, Default)]
pub(super) struct Disk {
    rows: MemoryStore,
}

#[async_trait]
impl Store for Disk {
    async fn commit(&self, group: Vec<Batch>) -> Result<(), StoreError> {
        sleep(HALF).await;
        self.rows.commit(group).await?;
        sleep(HALF).await;
        Ok(())
    }

    async fn scan(
        &self,
        swarm: &SwarmId,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.rows.scan(swarm, after, limit).await
    }

    async fn swarms(&self) -> Result<Vec<SwarmId>, StoreError> {
        self.rows.swarms().await
    }

    fn durability(&self) -> Durability {
        Durability::Disk
    }

    /// What is on a disk stays there.
    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
