//! Questions about the hub itself: which policies are in force, and which receipts wait for an agent.

use sync_core::{AgentId, Ask, Policy, Receipt};

use crate::plan::REPLICAS;
use crate::workload::Asked;
use crate::world::World;

impl World {
    pub(crate) fn ask_about_hub(&mut self) {
        if self.random.chance(500) {
            return self.ask_somewhere(Asked::Policies, Ask::Policies);
        }
        let n = self.random.index(REPLICAS);
        let agent = self.replicas[n].agent.clone();
        let asked = Asked::Receipts(agent.clone());
        self.ask_somewhere(asked, Ask::Receipts { agent, after: None });
    }

    /// They are those of one of the two tables.
    pub(crate) fn told_policies(&mut self, told: &[Policy]) {
        self.stats.hit("policies told");
        let mut tables = self.plan.tables.iter();
        let is_known = tables.any(|table| table.iter().eq(told));
        self.require(is_known, || format!("nobody has said {told:?}"));
    }

    /// All of them are that agent's, and what the hub has made durable before it spoke.
    pub(crate) fn told_waiting(&mut self, agent: &AgentId, told: &[Receipt]) {
        self.stats.hit("waiting receipts told");
        let is_lost = self.rollbacks > 0;
        let wrong = told
            .iter()
            .find(|r| r.addressee() != agent || !(is_lost || self.is_owed_by_hub(&r.write)));
        let text = wrong.map(|receipt| format!("no receipt of {agent} waits as {receipt}"));
        self.require(text.is_none(), || text.unwrap_or_default());
    }
}
