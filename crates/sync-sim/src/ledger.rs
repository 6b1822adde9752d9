//! What nodes have put down about the fate of writes, read off their disks: every receipt that was ever
//! durable must reach its application, by name or as one of those that a summary counts.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sync_core::{AgentId, Batch, Pattern, Reason, Receipt, RowOp, WriteId, codec};
use sync_protocol::Token;

use crate::plan::HUB;
use crate::world::World;

/// The first byte of the rows of receipts.
const RECEIPT_ROW: u8 = b'r';

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By node and row.
    rows: BTreeMap<(usize, Bytes), Receipt>,
    /// The receipts in whose place a summary stands, other summaries among them.
    members: BTreeMap<WriteId, Vec<Receipt>>,
    /// The same of summaries that a torn batch may have left.
    torn: BTreeMap<WriteId, Vec<Receipt>>,
    /// Summaries that the hub has made.
    of_hub: BTreeSet<WriteId>,
    /// What the hub owes to writers, and what replicas owe to their applications.
    at_hub: BTreeSet<WriteId>,
    at_replicas: BTreeSet<WriteId>,
    /// The table of policies that the hub was last seen with, and what had been told and not confirmed
    /// under an earlier one: it is dropped no more, although a bound is lower now.
    table: u64,
    told_before: BTreeMap<(AgentId, Pattern), u32>,
}

impl Ledger {
    /// Reads a batch that is durable; a summary that counts wrong.
    fn note(&mut self, node: usize, batch: &Batch) -> Option<String> {
        let mut gone = Vec::new();
        for op in &batch.ops {
            match op {
                RowOp::Delete { key } => gone.extend(self.rows.remove(&(node, key.clone()))),
                RowOp::Put { key, value } if key.first() == Some(&RECEIPT_ROW) => {
                    let receipt: Receipt = codec::from_bytes("a receipt", value).ok()?;
                    let row = (node, key.clone());
                    self.rows.insert(row, receipt.clone());
                    let gone = std::mem::take(&mut gone);
                    let wrong = self.put(node, receipt, gone);
                    if wrong.is_some() {
                        return wrong;
                    }
                }
                RowOp::Put { .. } => {}
            }
        }
        None
    }

    fn put(&mut self, node: usize, receipt: Receipt, gone: Vec<Receipt>) -> Option<String> {
        let id = receipt.write.clone();
        let is_summary = matches!(receipt.reason, Reason::Dropped { .. });
        if !is_summary || self.members.contains_key(&id) {
            self.owe(node, id);
            return None;
        }
        let sum: u64 = gone.iter().map(Receipt::count).sum();
        let mine = gone
            .iter()
            .all(|r| r.addressee() == receipt.addressee() && r.revision <= receipt.revision);
        let wrong = sum != receipt.count() || !mine || gone.is_empty();
        let text = wrong.then(|| format!("{receipt:?} stands for {gone:?}"));
        self.members.insert(id.clone(), gone);
        if node == HUB {
            self.of_hub.insert(id.clone());
            self.owe(node, id);
        }
        text
    }

    /// A batch was torn: a summary of it stands for what it was to delete, if it is there.
    fn foresee(&mut self, node: usize, batch: &Batch) {
        let mut gone = Vec::new();
        for op in &batch.ops {
            if let RowOp::Put { key, value } = op
                && key.first() == Some(&RECEIPT_ROW)
                && let Ok(receipt) = codec::from_bytes::<Receipt>("a receipt", value)
            {
                self.torn.insert(receipt.write, std::mem::take(&mut gone));
            } else {
                gone.extend(self.rows.get(&(node, op.key().clone())).cloned());
            }
        }
    }

    /// Takes a row that a node was found with.
    fn find(&mut self, node: usize, row: Bytes, receipt: Receipt) {
        let id = receipt.write.clone();
        let is_summary = matches!(receipt.reason, Reason::Dropped { .. });
        if is_summary
            && !self.members.contains_key(&id)
            && let Some(gone) = self.torn.get(&id)
        {
            self.members.insert(id.clone(), gone.clone());
            if node == HUB {
                self.of_hub.insert(id.clone());
            }
        }
        self.owe(node, id);
        self.rows.insert((node, row), receipt);
    }

    fn owe(&mut self, node: usize, id: WriteId) {
        if node == HUB {
            self.at_hub.insert(id);
        } else {
            self.at_replicas.insert(id);
        }
    }

    /// Everything that some summaries count, each receipt as it was when it was dropped; and the writes
    /// that are counted twice.
    fn expand<'a>(
        &self,
        summaries: impl Iterator<Item = &'a WriteId>,
    ) -> (BTreeMap<WriteId, Receipt>, Vec<WriteId>) {
        let mut open: Vec<WriteId> = summaries.cloned().collect();
        let (mut counted, mut twice) = (BTreeMap::new(), Vec::new());
        while let Some(id) = open.pop() {
            for receipt in self.members.get(&id).into_iter().flatten() {
                let known = counted.insert(receipt.write.clone(), receipt.clone());
                if known.is_none() {
                    open.push(receipt.write.clone());
                } else {
                    twice.push(receipt.write.clone());
                }
            }
        }
        (counted, twice)
    }

    /// Whether the hub has made that summary.
    #[cfg(test)]
    pub(crate) fn is_of_hub(&self, id: &WriteId) -> bool {
        self.of_hub.contains(id)
    }

    /// The summaries of the hub that no later one of it has taken in.
    fn last_of_hub(&self) -> impl Iterator<Item = &WriteId> {
        let taken: BTreeSet<&WriteId> = self
            .of_hub
            .iter()
            .flat_map(|id| &self.members[id])
            .map(|receipt| &receipt.write)
            .collect();
        self.of_hub.iter().filter(move |id| !taken.contains(id))
    }
}

impl World {
    /// The oldest batch of the hub becomes durable.
    pub(crate) fn finish_hub_batch(&mut self) -> Option<Token> {
        let batch = self.hub.disk.waiting().next();
        let wrong = batch.and_then(|batch| self.ledger.note(HUB, batch));
        self.require(wrong.is_none(), || wrong.unwrap_or_default());
        self.hub.disk.complete()
    }

    /// The oldest batch of a replica becomes durable.
    pub(crate) fn finish_replica_batch(&mut self, n: usize) -> Option<Token> {
        let batch = self.replicas[n].disk.waiting().next();
        let wrong = batch.and_then(|batch| self.ledger.note(n, batch));
        self.require(wrong.is_none(), || wrong.unwrap_or_default());
        self.replicas[n].disk.complete()
    }

    /// The hub knows no more of what it owed than an older disk says.
    pub(crate) fn roll_ledger_back(&mut self) {
        self.ledger.at_hub.clear();
        self.reread_ledger(HUB);
    }

    /// A batch was under way when its node died, and is there, or in part.
    pub(crate) fn note_torn(&mut self, node: usize, batch: &Batch, is_whole: bool) {
        if is_whole {
            let wrong = self.ledger.note(node, batch);
            return self.require(wrong.is_none(), || wrong.unwrap_or_default());
        }
        self.ledger.foresee(node, batch);
    }

    /// A node knows what its disk says now.
    pub(crate) fn reread_ledger(&mut self, node: usize) {
        self.ledger.rows.retain(|(other, _), _| *other != node);
        let disk = match node {
            HUB => &self.hub.disk,
            n => &self.replicas[n].disk,
        };
        for row in disk.rows() {
            if row.key.first() == Some(&RECEIPT_ROW)
                && let Ok(receipt) = codec::from_bytes::<Receipt>("a receipt", &row.value)
            {
                self.ledger.find(node, row.key, receipt);
            }
        }
    }

    /// A replica knows no more of what it owes than another disk says; what nobody else has either.
    pub(crate) fn lose_receipts(&mut self, n: usize) -> Vec<WriteId> {
        let before = self.ledger.rows.clone();
        self.reread_ledger(n);
        let left: BTreeSet<&WriteId> = self.ledger.rows.values().map(|r| &r.write).collect();
        let gone = before.values().map(|receipt| &receipt.write);
        let gone = gone.filter(|id| !left.contains(id) && !self.ghost.receipts.contains_key(*id));
        let gone: Vec<WriteId> = gone.cloned().collect();
        for id in &gone {
            self.ledger.at_replicas.remove(id);
        }
        gone
    }

    /// No more wait for an agent than the policy of their keys lets wait, but for what it has to undo and
    /// what was on its way when the bound became lower.
    pub(crate) fn check_bounds(&mut self, batch: &Batch) {
        let is_receipt = |op: &RowOp| {
            let (RowOp::Put { key, .. } | RowOp::Delete { key }) = op;
            key.first() == Some(&RECEIPT_ROW)
        };
        let Some(hub) = &self.hub.machine else { return };
        if !batch.ops.iter().any(is_receipt) {
            return;
        }
        let mut waiting: BTreeMap<(AgentId, Pattern), (u32, u32)> = BTreeMap::new();
        for receipt in hub.receipts() {
            let policy = hub.policies().of(&receipt.key);
            if let Some((policy, most)) = policy.and_then(|p| Some((p, p.receipts?)))
                && !matches!(receipt.reason, Reason::Dropped { .. })
                && !receipt.refused()
            {
                let line = (receipt.addressee().clone(), policy.pattern.clone());
                waiting.entry(line).or_insert((0, most)).0 += 1;
            }
        }
        let table = hub.policies().fingerprint();
        let page = self.plan.hub().limits.receipts_per_message;
        let page = u32::try_from(page).unwrap_or(u32::MAX);
        let is_new_table = std::mem::replace(&mut self.ledger.table, table) != table;
        let told = std::mem::take(&mut self.ledger.told_before);
        let mut over = None;
        for (line, (count, most)) in waiting {
            let told = told.get(&line).copied().unwrap_or_default();
            let told = if is_new_table { page } else { told };
            if count > most.max(told) {
                over = Some(format!("{line:?}: {count} wait where {most} may"));
            } else if count > most {
                self.ledger.told_before.insert(line, count);
            }
        }
        self.require(over.is_none(), || over.unwrap_or_default());
    }

    /// Whether the hub has made a receipt of it durable.
    pub(crate) fn is_owed_by_hub(&self, write: &WriteId) -> bool {
        self.ledger.at_hub.contains(write)
    }

    /// What is counted by the summaries that applications were told of.
    pub(crate) fn summed_up(&self) -> BTreeMap<WriteId, Receipt> {
        let told = self.ghost.receipts.values();
        let summaries = told.filter(|r| matches!(r.reason, Reason::Dropped { .. }));
        self.ledger.expand(summaries.map(|s| &s.write)).0
    }

    /// Once healed: what was ever put down was told, and every write that was dropped is counted once.
    pub(crate) fn check_ledger(&mut self) {
        let told = &self.ghost.receipts;
        let summaries = told
            .values()
            .filter(|r| matches!(r.reason, Reason::Dropped { .. }));
        let summaries: Vec<&Receipt> = summaries.collect();
        let wrong = summaries.iter().find(|summary| {
            let own = std::iter::once(&summary.write);
            let (counted, _) = self.ledger.expand(own);
            let writes = counted
                .keys()
                .filter(|id| !self.ledger.members.contains_key(id));
            // What a replica is sent twice it counts twice: its hub has not heard that it has it.
            let exact = self.ledger.of_hub.contains(&summary.write);
            exact && self.rollbacks == 0 && writes.count() as u64 != summary.count()
        });
        let wrong = wrong.map(|summary| format!("{summary} counts wrong"));
        let counted = self.summed_up();
        let owed = self.ledger.at_hub.union(&self.ledger.at_replicas);
        let planted = self.planted.as_ref().filter(|planted| planted.is_blind);
        let owed = owed.filter(|id| planted.is_none_or(|planted| planted.write != **id));
        let mut untold = owed.filter(|id| !told.contains_key(id) && !counted.contains_key(id));
        let untold = untold.next().cloned();
        let (_, twice) = self.ledger.expand(self.ledger.last_of_hub());
        let twice = twice.first().filter(|_| self.rollbacks == 0).cloned();
        self.ghost.counted = counted;
        self.require(wrong.is_none(), || wrong.unwrap_or_default());
        self.require(twice.is_none(), || format!("{twice:?} is counted twice"));
        self.require(untold.is_none(), || {
            format!("nobody was told the fate of {untold:?}")
        });
    }
}
