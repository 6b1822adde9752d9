//! What compression saves on real documents, and what it costs: over TCP on loopback, as the hub and
//! its agents count it. Prints tables; a ratio is not a time, so that criterion has no part in this.
#![expect(clippy::print_stdout, reason = "a table on stdout is what this is for")]

mod documents;

use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_sync::{
    Agent, Coordinator, CoordinatorOptions, Durability, LinkOptions, MemoryStore,
    StateSynchronizer, SwarmId, TcpCoordinator, TcpLink, Traffic, Value,
};

const SWARM: &str = "bench";

/// Small values written in each measurement. The first ones teach the dictionary, and count.
const SMALL_VALUES: usize = 4_000;

/// The same to many agents.
const SMALL_VALUES_TO_MANY: usize = 600;

/// Runs of which the best counts.
const RUNS: usize = 5;

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let documents = documents::all();
    large_states(&documents).await;
    small_values(&documents).await;
    to_many(&documents).await;
    small_values_to_many(&documents).await;
}

/// One document as one key.
async fn large_states(documents: &[(&'static str, serde_json::Value)]) {
    println!("Large states: one document as one key, written by one agent and read by another\n");
    println!(
        "| document | bytes as JSON | on the wire, off | on | saved | CPU, both ends | to read it |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, document) in documents {
        let values = vec![document.clone()];
        let off = measure(&values, 1, false).await.reader.received;
        let on = best(&values, 1).await;
        let read = on.reader.received;
        println!(
            "| {name} | {} | {off} | {read} | {:.1} % | {:.1} ms per MiB | {:.2} ms |",
            document.to_string().len(),
            saved(read, off),
            on.millis_per_mib(),
            // All that it compresses are confirmations, which are too small to try.
            millis(on.reader.compression.cpu_us)
        );
    }
}

/// Parts of documents, each a key of its own.
async fn small_values(documents: &[(&'static str, serde_json::Value)]) {
    println!("\nSmall values: parts of the same documents, each a key and a commit\n");
    println!(
        "| parts of | bytes each as JSON | on the wire, off | on | saved | of the second half | CPU, both ends |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, document) in documents {
        let parts = documents::parts(document, SMALL_VALUES);
        let json: usize = parts.iter().map(|part| part.to_string().len()).sum();
        let off = measure(&parts, 1, false).await;
        let on = best(&parts, 1).await;
        println!(
            "| {name}, {} values | {} | {} | {} | {:.1} % | {:.1} % | {:.1} ms per MiB |",
            parts.len(),
            json / parts.len().max(1),
            off.reader.received,
            on.reader.received,
            saved(on.reader.received, off.reader.received),
            saved(on.second_half(), off.second_half()),
            on.millis_per_mib()
        );
    }
}

/// What one commit costs that goes to many.
async fn to_many(documents: &[(&'static str, serde_json::Value)]) {
    println!("\nOne commit to 100 agents: the whole of the first document\n");
    println!("| | sent by the hub | CPU of the hub | until all have it |");
    println!("|---|---|---|---|");
    let values = vec![documents[0].1.clone()];
    for (name, all) in [
        ("off", measure(&values, 100, false).await),
        ("on", best(&values, 100).await),
    ] {
        println!(
            "| {name} | {} kB | {:.1} ms | {:.0} ms |",
            all.hub.sent / 1_000,
            millis(all.hub.compression.cpu_us),
            all.took.as_secs_f64() * 1e3
        );
    }
}

/// What many small ones do.
async fn small_values_to_many(documents: &[(&'static str, serde_json::Value)]) {
    println!("\nSmall values to 100 agents: parts of the same, each a commit\n");
    println!("| values | sent by the hub | CPU of the hub | for each message to an agent |");
    println!("|---|---|---|---|");
    let parts = documents::parts(&documents[0].1, SMALL_VALUES_TO_MANY);
    let all = best(&parts, 100).await;
    let cpu = all.hub.compression.cpu_us;
    println!(
        "| {} | {} kB | {:.1} ms | {:.2} µs |",
        parts.len(),
        all.hub.sent / 1_000,
        millis(cpu),
        ratio(cpu, parts.len() as u64 * 100)
    );
}

/// What a run moved.
#[derive(Debug, Clone, Copy)]
struct Moved {
    hub: Traffic,
    writer: Traffic,
    reader: Traffic,
    /// What the reader had received when it held the first half of the values.
    first_half: u64,
    took: Duration,
}

impl Moved {
    fn second_half(&self) -> u64 {
        self.reader.received - self.first_half
    }

    /// Each byte is compressed at one end and read at the other.
    fn millis_per_mib(&self) -> f64 {
        let all = self.hub + self.reader + self.writer;
        let bytes = self.hub.received_uncompressed() + self.hub.sent_uncompressed();
        millis(all.compression.cpu_us) / ratio(bytes, 1 << 20)
    }
}

/// Of a few runs the one that the rest of the machine disturbed least.
async fn best(values: &[serde_json::Value], readers: usize) -> Moved {
    let mut best = measure(values, readers, true).await;
    for _ in 1..RUNS {
        let run = measure(values, readers, true).await;
        if run.hub.compression.cpu_us < best.hub.compression.cpu_us {
            best = run;
        }
    }
    best
}

fn saved(on: u64, off: u64) -> f64 {
    100.0 - 100.0 * ratio(on, off)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn millis(micros: u64) -> f64 {
    ratio(micros, 1_000)
}

/// Writes `values` at one agent, one commit each, and waits until `readers` others hold them.
async fn measure(values: &[serde_json::Value], readers: usize, compression: bool) -> Moved {
    let options = CoordinatorOptions {
        compression,
        ..CoordinatorOptions::default()
    };
    let tcp = TcpCoordinator::bind("127.0.0.1:0", options).await;
    let tcp = Arc::new(tcp.expect("loopback can be listened on"));
    let store = Arc::new(MemoryStore::new());
    let hub = StateSynchronizer::builder(store, tcp.clone());
    let hub = hub.start().await.expect("memory opens");
    let start = |name: String| {
        let link = TcpLink::new(tcp.local_addr(), LinkOptions::default());
        async move {
            let agent = Agent::builder(name, link).swarm(SWARM).start().await;
            let agent = agent.expect("memory opens");
            agent.wait_in_step(LIMIT).await.expect("the hub is there");
            agent
        }
    };
    let writer = start("writer".to_owned()).await;
    let mut others = Vec::new();
    for n in 0..readers {
        others.push(start(format!("reader-{n}")).await);
    }
    let since = Instant::now();
    let mut first_half = 0;
    for (n, value) in values.iter().enumerate() {
        let value = Value::try_from(value.clone()).expect("a document is a value");
        let key = format!("doc-{n}");
        writer.set(key.as_str(), value).await.expect("it fits");
        let flushed = writer.flush(Durability::Hub, Some(LIMIT)).await;
        flushed.expect("the hub takes it");
        if n + 1 == values.len() / 2 {
            all_hold(&hub, &others).await;
            first_half = traffic(&others[0]).await.received;
        }
    }
    all_hold(&hub, &others).await;
    let took = since.elapsed();
    let moved = Moved {
        hub: Coordinator::traffic(&*tcp),
        writer: traffic(&writer).await,
        reader: traffic(&others[0]).await,
        first_half,
        took,
    };
    for agent in others.iter().chain([&writer]) {
        agent.shutdown().await;
    }
    hub.shutdown().await;
    moved
}

/// Waits until every agent is where the hub is.
async fn all_hold(hub: &StateSynchronizer, agents: &[Agent]) {
    let swarm = SwarmId::new(SWARM).expect("a name");
    let status = hub.status(&swarm).await.expect("the hub runs");
    for agent in agents {
        loop {
            let state = agent.state().await.expect("it runs");
            let cursor = state.replica.cursor;
            if cursor.is_some_and(|cursor| cursor.revision == status.revision) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn traffic(agent: &Agent) -> Traffic {
    agent.state().await.expect("it runs").traffic
}
