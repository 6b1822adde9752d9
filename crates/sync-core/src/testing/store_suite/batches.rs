//! Laws about commits: order, atomicity, sizes, concurrency.

use tokio::task::JoinSet;

use super::{StoreFixture, assert_rows, batch, bytes, delete, put, read_all, row, swarm};
use crate::store::{ROW_KEY_BYTES_MAX, Row, StoreError};

/// Puts write, deletes remove, a delete of nothing is no error.
pub async fn ops_of_a_batch_apply_in_order<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    let first = batch(&s, [put("a", "1"), put("b", "2"), put("c", "3")]);
    store.commit(vec![first]).await.unwrap();
    let second = batch(&s, [delete("b"), delete("nothing"), put("a", "4")]);
    store.commit(vec![second]).await.unwrap();
    let found = read_all(&*store, &s, 10).await;
    assert_rows(&found, &[row("a", "4"), row("c", "3")], "after two batches");
    store.close().await.unwrap();
}

/// Of several ops on one key in one batch the last counts.
pub async fn a_later_op_on_a_key_wins<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    let long = bytes(10_000, 1);
    let ops = [
        put("put twice", &long),
        put("put twice", "2"),
        put("put and deleted", &long),
        delete("put and deleted"),
        delete("deleted and put"),
        put("deleted and put", &long),
    ];
    store.commit(vec![batch(&s, ops)]).await.unwrap();
    let found = read_all(&*store, &s, 10).await;
    let expected = [row("deleted and put", &long), row("put twice", "2")];
    assert_rows(&found, &expected, "the last op");
    store.close().await.unwrap();
}

/// A group's batches apply one after the other, whatever their sizes and swarms.
pub async fn a_group_commits_all_its_batches_in_order<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let (s, t) = (swarm("s"), swarm("t"));
    let mut group = Vec::new();
    for number in 0..300_u32 {
        let rows = if number % 50 == 49 { 100 } else { 1 };
        let own = (0..rows).map(|i| put(format!("{number:04}/{i}"), number.to_le_bytes()));
        let shared = put("last", number.to_le_bytes());
        let swarm = if number % 3 == 0 { &t } else { &s };
        group.push(batch(swarm, own.chain([shared])));
    }
    store.commit(group).await.unwrap();
    store.commit(Vec::new()).await.unwrap();
    store.commit(vec![batch(&s, [])]).await.unwrap();
    for (swarm, last, rows) in [(&s, 299_u32, 200 + 4 * 99 + 1), (&t, 297, 100 + 2 * 99 + 1)] {
        let found = read_all(&*store, swarm, 64).await;
        assert_eq!(found.len(), rows, "rows of {swarm}");
        let shared = found.last().unwrap();
        assert_eq!(*shared, row("last", last.to_le_bytes()));
    }
    store.close().await.unwrap();
}

/// One row key over the limit anywhere refuses the group; one at the limit does not.
pub async fn a_refused_group_changes_nothing<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    let longest = vec![b'k'; ROW_KEY_BYTES_MAX];
    let too_long = vec![b'k'; ROW_KEY_BYTES_MAX + 1];
    store
        .commit(vec![batch(&s, [put("kept", "1")])])
        .await
        .unwrap();
    for op in [put(&too_long, "x"), delete(&too_long)] {
        let group = vec![
            batch(&s, [put("new", "2"), delete("kept")]),
            batch(&s, [put("newer", "3"), op]),
        ];
        let refused = store.commit(group).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::RowKeyTooLong { bytes } if bytes == too_long.len()),
            "{refused}"
        );
        let found = read_all(&*store, &s, 10).await;
        assert_rows(&found, &[row("kept", "1")], "after a refused group");
    }
    let value = bytes(5_000, 2);
    store
        .commit(vec![batch(&s, [put(&longest, &value)])])
        .await
        .unwrap();
    let found = read_all(&*store, &s, 10).await;
    let expected = [row("kept", "1"), row(&longest, &value)];
    assert_rows(&found, &expected, "with the longest key");
    store.close().await.unwrap();
}

/// Batches of one row to a thousand, written, rewritten and removed.
pub async fn batches_of_any_size_commit_whole<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    for rows in [1, 2, 62, 63, 64, 65, 128, 1_000_u32] {
        let s = swarm(&format!("of-{rows}"));
        for round in 0..2_u8 {
            let ops = (0..rows).map(|i| put(i.to_be_bytes(), [round; 20]));
            store.commit(vec![batch(&s, ops)]).await.unwrap();
            let expected: Vec<Row> = (0..rows)
                .map(|i| row(i.to_be_bytes(), [round; 20]))
                .collect();
            let found = read_all(&*store, &s, 300).await;
            assert_rows(&found, &expected, &format!("{rows} rows, round {round}"));
        }
        let ops = (0..rows).map(|i| delete(i.to_be_bytes()));
        store.commit(vec![batch(&s, ops)]).await.unwrap();
        let found = read_all(&*store, &s, 10).await;
        assert_rows(&found, &[], &format!("{rows} rows, removed"));
    }
    store.close().await.unwrap();
}

/// Values around every size at which a store might change how it keeps them, each replaced by each.
pub async fn values_of_any_size_come_back<F: StoreFixture>(fixture: &F) {
    const SIZES: [usize; 10] = [0, 1, 3_993, 4_078, 4_096, 4_198, 8_156, 65_536, 1 << 20, 0];
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    let neighbours = [put("j", "before"), put("l", "after")];
    store.commit(vec![batch(&s, neighbours)]).await.unwrap();
    for (i, from) in SIZES.into_iter().enumerate() {
        for (j, to) in SIZES.into_iter().enumerate() {
            // A megabyte by a megabyte is not worth its time more than once.
            if from + to > 1 << 20 && from != 1 && to != 1 {
                continue;
            }
            for (size, salt) in [(from, i), (to, 100 + j)] {
                let value = bytes(size, salt as u64);
                store
                    .commit(vec![batch(&s, [put("k", &value)])])
                    .await
                    .unwrap();
                let expected = [row("j", "before"), row("k", &value), row("l", "after")];
                let found = read_all(&*store, &s, 2).await;
                assert_rows(&found, &expected, &format!("{from} replaced by {to} bytes"));
            }
        }
    }
    store.commit(vec![batch(&s, [delete("k")])]).await.unwrap();
    let found = read_all(&*store, &s, 2).await;
    assert_rows(&found, &[row("j", "before"), row("l", "after")], "removed");
    store.close().await.unwrap();
}

/// 64 tasks commit at the same time; each sees its own rows at once, and all are there at the end.
pub async fn concurrent_commits_all_land<F: StoreFixture>(fixture: &F) {
    const TASKS: u32 = 64;
    const COMMITS: u32 = 8;
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (store, s) = (store.clone(), s.clone());
        tasks.spawn(async move {
            for number in 0..COMMITS {
                // Every task now and then has a batch that is larger than most stores' atomic step.
                let rows = if (task + number) % 16 == 0 { 80 } else { 2 };
                let key = |i: u32| format!("{task:02}/{number}/{i:02}");
                let ops = (0..rows).map(|i| put(key(i), number.to_le_bytes()));
                store.commit(vec![batch(&s, ops)]).await.unwrap();
                let before = format!("{task:02}/{number}/");
                let own = store.scan(&s, Some(before.as_bytes()), 80).await.unwrap();
                let own = own
                    .iter()
                    .filter(|row| row.key.starts_with(before.as_bytes()));
                assert_eq!(own.count(), rows as usize, "read your writes");
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let large = (0..TASKS)
        .flat_map(|task| (0..COMMITS).map(move |number| task + number))
        .filter(|sum| sum % 16 == 0)
        .count();
    let expected = large * 80 + ((TASKS * COMMITS) as usize - large) * 2;
    assert_eq!(read_all(&*store, &s, 500).await.len(), expected);
    store.close().await.unwrap();
}
