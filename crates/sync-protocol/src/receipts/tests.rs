//! Bounds, summaries and order, with the rows that a store would hold.

use sync_core::{AgentId, Incarnation, Key, MergeRule, Policy, Seq, Stamp, Value, Writer, codec};

use super::*;

fn id(run: u64, seq: u64) -> WriteId {
    let agent = AgentId::new("a").unwrap();
    let writer = Writer::new(agent, Incarnation::from_random(run));
    WriteId::new(writer, Seq::new(seq))
}

fn lost(key: &str, seq: u64) -> Receipt {
    Receipt {
        write: id(1, seq),
        key: Key::new(key).unwrap(),
        stamp: Stamp::at_millis(seq),
        discarded: Payload::put(&Value::from(1)),
        reason: Reason::RuleMismatch {
            rule: MergeRule::Lww,
        },
        revision: Revision::new(seq),
    }
}

fn table(bounds: &[(&str, u32)]) -> Policies {
    let policy = |(pattern, receipts): &(&str, u32)| {
        let mut policy = Policy::new(Pattern::new(*pattern).unwrap());
        policy.receipts = Some(*receipts);
        policy
    };
    Policies::new(bounds.iter().map(policy).collect()).unwrap()
}

/// What waits, and what a store holds of it.
#[derive(Default)]
struct Scene {
    receipts: Receipts,
    rows: BTreeMap<Vec<u8>, Receipt>,
    fresh: u64,
}

impl Scene {
    fn apply(&mut self, ops: Vec<RowOp>) {
        for op in ops {
            match op {
                RowOp::Put { key, value } => {
                    let receipt = codec::from_bytes("receipt row", &value).unwrap();
                    self.rows.insert(key.to_vec(), receipt);
                }
                RowOp::Delete { key } => {
                    self.rows.remove(&key.to_vec());
                }
            }
        }
        let held: BTreeSet<_> = self.receipts.iter().map(|r| r.write.clone()).collect();
        let stored: BTreeSet<_> = self.rows.values().map(|r| r.write.clone()).collect();
        assert_eq!(held, stored);
        let told = self.receipts.iter().map(dropped).sum::<u64>();
        assert_eq!(self.receipts.dropped(), told);
    }

    fn keep(&mut self, receipt: Receipt, policies: &Policies) {
        let fresh = &mut self.fresh;
        let next = || {
            *fresh += 1;
            id(2, *fresh)
        };
        let (ops, _) = self.receipts.keep(receipt, policies, next);
        self.apply(ops);
    }

    fn summaries(&self) -> Vec<(Option<String>, u64, u64, u64)> {
        let told = self.receipts.iter().filter_map(|r| match &r.reason {
            Reason::Dropped {
                count,
                pattern,
                first,
            } => {
                let pattern = pattern.as_ref().map(ToString::to_string);
                Some((pattern, *count, first.get(), r.revision.get()))
            }
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn what_is_over_the_bound_becomes_one_number_the_oldest_first() {
    let (mut scene, policies) = (Scene::default(), table(&[("t*", 3)]));
    for seq in 1..=10 {
        scene.keep(lost("t1", seq), &policies);
        scene.keep(lost("other", 100 + seq), &policies);
    }
    assert_eq!(scene.summaries(), [(Some("t*".to_owned()), 7, 1, 7)]);
    assert_eq!(scene.fresh, 7, "a new name whenever it grows");
    let left = scene.receipts.iter().filter(|r| r.key.as_str() == "t1");
    let left: Vec<u64> = left.map(Receipt::count).collect();
    assert_eq!(left, [7, 1, 1, 1]);
    assert_eq!(scene.receipts.len(), 14);
    assert!(scene.receipts.contains(&id(1, 101)), "no bound for it");
}

#[test]
fn a_summary_that_was_taken_is_followed_by_another() {
    let (mut scene, policies) = (Scene::default(), table(&[("*", 1)]));
    for seq in 1..=3 {
        scene.keep(lost("k", seq), &policies);
    }
    let early = scene.receipts.remove(&id(2, 1), &policies);
    assert!(early.is_none(), "it has grown since, so that name is gone");
    let gone = scene.receipts.remove(&id(2, 2), &policies).unwrap();
    assert_eq!(gone.count(), 2);
    scene.apply(vec![rows::delete_receipt(&gone.write)]);
    scene.keep(lost("k", 4), &policies);
    assert_eq!(scene.summaries(), [(Some("*".to_owned()), 1, 3, 3)]);
    assert_eq!(scene.fresh, 3);
}

#[test]
fn a_smaller_bound_and_a_restart_keep_the_count() {
    let (mut scene, before) = (Scene::default(), table(&[("*", 4)]));
    for seq in 1..=6 {
        scene.keep(lost("k", seq), &before);
    }
    let mut back = Receipts::default();
    for receipt in scene.rows.values() {
        back.restore(receipt.clone());
    }
    scene.receipts = back;
    let (ops, summaries) = scene.receipts.regroup(&table(&[("k", 2)]), || id(3, 1));
    scene.apply(ops);
    assert_eq!(summaries.len(), 1, "the other is none of this table's");
    // What was under another pattern keeps its name.
    let expected = [
        (Some("*".to_owned()), 2, 1, 2),
        (Some("k".to_owned()), 2, 3, 4),
    ];
    assert_eq!(scene.summaries(), expected);
    let total: u64 = scene.receipts.iter().map(Receipt::count).sum();
    assert_eq!(total, 6);
}

#[test]
fn summaries_that_wait_are_bounded_too() {
    let (mut scene, policies) = (Scene::default(), table(&[("*", 2)]));
    for seq in 1..=5 {
        let mut summary = lost("k", seq);
        summary.reason = Reason::Dropped {
            count: 10,
            pattern: Some(Pattern::new("*").unwrap()),
            first: Revision::new(seq),
        };
        scene.keep(summary, &policies);
    }
    assert_eq!(scene.receipts.len(), 3);
    let total: u64 = scene.receipts.iter().map(Receipt::count).sum();
    assert_eq!(total, 50);
}

#[test]
fn one_receipt_takes_the_place_of_another_of_its_write() {
    let (mut scene, policies) = (Scene::default(), Policies::default());
    let mut unknown = lost("k", 1);
    unknown.reason = Reason::Unknown;
    unknown.revision = Revision::new(9);
    scene.keep(unknown, &policies);
    scene.keep(lost("k", 1), &policies);
    assert_eq!(scene.receipts.len(), 1);
    assert_eq!(scene.receipts.iter().count(), 1);
    assert_eq!(scene.receipts.of(id(1, 0)..=id(1, 5)).count(), 1);
    let after = (Revision::new(1), true, id(1, 1));
    assert_eq!(scene.receipts.after(Some(&after)).count(), 0);
}
