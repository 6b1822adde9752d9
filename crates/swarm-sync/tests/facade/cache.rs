//! The cache of a client without a replica, in virtual time: what it holds, when that ends, and that it
//! never shows anything older than it promised.
//!
//! - `bound`: random writes, reads and losses, against what the hub held when
//! - `losses`: a hub that is away, comes back, or is another one
//! - `once`: many who want the same key, and answers that a change has overtaken
//! - `scene`: a hub, a writer, and a cache behind a wire that a test can cut, slow down and hold up
//! - `wire`: that wire

mod bound;
mod losses;
mod once;
mod scene;
mod wire;

use std::time::Duration;

use swarm_sync::{AgentId, CacheOptions, CachedClient, Pattern, StartError, Value};

use self::scene::{Scene, TTL, short_lived};
use crate::support::{Wire, eventually, flush, key, kind, team};

#[tokio::test(start_paused = true)]
async fn what_was_read_is_held_for_its_lifetime_and_no_longer() {
    let scene = Scene::start().await;
    scene.write("k", 1).await;
    let cache = scene.cache(short_lived()).await;
    let first = cache.get("k").await.unwrap();
    assert_eq!((first.value(), first.from_cache), (Some(&1.into()), false));
    let moment = Duration::from_millis(1);
    let almost = TTL.saturating_sub(moment);
    tokio::time::advance(almost).await;
    let second = cache.get("k").await.unwrap();
    assert!(second.from_cache);
    assert_eq!(second.age, almost);
    tokio::time::advance(moment).await;
    let third = cache.get("k").await.unwrap();
    assert!(!third.from_cache);
    assert_eq!(third.age, Duration::ZERO);
    assert_eq!(cache.version("k").await.unwrap(), third.version());
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.asked), (2, 2, 2));
    assert_eq!(stats.hit_rate(), Some(0.5));
    assert_eq!((stats.entries, stats.invalidations), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_age_counts_from_when_it_was_asked() {
    let scene = Scene::start().await;
    scene.write("k", 1).await;
    let cache = scene.cache(short_lived()).await;
    let slow = Duration::from_millis(300);
    scene.wire.slow_down(slow..slow);
    assert_eq!(cache.get("k").await.unwrap().age, slow);
    tokio::time::advance(TTL.saturating_sub(slow)).await;
    assert!(!cache.get("k").await.unwrap().from_cache);
}

/// The clock that never goes back stands still meanwhile on many systems.
#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_has_aged_what_it_holds() {
    let scene = Scene::start().await;
    scene.write("k", 1).await;
    let cache = scene.cache(short_lived()).await;
    cache.get("k").await.unwrap();
    scene.clock.sleep_through(TTL);
    assert!(!cache.get("k").await.unwrap().from_cache);
}

#[tokio::test(start_paused = true)]
async fn a_change_ends_what_is_held_of_its_key_alone() {
    let scene = Scene::start().await;
    let cache = scene.cache(CacheOptions::default()).await;
    scene.write("k", 1).await;
    scene.write("other", 1).await;
    scene.told(&cache).await;
    for name in ["k", "other"] {
        cache.get(name).await.unwrap();
    }
    let before = cache.stats().invalidations;
    scene.write("k", 2).await;
    scene.told(&cache).await;
    // The key, and the one that tells that it was told.
    assert_eq!(cache.stats().invalidations - before, 2);
    let read = cache.get("k").await.unwrap();
    assert_eq!((read.value(), read.from_cache), (Some(&2.into()), false));
    assert!(cache.get("other").await.unwrap().from_cache);
}

#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_is_held_too() {
    let scene = Scene::start().await;
    let cache = scene.cache(CacheOptions::default()).await;
    assert!(!cache.get("k").await.unwrap().from_cache);
    let nothing = cache.get("k").await.unwrap();
    assert!(nothing.from_cache && nothing.state.is_none());
    assert_eq!(cache.version("k").await.unwrap(), None);
    scene.write("k", 1).await;
    scene.told(&cache).await;
    assert_eq!(cache.get("k").await.unwrap().value(), Some(&1.into()));
    scene.delete("k").await;
    scene.told(&cache).await;
    let deleted = cache.get("k").await.unwrap();
    assert_eq!((deleted.value(), deleted.from_cache), (None, false));
    assert!(cache.get("k").await.unwrap().from_cache);
}

#[tokio::test(start_paused = true)]
async fn it_never_holds_more_than_it_may() {
    let bytes_max = 64 * 1024;
    let scene = Scene::start().await;
    let cache = scene
        .cache(CacheOptions {
            bytes_max,
            ..CacheOptions::default()
        })
        .await;
    for n in 0..200 {
        scene.put(&format!("k{n}"), bytes(1_000)).await;
    }
    scene.told(&cache).await;
    for round in 0..3 {
        for n in 0..200 {
            cache.get(format!("k{n}").as_str()).await.unwrap();
            let stats = cache.stats();
            assert!(stats.bytes <= bytes_max, "{stats:?} in round {round}");
        }
    }
    let full = cache.stats();
    assert!((20..=64).contains(&full.entries), "{full:?}");
    // One that alone is more is read, and not held.
    scene.put("large", bytes(100_000)).await;
    scene.told(&cache).await;
    for _ in 0..2 {
        let read = cache.get("large").await.unwrap();
        assert_eq!(read.value(), Some(&bytes(100_000)));
        assert!(!read.from_cache);
    }
    assert!(cache.stats().entries >= full.entries);
}

fn bytes(length: usize) -> Value {
    Value::Bytes(vec![7; length])
}

/// Only changes that are watched travel, and end what is held before its time.
#[tokio::test(start_paused = true)]
async fn keys_that_are_not_watched_are_held_by_their_age_alone() {
    let scene = Scene::start().await;
    let options = CacheOptions {
        watched: Some(Pattern::new("task_*").unwrap()),
        ..short_lived()
    };
    let cache = scene.cache(options).await;
    for name in ["task_1", "config"] {
        scene.write(name, 1).await;
        cache.get(name).await.unwrap();
        scene.write(name, 2).await;
    }
    eventually("the change is told", async || {
        (cache.stats().invalidations > 0).then_some(())
    })
    .await;
    assert_eq!(cache.get("task_1").await.unwrap().value(), Some(&2.into()));
    assert_eq!(cache.get("config").await.unwrap().value(), Some(&1.into()));
    tokio::time::advance(TTL).await;
    assert_eq!(cache.get("config").await.unwrap().value(), Some(&2.into()));
}

#[tokio::test(start_paused = true)]
async fn answers_that_come_too_late_to_be_young_enough_are_not_shown() {
    let scene = Scene::start().await;
    let cache = scene.cache(short_lived()).await;
    scene.wire.slow_down(TTL..2 * TTL);
    let error = cache.get("k").await.unwrap_err();
    assert!(error.to_string().contains("longer than 1000 ms"), "{error}");
    assert_eq!(cache.stats().asked, 3);
    scene.wire.slow_down(TTL / 2..TTL / 2);
    cache.get("k").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_of_nothing_is_refused() {
    let scene = Scene::start().await;
    let options = CacheOptions {
        ttl: Duration::ZERO,
        ..CacheOptions::default()
    };
    let error = scene.try_cache(options).await.unwrap_err();
    assert!(matches!(error, StartError::Config { .. }));
    assert!(error.to_string().contains("`Client`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_shut_down_says_so_and_is_gone() {
    let scene = Scene::start().await;
    let cache = scene.cache(CacheOptions::default()).await;
    cache.get("k").await.unwrap();
    let connected = scene.connections();
    cache.shutdown().await;
    assert_eq!(kind(cache.get("k").await), "stopped");
    assert_eq!((cache.stats().entries, cache.stats().watching), (0, false));
    scene.until_connected(connected - 1).await;
    // Nobody has to say it.
    let dropped = scene.cache(CacheOptions::default()).await;
    let clone = dropped.clone();
    drop(dropped);
    clone.get("k").await.unwrap();
    drop(clone);
    scene.until_connected(connected - 1).await;
}

#[tokio::test]
async fn it_works_over_every_wire() {
    for wire in Wire::both().await {
        let _hub = wire.memory_hub().await;
        let [writer] = wire.agents::<1>().await;
        let name = AgentId::new("cache").unwrap();
        let cache = CachedClient::connect(wire.link(), team(), name, CacheOptions::default());
        let cache = cache.await.unwrap();
        for n in 0..20 {
            writer.set("k", n).await.unwrap();
            flush(&writer).await;
            eventually("the change is seen", async || {
                let read = cache.get(key("k")).await.expect("the hub is there");
                (read.value() == Some(&Value::Int(n))).then_some(())
            })
            .await;
        }
        assert!(cache.stats().watching);
        cache.shutdown().await;
    }
}
