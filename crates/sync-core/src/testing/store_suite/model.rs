//! The randomised law: a store is a sorted map per swarm.

use std::collections::BTreeMap;

use super::{Numbers, StoreFixture, assert_rows, batch, bytes, delete, put, swarm};
use crate::id::SwarmId;
use crate::store::{Batch, Durability, Row, RowOp, Store};

const SEEDS: std::ops::Range<u64> = 0..4;
const STEPS: usize = 120;

type Model = BTreeMap<SwarmId, BTreeMap<Vec<u8>, Vec<u8>>>;

/// Random commits, scans and restarts against a map, with a few fixed seeds.
pub async fn a_store_behaves_like_a_map<F: StoreFixture>(fixture: &F) {
    for seed in SEEDS {
        a_store_behaves_like_a_map_with_seed(fixture, seed).await;
    }
}

/// The same with a seed of yours: one that failed, or one more.
pub async fn a_store_behaves_like_a_map_with_seed<F: StoreFixture>(fixture: &F, seed: u64) {
    let place = fixture.place();
    let mut store = fixture.open(&place).await;
    let mut numbers = Numbers::new(seed);
    let mut model = Model::new();
    for step in 0..STEPS {
        let what = format!("seed {seed}, step {step}");
        match numbers.below(20) {
            0 if store.durability() != Durability::Memory => {
                store.close().await.unwrap();
                store = fixture.open(&place).await;
                check_all(&*store, &model, &what).await;
            }
            1..=6 => check_page(&*store, &model, &mut numbers, &what).await,
            _ => {
                let group = random_group(&mut numbers);
                apply(&mut model, &group);
                let committed = store.commit(group).await;
                assert!(committed.is_ok(), "{what}: {committed:?}");
            }
        }
    }
    check_all(&*store, &model, &format!("seed {seed}, at the end")).await;
    store.close().await.unwrap();
}

fn random_swarm(numbers: &mut Numbers) -> SwarmId {
    swarm(numbers.pick(&["a", "aa", "b"]))
}

/// Few enough keys that they are written again and again.
fn random_key(numbers: &mut Numbers) -> Vec<u8> {
    let head = numbers.pick(&[0, b'a', b'r', b'v', 0xff]);
    let mut key = vec![head; numbers.below(4)];
    if numbers.below(2) == 0 {
        key.push(u8::try_from(numbers.below(40)).unwrap());
    }
    key
}

fn random_op(numbers: &mut Numbers) -> RowOp {
    let key = random_key(numbers);
    if numbers.below(4) == 0 {
        return delete(key);
    }
    let length = match numbers.below(20) {
        0 => 4_000 + numbers.below(200),
        1 => numbers.below(40_000),
        _ => numbers.below(50),
    };
    put(key, bytes(length, numbers.next()))
}

fn random_group(numbers: &mut Numbers) -> Vec<Batch> {
    let batches = numbers.below(6);
    (0..batches)
        .map(|_| {
            let ops = match numbers.below(8) {
                0 => 40 + numbers.below(200),
                _ => numbers.below(8),
            };
            let swarm = random_swarm(numbers);
            let ops: Vec<RowOp> = (0..ops).map(|_| random_op(numbers)).collect();
            batch(&swarm, ops)
        })
        .collect()
}

fn apply(model: &mut Model, group: &[Batch]) {
    for Batch { swarm, ops } in group {
        let rows = model.entry(swarm.clone()).or_default();
        for op in ops {
            match op {
                RowOp::Put { key, value } => {
                    rows.insert(key.to_vec(), value.to_vec());
                }
                RowOp::Delete { key } => {
                    rows.remove(&key[..]);
                }
            }
        }
    }
    model.retain(|_, rows| !rows.is_empty());
}

async fn check_page(store: &dyn Store, model: &Model, numbers: &mut Numbers, what: &str) {
    let swarm = random_swarm(numbers);
    let after = (numbers.below(4) > 0).then(|| random_key(numbers));
    let limit = numbers.below(30);
    let found = store.scan(&swarm, after.as_deref(), limit).await.unwrap();
    let expected: Vec<Row> = rows_of(model, &swarm)
        .into_iter()
        .filter(|row| after.as_deref().is_none_or(|after| &row.key[..] > after))
        .take(limit)
        .collect();
    assert_rows(&found, &expected, what);
}

async fn check_all(store: &dyn Store, model: &Model, what: &str) {
    let swarms: Vec<SwarmId> = model.keys().cloned().collect();
    assert_eq!(store.swarms().await.unwrap(), swarms, "{what}");
    for swarm in swarms {
        let found = store.scan(&swarm, None, usize::MAX).await.unwrap();
        assert_rows(&found, &rows_of(model, &swarm), what);
    }
}

fn rows_of(model: &Model, swarm: &SwarmId) -> Vec<Row> {
    let rows = model.get(swarm).into_iter().flatten();
    rows.map(|(key, value)| super::row(key, value)).collect()
}
