//! Laws about a store's life: empty, closed, opened again.

use super::{StoreFixture, assert_rows, batch, bytes, delete, put, read_all, row, swarm};
use crate::store::{Durability, Row, StoreError};

/// A new store has no swarms and no rows, and takes a delete.
pub async fn an_empty_store_has_nothing<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    assert_eq!(store.swarms().await.unwrap(), []);
    assert_rows(&read_all(&*store, &s, 10).await, &[], "an empty store");
    let after = store.scan(&s, Some(b"k"), 10).await.unwrap();
    assert_rows(&after, &[], "an empty store, after a key");
    store.commit(vec![batch(&s, [delete("k")])]).await.unwrap();
    assert_eq!(store.swarms().await.unwrap(), []);
    store.close().await.unwrap();
}

/// What was acknowledged is there after closing and opening, several times over. Does nothing on a
/// store of [`Durability::Memory`].
pub async fn reopening_keeps_every_row<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let (s, t) = (swarm("s"), swarm("t"));
    let mut expected: Vec<Row> = Vec::new();
    for round in 0..5_u8 {
        let store = fixture.open(&place).await;
        if store.durability() == Durability::Memory {
            store.close().await.unwrap();
            return;
        }
        let found = read_all(&*store, &s, 50).await;
        assert_rows(&found, &expected, &format!("opened {round} times"));
        let large = bytes(30_000 + usize::from(round), round.into());
        let mut ops = vec![put("large", &large), put([b'r', round], [round])];
        ops.extend((0..70).map(|i| put([b'm', i], [round])));
        let mut other = vec![put([round], "other")];
        if round > 0 {
            other.push(delete([round - 1]));
        }
        store
            .commit(vec![batch(&s, ops), batch(&t, other)])
            .await
            .unwrap();
        expected.retain(|row| row.key[0] == b'r');
        expected.push(row([b'r', round], [round]));
        expected.push(row("large", large));
        expected.extend((0..70).map(|i| row([b'm', i], [round])));
        expected.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        assert_eq!(store.swarms().await.unwrap(), [s.clone(), t.clone()]);
        let found = read_all(&*store, &t, 50).await;
        assert_rows(&found, &[row([round], "other")], "the other swarm");
        store.close().await.unwrap();
    }
}

/// After `close` every call is `Closed`, without a reason: nothing went wrong.
pub async fn a_closed_store_refuses_every_call<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    store
        .commit(vec![batch(&s, [put("k", "v")])])
        .await
        .unwrap();
    store.close().await.unwrap();
    let refused = [
        store.commit(vec![batch(&s, [put("k", "w")])]).await.err(),
        store.scan(&s, None, 1).await.err(),
        store.swarms().await.err(),
    ];
    for error in refused {
        assert!(
            matches!(error, Some(StoreError::Closed { reason: None })),
            "{error:?}"
        );
    }
}

/// Closing twice, and at the same time, is no error, and what was under way is carried out.
pub async fn closing_twice_is_no_error<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    let ops = (0..200).map(|i| put([i], [i]));
    let (committed, first, second) = tokio::join!(
        biased;
        store.commit(vec![batch(&s, ops)]),
        store.close(),
        store.close(),
    );
    committed.unwrap();
    first.unwrap();
    second.unwrap();
    store.close().await.unwrap();
    let store = fixture.open(&place).await;
    if store.durability() != Durability::Memory {
        assert_eq!(read_all(&*store, &s, 64).await.len(), 200);
    }
    store.close().await.unwrap();
}
