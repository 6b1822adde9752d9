//! Many who want the same key at once, and answers that a change has overtaken.

use swarm_sync::{CacheOptions, CachedClient, CachedState, RequestError, Value};
use tokio::task::JoinHandle;

use super::scene::Scene;
use crate::support::eventually;

fn get(cache: &CachedClient, name: &'static str) -> JoinHandle<Result<CachedState, RequestError>> {
    let cache = cache.clone();
    tokio::spawn(async move { cache.get(name).await })
}

async fn value(read: JoinHandle<Result<CachedState, RequestError>>) -> Option<Value> {
    let read = read.await.expect("no read panics");
    read.expect("the hub is there").value().cloned()
}

#[tokio::test(start_paused = true)]
async fn those_who_miss_the_same_key_ask_once() {
    let scene = Scene::start().await;
    scene.write("k", 1).await;
    let cache = scene.cache(CacheOptions::default()).await;
    scene.wire.hold_reads();
    let reads: Vec<_> = (0..50).map(|_| get(&cache, "k")).collect();
    scene.wire.until_held(1).await;
    assert_eq!((cache.stats().misses, cache.stats().asked), (50, 1));
    scene.wire.release_reads();
    for read in reads {
        assert_eq!(value(read).await, Some(1.into()));
    }
    assert_eq!(cache.stats().asked, 1);
}

#[tokio::test(start_paused = true)]
async fn keys_do_not_wait_for_each_other() {
    let scene = Scene::start().await;
    let cache = scene.cache(CacheOptions::default()).await;
    scene.wire.hold_reads();
    let reads = [get(&cache, "a"), get(&cache, "b"), get(&cache, "c")];
    scene.wire.until_held(3).await;
    scene.wire.release_reads();
    for read in reads {
        assert_eq!(value(read).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn if_the_one_who_asks_gives_up_the_next_one_asks() {
    let scene = Scene::start().await;
    scene.write("k", 1).await;
    let cache = scene.cache(CacheOptions::default()).await;
    scene.wire.hold_reads();
    let first = get(&cache, "k");
    scene.wire.until_held(1).await;
    let others = [get(&cache, "k"), get(&cache, "k")];
    tokio::task::yield_now().await;
    assert_eq!((cache.stats().misses, cache.stats().asked), (3, 1));
    first.abort();
    scene.wire.until_held(2).await;
    assert_eq!(cache.stats().asked, 2);
    scene.wire.release_reads();
    for read in others {
        assert_eq!(value(read).await, Some(1.into()));
    }
    assert!(cache.get("k").await.unwrap().from_cache);
}

/// Has the hub answer a read of `k`, and change it, so that the answer arrives after the change was told.
async fn overtaken(
    scene: &Scene,
    cache: &CachedClient,
) -> JoinHandle<Result<CachedState, RequestError>> {
    for name in ["k", "mark"] {
        scene.write(name, 1).await;
    }
    scene.told(cache).await;
    let before = cache.stats().invalidations;
    scene.wire.hold_reads();
    let overtaken = get(cache, "k");
    scene.wire.until_held(1).await;
    scene.write("k", 2).await;
    scene.write("mark", 2).await;
    // The changes are told in order: this one, so the other as well.
    eventually("the changes are told", async || {
        (cache.stats().invalidations > before).then_some(())
    })
    .await;
    overtaken
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_change_has_overtaken_is_not_held() {
    let scene = Scene::start().await;
    let cache = scene.cache(CacheOptions::default()).await;
    let overtaken = overtaken(&scene, &cache).await;
    scene.wire.release_reads();
    // It was wanted before the change was told.
    assert_eq!(value(overtaken).await, Some(1.into()));
    let read = cache.get("k").await.unwrap();
    assert_eq!((read.value(), read.from_cache), (Some(&2.into()), false));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_an_answer_that_a_change_has_overtaken() {
    let scene = Scene::start().await;
    let cache = scene.cache(CacheOptions::default()).await;
    let overtaken = overtaken(&scene, &cache).await;
    let later = get(&cache, "k");
    scene.wire.until_held(2).await;
    scene.wire.release_reads();
    assert_eq!(value(overtaken).await, Some(1.into()));
    assert_eq!(value(later).await, Some(2.into()));
    let held = cache.get("k").await.unwrap();
    assert_eq!((held.value(), held.from_cache), (Some(&2.into()), true));
}
