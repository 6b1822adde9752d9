//! A reader without a replica, in a process of its own: it holds what it has read until the hub tells that
//! somebody else has changed it, and never longer than it says. Starts the hub and the writer as processes,
//! too, and kills the hub in the end.
//!
//! `cargo run -p swarm-sync --example dashboard`; also a test, as `cargo test -p swarm-sync` runs it.
#![expect(clippy::print_stdout, reason = "an example that shows what it does")]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_sync::{
    Agent, AgentId, CacheOptions, CachedClient, CoordinatorOptions, Durability, LinkOptions,
    MemoryStore, Pattern, StateSynchronizer, SwarmId, TcpCoordinator, TcpLink, Value,
};

type Done = Result<(), Box<dyn Error>>;

/// How old what the dashboard shows may be, whatever becomes of the hub.
const TTL: Duration = Duration::from_secs(2);

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::main]
async fn main() -> Done {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["as-hub"] => serve().await,
        ["as-writer", address, limit] => write(address, limit.parse()?).await,
        _ => dashboard().await,
    }
}

/// A hub: says where it listens, and serves until it is killed or nobody is left to hear it.
async fn serve() -> Done {
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", CoordinatorOptions::default()).await?;
    writeln!(std::io::stdout(), "{}", coordinator.local_addr())?;
    let store = Arc::new(MemoryStore::new());
    let hub = StateSynchronizer::builder(store, Arc::new(coordinator));
    let _hub = hub.start().await?;
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await?;
    Ok(())
}

/// An agent with a replica, which writes once and leaves.
async fn write(address: &str, limit: i64) -> Done {
    let link = TcpLink::new(address, LinkOptions::default());
    let agent = Agent::builder("writer", link).swarm("team").start().await?;
    agent.set("limit_requests", limit).await?;
    agent.flush(Durability::Hub, Some(PATIENCE)).await?;
    agent.shutdown().await;
    Ok(())
}

async fn dashboard() -> Done {
    let (mut hub, address) = start_hub()?;
    run_writer(&address, 10)?;
    let options = CacheOptions {
        ttl: TTL,
        timeout: Duration::from_millis(500),
        // Only changes of these travel here.
        watched: Some(Pattern::new("limit_*")?),
        ..CacheOptions::default()
    };
    let (swarm, name) = (SwarmId::new("team")?, AgentId::new("dashboard")?);
    let link = Arc::new(TcpLink::new(address.as_str(), LinkOptions::default()));
    let cache = CachedClient::connect(link, swarm, name, options).await?;
    for _ in 0..100 {
        assert_eq!(shown(&cache).await?, Some(10));
    }
    // The hub was asked once, and again whenever two seconds were over.
    let stats = cache.stats();
    println!(
        "{:.0} % of 100 reads were of what was held",
        stats.hit_rate().unwrap_or_default() * 100.0
    );
    assert!(stats.asked < 100, "{stats:?}");

    // What another process writes is told, and read anew.
    run_writer(&address, 20)?;
    let written = Instant::now();
    while shown(&cache).await? != Some(20) {
        assert!(written.elapsed() < PATIENCE, "nobody tells of the change");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("the new value is shown {:?} later", written.elapsed());

    // Without a hub what is held is shown until it is too old; then there is a sentence instead.
    hub.kill()?;
    hub.wait()?;
    let killed = Instant::now();
    let refused = loop {
        match cache.get("limit_requests").await {
            Ok(read) => assert!(read.age < TTL, "{read:?}"),
            Err(error) => break error.to_string(),
        }
        assert!(killed.elapsed() < PATIENCE, "it is shown for ever");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    println!("{:?} after the hub was killed: {refused}", killed.elapsed());
    assert!(refused.contains("cannot be reached"), "{refused}");
    cache.shutdown().await;
    Ok(())
}

/// What the dashboard shows.
async fn shown(cache: &CachedClient) -> Result<Option<i64>, Box<dyn Error>> {
    let read = cache.get("limit_requests").await?;
    assert!(read.age < TTL, "{read:?}");
    Ok(match read.value() {
        Some(Value::Int(limit)) => Some(*limit),
        _ => None,
    })
}

/// A hub in a process of its own, which ends with this one at the latest, and its address.
fn start_hub() -> Result<(Child, String), Box<dyn Error>> {
    let mut hub = Command::new(std::env::current_exe()?)
        .arg("as-hub")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let said = hub.stdout.take().ok_or("the hub has no output")?;
    let mut address = String::new();
    BufReader::new(said).read_line(&mut address)?;
    Ok((hub, address.trim().to_owned()))
}

/// Has another process write.
fn run_writer(address: &str, limit: i64) -> Done {
    let ended = Command::new(std::env::current_exe()?)
        .args(["as-writer", address, &limit.to_string()])
        .status()?;
    if !ended.success() {
        return Err(format!("the writer has failed: {ended}").into());
    }
    Ok(())
}
