//! A hub that is away, comes back, or is another one.

use std::time::Duration;

use swarm_sync::{CacheOptions, CachedClient};

use super::scene::{Scene, TTL, short_lived};
use crate::support::eventually;

async fn until_watching(cache: &CachedClient, watching: bool) {
    eventually("the cache notices", async || {
        (cache.stats().watching == watching).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_the_hub_is_away_what_is_held_lives_out_its_time_and_no_more() {
    let scene = Scene::start().await;
    scene.write("k", 1).await;
    let cache = scene.cache(short_lived()).await;
    cache.get("k").await.unwrap();
    scene.wire.cut_for_good();
    until_watching(&cache, false).await;
    scene.write("k", 2).await;
    let held = cache.get("k").await.unwrap();
    assert_eq!((held.value(), held.from_cache), (Some(&1.into()), true));
    tokio::time::advance(TTL.saturating_sub(held.age)).await;
    let error = cache.get("k").await.unwrap_err().to_string();
    for part in ["cannot be reached", "the test has cut it", "10000 ms"] {
        assert!(error.contains(part), "{error}");
    }
    scene.wire.mend();
    assert_eq!(cache.get("k").await.unwrap().value(), Some(&2.into()));
    until_watching(&cache, true).await;
}

#[tokio::test(start_paused = true)]
async fn a_read_outlives_the_connection_that_it_was_asked_through() {
    let scene = Scene::start().await;
    scene.write("k", 1).await;
    let cache = scene.cache(CacheOptions::default()).await;
    scene.wire.hold_reads();
    let reading = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get("k").await })
    };
    scene.wire.until_held(1).await;
    scene.wire.release_reads();
    scene.wire.cut();
    let read = reading.await.unwrap().unwrap();
    assert_eq!(read.value(), Some(&1.into()));
    assert_eq!(cache.stats().asked, 1);
}

/// Changes that nobody could be told of meanwhile are told when the connection is back.
#[tokio::test(start_paused = true)]
async fn what_changed_while_the_connection_was_lost_ends_when_it_is_back() {
    let scene = Scene::start().await;
    let cache = scene.cache(CacheOptions::default()).await;
    for name in ["changed", "same"] {
        scene.write(name, 1).await;
    }
    scene.told(&cache).await;
    for name in ["changed", "same", "absent"] {
        cache.get(name).await.unwrap();
    }
    scene.wire.cut_for_good();
    until_watching(&cache, false).await;
    scene.write("changed", 2).await;
    scene.wire.mend();
    eventually("the change is told", async || {
        let read = cache.get("changed").await.ok()?;
        (read.value() == Some(&2.into())).then_some(())
    })
    .await;
    for name in ["same", "absent"] {
        assert!(cache.get(name).await.unwrap().from_cache, "{name}");
    }
}

/// It has not kept each change then, and tells the last of each key that has any.
#[tokio::test(start_paused = true)]
async fn a_restart_of_the_hub_ends_what_has_changed_and_nothing_else() {
    let scene = Scene::start().await;
    let cache = scene.cache(CacheOptions::default()).await;
    for name in ["changed", "deleted", "same"] {
        scene.write(name, 1).await;
    }
    scene.told(&cache).await;
    for name in ["changed", "deleted", "same", "absent", "created"] {
        cache.get(name).await.unwrap();
    }
    scene.wire.cut_for_good();
    scene.restart_hub().await;
    scene.write("changed", 2).await;
    scene.write("changed", 3).await;
    scene.delete("deleted").await;
    scene.write("created", 1).await;
    scene.wire.mend();
    scene.told(&cache).await;
    for (name, value) in [
        ("changed", Some(3)),
        ("deleted", None),
        ("created", Some(1)),
    ] {
        let read = cache.get(name).await.unwrap();
        assert_eq!(read.value(), value.map(Into::into).as_ref(), "{name}");
        assert!(!read.from_cache, "{name}");
    }
    for name in ["same", "absent"] {
        assert!(cache.get(name).await.unwrap().from_cache, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_of_a_hub_that_has_lost_its_state() {
    let scene = Scene::start().await;
    scene.write("k", 1).await;
    let cache = scene.cache(CacheOptions::default()).await;
    for name in ["k", "absent"] {
        cache.get(name).await.unwrap();
    }
    scene.wire.cut_for_good();
    scene.lose_state().await;
    scene.wire.mend();
    eventually("the cache notices", async || {
        (cache.stats().invalidations >= 2).then_some(())
    })
    .await;
    for name in ["k", "absent"] {
        let read = cache.get(name).await.unwrap();
        assert_eq!((read.value(), read.from_cache), (None, false), "{name}");
    }
    // And it watches the new one.
    until_watching(&cache, true).await;
    scene.write("k", 5).await;
    scene.told(&cache).await;
    assert_eq!(cache.get("k").await.unwrap().value(), Some(&5.into()));
}

/// What is read before the watch has begun anew may have changed untold.
#[tokio::test(start_paused = true)]
async fn nothing_is_held_from_before_a_watch_begins_anew() {
    let scene = Scene::start().await;
    let cache = scene.cache(CacheOptions::default()).await;
    cache.get("k").await.unwrap();
    scene.wire.cut_for_good();
    scene.lose_state().await;
    scene.write("k", 1).await;
    scene.wire.hold_watches();
    scene.wire.mend();
    eventually("the cache notices", async || {
        let read = cache.get("k").await.ok()?;
        (read.from_cache && read.value() == Some(&1.into())).then_some(())
    })
    .await;
    // Before the watch begins, so it is not told.
    scene.write("k", 2).await;
    scene.wire.release_watches();
    until_watching(&cache, true).await;
    let read = cache.get("k").await.unwrap();
    assert_eq!((read.value(), read.from_cache), (Some(&2.into()), false));
}

#[tokio::test(start_paused = true)]
async fn connecting_needs_a_hub_that_is_there() {
    let scene = Scene::start().await;
    scene.wire.cut_for_good();
    let error = scene.try_cache(short_lived()).await.unwrap_err();
    assert!(error.to_string().contains("the test has cut it"), "{error}");
    scene.wire.mend();
    scene
        .wire
        .slow_down(Duration::from_secs(11)..Duration::from_secs(11));
    let error = scene.try_cache(short_lived()).await.unwrap_err();
    assert!(error.to_string().contains("beginning to watch"), "{error}");
}
