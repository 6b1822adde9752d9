//! What comes back to the program that runs the hub: writes that it has had voted on or decided, and that
//! have lost.

use sync_core::{AgentId, Answer, Ask, HUB_NAME, Receipt, RequestError, SwarmId, WriteId};

use super::{StateSynchronizer, unexpected};

impl StateSynchronizer {
    /// The receipts that wait under the hub's own name, the oldest first.
    pub async fn receipts(&self, swarm: &SwarmId) -> Result<Vec<Receipt>, RequestError> {
        let name = own_name();
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let agent = name.clone();
            match self.ask(swarm, Ask::Receipts { agent, after }).await? {
                Answer::Receipts { last: None, .. } => return Ok(all),
                Answer::Receipts { receipts, last } => {
                    all.extend(receipts.0);
                    after = last;
                }
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// The caller has dealt with these: forget them. How many of them had waited.
    pub async fn take_receipts(
        &self,
        swarm: &SwarmId,
        writes: Vec<WriteId>,
    ) -> Result<u64, RequestError> {
        match self.ask(swarm, Ask::TakeReceipts(writes.into())).await? {
            Answer::Taken(count) => Ok(count),
            other => Err(unexpected(&other)),
        }
    }
}

fn own_name() -> AgentId {
    AgentId::new(HUB_NAME).expect("the hub's name is a valid one")
}
