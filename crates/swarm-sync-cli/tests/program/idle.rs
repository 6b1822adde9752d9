//! What connections cost a hub on which nothing happens.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use swarm_sync::tls::{AgentTls, AgentTlsFiles};
use swarm_sync::{AgentId, Client, Key, LinkOptions, SwarmId, TcpLink};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use crate::security::Secured;
use crate::support::{Hub, PATIENCE, Place};

/// As many as a swarm may have agents that have nothing to say.
const CONNECTIONS: usize = 1_000;

/// Handshakes under way at once: a storm is another matter.
const AT_ONCE: usize = 50;

/// A connection over TLS may take so much more of a hub's memory than one in the clear. Found: see
/// docs/performance.md; the rest is for other allocators and machines.
const TLS_BYTES_MAX: u64 = 64 << 10;

/// How often each is heard of: well within the time after which a hub gives up on who is silent.
const HEARD_EVERY: Duration = Duration::from_secs(2);

/// Clients that stay for as long as this does. All of them have been answered once.
fn crowd(count: usize, link: &TcpLink) -> Runtime {
    let runtime = Runtime::new().expect("a runtime");
    let (answered, mut heard) = mpsc::channel(count);
    let handshakes = Arc::new(Semaphore::new(AT_ONCE));
    for _ in 0..count {
        let (link, mut answered) = (link.clone(), Some(answered.clone()));
        let handshakes = Arc::clone(&handshakes);
        runtime.spawn(async move {
            let turn = handshakes.acquire_owned().await.expect("it stays open");
            let mut client = connect(&link).await;
            drop(turn);
            loop {
                let key = Key::new("k").expect("a key");
                client.version(key).await.expect("an answer");
                if let Some(first) = answered.take() {
                    first.send(()).await.expect("it is waited for");
                }
                sleep(HEARD_EVERY).await;
            }
        });
    }
    drop(answered);
    runtime.block_on(async {
        for _ in 0..count {
            heard.recv().await.expect("each is let in and answered");
        }
    });
    runtime
}

async fn connect(link: &TcpLink) -> Client {
    let swarm = SwarmId::new("team").expect("a name");
    let name = AgentId::new("agent-1").expect("a name");
    Client::connect(link, swarm, name, PATIENCE)
        .await
        .expect("let in")
}

/// What a hub's process takes of memory, in bytes.
fn resident(hub: &Hub) -> u64 {
    let path = format!("/proc/{}/status", hub.process.child.id());
    let status = std::fs::read_to_string(path).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib.and_then(|kib| kib.parse().ok()).expect("a number");
    kib << 10
}

/// What a hub takes without and with so many connections more.
fn measure(hub: &Hub, link: &TcpLink, count: usize) -> [u64; 2] {
    // What the first ones make the hub set up is not theirs.
    let first = crowd(AT_ONCE, link);
    let before = resident(hub);
    let more = crowd(count, link);
    let after = resident(hub);
    drop((first, more));
    [before, after]
}

/// Fewer where this process, which runs other tests beside this one, may not open as many files.
fn affordable() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    match soft {
        Some(0..4_096) => CONNECTIONS / 4,
        _ => CONNECTIONS,
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "what was measured is its result")]
fn a_connection_over_tls_that_is_idle_takes_little_of_the_hubs_memory() {
    let count = affordable();
    let options = LinkOptions {
        connect: PATIENCE,
        hello: PATIENCE,
        ..LinkOptions::default()
    };
    let place = Place::new();
    let plain = place.hub();
    let link = TcpLink::new(&plain.address, options.clone());
    let in_the_clear = measure(&plain, &link, count);
    drop(plain);

    let secured = Secured::new();
    let files = secured.agent("agent-1");
    let hub = secured.serve(&[]);
    let tls = AgentTlsFiles {
        ca: PathBuf::from(&files[3]),
        certificate: Some((PathBuf::from(&files[5]), PathBuf::from(&files[7]))),
        token: None,
    };
    let tls = Arc::new(AgentTls::load(tls).expect("in order"));
    let link = TcpLink::new(&hub.address, options).with_tls(tls);
    let encrypted = measure(&hub, &link, count);
    let mut each = Vec::new();
    for [before, after] in [in_the_clear, encrypted] {
        let bytes = after.saturating_sub(before) / count as u64;
        let [before, after] = [before >> 10, after >> 10];
        println!("{count} connections: {before} KiB, {after} KiB with them, {bytes} bytes each");
        each.push(bytes);
    }
    assert!(each[1] <= each[0] + TLS_BYTES_MAX, "{each:?}");
}
