//! The table of policies as this agent last heard it: kept, so that it holds while cut off.

use std::sync::Arc;

use sync_core::{Body, Policies, Policy, Standing};

use super::Replica;
use crate::rows;

impl Replica {
    /// The policies as last heard from the hub.
    pub fn policies(&self) -> &Arc<Policies> {
        self.resolvers.policies()
    }

    /// Asks for the table if the hub's is another. Asked again with every position until it is here.
    pub(super) fn compare_policies(&mut self, standing: &Standing) {
        if standing.policies != self.policies().fingerprint() {
            self.send(Body::PolicyRequest);
        }
    }

    pub(super) fn handle_policies(&mut self, policies: Vec<Policy>) -> Result<(), String> {
        let policies = Policies::new(policies).map_err(|e| e.to_string())?;
        let row = rows::put_policies(&policies);
        self.take_policies(policies);
        let mut ops = vec![row];
        let summaries = self.regroup_receipts(&mut ops);
        self.persist(ops);
        self.report(summaries);
        Ok(())
    }

    /// Puts a table in force here.
    pub(super) fn take_policies(&mut self, policies: Policies) {
        self.resolvers = self.resolvers.clone().with_policies(Arc::new(policies));
    }
}
