//! Laws about reading: order, pages, swarms.

use super::{Numbers, StoreFixture, assert_rows, batch, bytes, delete, put, read_all, row, swarm};
use crate::store::Row;

/// Keys with every first byte, the empty key, and keys that are prefixes of each other.
fn keys() -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
    for tail in [&[0][..], &[0, 0], &[0xff], &[0xff, 0xff], b"a", b"aa", b"b"] {
        for head in [0, b'a', 0xff] {
            keys.push([&[head], tail].concat());
        }
    }
    keys.push(Vec::new());
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Rows come in ascending order of their keys' bytes, however they were written.
pub async fn scans_are_in_key_order<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    let expected: Vec<Row> = keys().iter().map(|key| row(key, key)).collect();
    let mut shuffled = keys();
    let mut numbers = Numbers::new(1);
    for end in (1..shuffled.len()).rev() {
        shuffled.swap(end, numbers.below(end + 1));
    }
    for some in shuffled.chunks(17) {
        let ops = some.iter().map(|key| put(key, key));
        store.commit(vec![batch(&s, ops)]).await.unwrap();
    }
    let found = store.scan(&s, None, usize::MAX).await.unwrap();
    assert_rows(&found, &expected, "all at once");
    for (at, key) in keys().iter().enumerate() {
        let found = store.scan(&s, Some(key), 3).await.unwrap();
        let end = expected.len().min(at + 4);
        let what = format!("after \"{}\"", key.escape_ascii());
        assert_rows(&found, &expected[at + 1..end], &what);
    }
    store.close().await.unwrap();
}

/// Pages of any size add up to the whole, large values among small ones; `after` need not be there.
pub async fn pages_join_to_the_whole<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let s = swarm("s");
    let value = |i: u64| bytes(if i.is_multiple_of(7) { 9_000 } else { 10 }, i);
    let expected: Vec<Row> = (0..60).map(|i| row([b'k', i], value(i.into()))).collect();
    let ops = expected.iter().map(|row| put(&row.key, &row.value));
    store.commit(vec![batch(&s, ops)]).await.unwrap();
    for page in [1, 2, 7, 59, 60, 61, 1_000] {
        let found = read_all(&*store, &s, page).await;
        assert_rows(&found, &expected, &format!("pages of {page}"));
    }
    let none = store.scan(&s, None, 0).await.unwrap();
    assert_rows(&none, &[], "a page of none");
    let between = store.scan(&s, Some(&[b'k', 20, 0]), 1).await.unwrap();
    assert_rows(&between, &expected[21..22], "after a key that is not there");
    let before = store.scan(&s, Some(b"a"), 1).await.unwrap();
    assert_rows(&before, &expected[..1], "after a key before all");
    let end = store.scan(&s, Some(b"z"), 1).await.unwrap();
    assert_rows(&end, &[], "after a key past all");
    store.close().await.unwrap();
}

/// Swarms whose names and keys run into each other see their own rows only.
pub async fn swarms_do_not_meet<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let longest = "n".repeat(128);
    let names = ["a", "aa", "aaa", "aab", "b", "A", "a.a", &longest];
    for (number, name) in (0..).zip(names) {
        let s = swarm(name);
        // Joined without a length in between, these would fall together.
        let mut ops: Vec<_> = keys().iter().map(|key| put(key, [number])).collect();
        ops.push(put("aaa", bytes(6_000, number.into())));
        store.commit(vec![batch(&s, ops)]).await.unwrap();
    }
    store
        .commit(vec![batch(&swarm("aa"), keys().iter().map(delete))])
        .await
        .unwrap();
    for (number, name) in (0..).zip(names) {
        let long = row("aaa", bytes(6_000, number.into()));
        let mut expected: Vec<Row> = keys().iter().map(|key| row(key, [number])).collect();
        if name == "aa" {
            expected.clear();
        }
        expected.retain(|row| row.key != long.key);
        if name != "aa" {
            expected.push(long);
        }
        expected.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let found = read_all(&*store, &swarm(name), 100).await;
        assert_rows(&found, &expected, &format!("swarm {name}"));
    }
    store.close().await.unwrap();
}

/// Exactly the swarms with rows, ascending.
pub async fn swarms_with_rows_are_listed<F: StoreFixture>(fixture: &F) {
    let place = fixture.place();
    let store = fixture.open(&place).await;
    let mut names: Vec<String> = ["b", "a", "ab", "a-b", "zz", "0"].map(str::to_owned).into();
    names.extend((0..70).map(|i| format!("many-{i}")));
    for name in &names {
        let ops = [put("row", "value"), put("", "")];
        store.commit(vec![batch(&swarm(name), ops)]).await.unwrap();
    }
    let mut expected: Vec<_> = names.iter().map(|name| swarm(name)).collect();
    expected.sort_unstable();
    assert_eq!(store.swarms().await.unwrap(), expected);
    let gone = swarm("ab");
    store
        .commit(vec![batch(&gone, [delete("row")])])
        .await
        .unwrap();
    assert_eq!(store.swarms().await.unwrap(), expected, "one row is left");
    store
        .commit(vec![batch(&gone, [delete("")])])
        .await
        .unwrap();
    expected.retain(|swarm| *swarm != gone);
    assert_eq!(store.swarms().await.unwrap(), expected, "no row is left");
    store.close().await.unwrap();
}
