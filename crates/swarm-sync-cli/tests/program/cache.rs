//! The library's cache, as a process of its own beside the program's hub: what other processes write, and
//! hubs that are killed, come back empty or hang.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use swarm_sync::{
    AgentId, CacheOptions, CachedClient, CachedState, LinkOptions, SwarmId, TcpLink, Value,
};

use crate::support::{Hub, PATIENCE, Place};

/// Longer than any test: what ends earlier was ended by what the hub has told.
const FOR_EVER: Duration = Duration::from_hours(1);

/// A lifetime whose end a test can wait for, longer than a hub takes to be killed.
const SHORT: Duration = Duration::from_secs(1);

/// How long a read waits for a hub that does not answer.
const WAIT: Duration = Duration::from_millis(300);

async fn cache(address: &str, ttl: Duration, timeout: Duration) -> CachedClient {
    let link = Arc::new(TcpLink::new(address, LinkOptions::default()));
    let swarm = SwarmId::new("default").expect("a name");
    let name = AgentId::new("dashboard").expect("a name");
    let options = CacheOptions {
        ttl,
        timeout,
        ..CacheOptions::default()
    };
    let cache = CachedClient::connect(link, swarm, name, options).await;
    cache.expect("the hub is there")
}

fn write(hub: &Hub, key: &str, number: i64) {
    let written = hub.client(&["set", key, &number.to_string()]);
    assert!(written.status.success(), "{written:?}");
}

/// Asks the cache again until it has nothing more to learn; fails after a while.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_reads(cache: &CachedClient, key: &str, value: Option<i64>) -> CachedState {
    let value = value.map(Value::Int);
    until("what is waited for", async || {
        let read = cache.get(key).await.ok()?;
        (read.value() == value.as_ref()).then_some(read)
    })
    .await
}

/// What one key held at the hub: each value with when its write was begun and when it was over.
type History = Vec<(Instant, Instant, i64)>;

/// Writes, by a process of its own.
fn note(history: &mut History, hub: &Hub, number: i64) {
    let begun = Instant::now();
    write(hub, "k", number);
    history.push((begun, Instant::now(), number));
}

/// A read that succeeds is no older than it says, nor than it may be: within that time the hub held it.
async fn checked(cache: &CachedClient, history: &History, ttl: Duration) -> Result<bool, String> {
    let read = cache.get("k").await.map_err(|error| error.to_string())?;
    let now = Instant::now();
    assert!(read.age < ttl, "{read:?}");
    let asked = now.checked_sub(read.age).expect("it was asked meanwhile");
    let held = |at: usize| {
        let (begun, _, number) = history[at];
        let replaced = history.get(at + 1).map(|(_, over, _)| *over);
        read.value() == Some(&Value::Int(number))
            && begun <= now
            && replaced.is_none_or(|over| over >= asked)
    };
    assert!((0..history.len()).any(held), "{read:?} of {history:?}");
    Ok(read.from_cache)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_writes_ends_what_is_held_before_its_time() {
    let place = Place::new();
    let hub = place.hub();
    write(&hub, "k", 1);
    let cache = cache(&hub.address, FOR_EVER, PATIENCE).await;
    until_reads(&cache, "k", Some(1)).await;
    assert!(cache.get("k").await.expect("it is held").from_cache);
    assert_eq!(cache.get("other").await.expect("answered").value(), None);

    // A command that asks the hub and leaves, then a replica that pushes, then the end of the key.
    write(&hub, "k", 2);
    until_reads(&cache, "k", Some(2)).await;
    let mut agent = place.agent(&hub, "agent-1");
    agent.in_step();
    agent.set("k", &json!(3));
    until_reads(&cache, "k", Some(3)).await;
    assert!(hub.client(&["delete", "k"]).status.success());
    until_reads(&cache, "k", None).await;

    // What nobody has changed is still what was read first.
    assert!(cache.get("other").await.expect("it is held").from_cache);
    let stats = cache.stats();
    assert!(stats.invalidations >= 3 && stats.watching, "{stats:?}");
    assert!(stats.hit_rate().is_some_and(|rate| rate > 0.0), "{stats:?}");
    cache.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_is_older_than_its_bound_through_kills_of_the_hub() {
    let place = Place::new();
    let mut hub = place.hub();
    let address = hub.address.clone();
    let mut history = History::new();
    note(&mut history, &hub, 0);
    let cache = cache(&address, SHORT, WAIT).await;
    for kill in 0..3 {
        until("the cache holds it", async || {
            checked(&cache, &history, SHORT).await.ok()?.then_some(())
        })
        .await;
        hub.process.kill();
        // For a while it shows what it holds; then it says that it cannot know.
        let refused = until("the end of what is held", async || {
            match checked(&cache, &history, SHORT).await {
                Ok(from_cache) => {
                    assert!(from_cache, "nobody else could have said so");
                    None
                }
                Err(reason) => Some(reason),
            }
        })
        .await;
        assert!(refused.contains("cannot be reached"), "{refused}");
        assert!(!cache.stats().watching);

        hub = Hub::start_at(&place.path("hub"), &address);
        note(&mut history, &hub, kill + 1);
        let newest = Value::Int(kill + 1);
        until("the new value is read", async || {
            checked(&cache, &history, SHORT).await.ok()?;
            let read = cache.get("k").await.ok()?;
            (read.value() == Some(&newest)).then_some(())
        })
        .await;
    }
}

/// Nobody could tell of it meanwhile, so the hub tells of it when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_the_connection_was_lost_ends_once_the_hub_is_back() {
    let place = Place::new();
    let hub = place.hub();
    let address = hub.address.clone();
    write(&hub, "changed", 1);
    write(&hub, "same", 1);
    let cache = cache(&address, FOR_EVER, PATIENCE).await;
    for key in ["changed", "same"] {
        until_reads(&cache, key, Some(1)).await;
    }
    hub.process.kill();
    until("the loss is noticed", async || {
        (!cache.stats().watching).then_some(())
    })
    .await;
    let read = cache.get("changed").await.expect("it is held");
    assert_eq!((read.value(), read.from_cache), (Some(&1.into()), true));

    let hub = Hub::start_at(&place.path("hub"), &address);
    write(&hub, "changed", 2);
    until_reads(&cache, "changed", Some(2)).await;
    assert!(cache.get("same").await.expect("it is held").from_cache);

    // A hub with another directory is another hub: nothing that was read before counts.
    hub.process.kill();
    let _other = Hub::start_at(&place.path("other"), &address);
    for key in ["changed", "same"] {
        until_reads(&cache, key, None).await;
    }
}

/// It takes connections and bytes, and answers nothing.
#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn a_hub_that_hangs_makes_no_read_older_and_none_wait_longer() {
    let place = Place::new();
    let hub = place.hub();
    let mut history = History::new();
    note(&mut history, &hub, 1);
    let cache = cache(&hub.address, SHORT, WAIT).await;
    until("the cache holds it", async || {
        checked(&cache, &history, SHORT).await.ok()?.then_some(())
    })
    .await;
    hub.process.signal("STOP");
    let refused = until("the end of what is held", async || {
        checked(&cache, &history, SHORT).await.err()
    })
    .await;
    assert!(
        refused.contains("reading k from the hub") && refused.contains("300 ms"),
        "{refused}"
    );
    // Nor does one that asks for what was never held.
    let asked = Instant::now();
    assert!(cache.get("never").await.is_err());
    assert!(asked.elapsed() < PATIENCE / 2, "{:?}", asked.elapsed());

    hub.process.signal("CONT");
    note(&mut history, &hub, 2);
    until("the new value is read", async || {
        checked(&cache, &history, SHORT).await.ok()?;
        let read = cache.get("k").await.ok()?;
        (read.value() == Some(&Value::Int(2))).then_some(())
    })
    .await;
}
