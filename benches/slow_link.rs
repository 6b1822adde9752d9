//! How long a small write takes behind 10 MB over a link of 1 MiB a second: with a policy that calls it
//! critical, and without. The link is slow at the agent that reads or at the one that writes.
#![expect(clippy::print_stdout, reason = "these figures are the purpose")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_sync::{
    Agent, CoordinatorOptions, Durability, Key, LinkOptions, MemoryStore, Pattern, Policies,
    Policy, Priority, StateSynchronizer, TcpCoordinator, TcpLink, Value,
};
use sync_benches::{PATIENCE, noise};
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// What the link carries each way.
const BYTES_PER_SECOND: u32 = 1 << 20;

/// What is on its way at once, about: a tenth of a second's worth. Linux doubles it.
const BUFFER: u32 = 64 << 10;

/// The large writes before the small one, of low priority.
const LARGE: usize = 20;
const LARGE_BYTES: usize = 500 * 1024;

/// When the small write comes: in the middle of the others.
const HEAD_START: Duration = Duration::from_secs(1);

/// Runs with a critical key. With a usual one a single run is enough to compare with: it waits for all.
const RUNS: i64 = 3;

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(1);

/// A proxy before the hub that is as slow as a link. Returns where it listens.
fn slow_link(hub: SocketAddr) -> io::Result<SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.bind("127.0.0.1:0".parse().expect("an address"))?;
    let listener = socket.listen(16)?;
    let address = listener.local_addr()?;
    tokio::spawn(accept(listener, hub));
    Ok(address)
}

async fn accept(listener: TcpListener, hub: SocketAddr) {
    while let Ok((near, _)) = listener.accept().await {
        let far = far_end(hub).await.expect("the hub is there");
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::spawn(carry(near_in, far_out));
        tokio::spawn(carry(far_in, near_out));
    }
}

async fn far_end(hub: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.connect(hub).await
}

/// One direction: what arrives leaves when the link has had the time for it.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    let mut bytes = [0; 4_096];
    let mut free = tokio::time::Instant::now();
    loop {
        let read = from.read(&mut bytes).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        let read_bytes = u32::try_from(read).expect("no more than there is room for");
        let takes = Duration::from_secs(1) * read_bytes / BYTES_PER_SECOND;
        free = free.max(tokio::time::Instant::now()) + takes;
        tokio::time::sleep_until(free).await;
        to.write_all(&bytes[..read]).await?;
    }
}

fn table(alarm: Priority) -> Policies {
    let of = |pattern: &str, priority| {
        let mut policy = Policy::new(Pattern::new(pattern).expect("a pattern"));
        policy.priority = priority;
        policy
    };
    let policies = vec![of("alarm", alarm), of("bulk*", Priority::Low)];
    Policies::new(policies).expect("a table")
}

/// Who is behind the slow link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    Reader,
    Writer,
}

struct Scene {
    hub: StateSynchronizer,
    writer: Agent,
    reader: Agent,
}

impl Scene {
    async fn start(slow: Slow, alarm: Priority) -> Self {
        let coordinator = TcpCoordinator::bind("127.0.0.1:0", CoordinatorOptions::default()).await;
        let coordinator = coordinator.expect("a free port");
        let fast = coordinator.local_addr();
        let slowly = slow_link(fast).expect("a free port");
        let store = Arc::new(MemoryStore::new());
        let hub = StateSynchronizer::builder(store, Arc::new(coordinator));
        let hub = hub.policies(table(alarm)).start().await;
        let agent = |name: &str, behind: Slow| {
            let address = if behind == slow { slowly } else { fast };
            let link = TcpLink::new(address, LinkOptions::default());
            Agent::builder(name, link).swarm("bench").start()
        };
        let (writer, reader) = (
            agent("writer", Slow::Writer).await,
            agent("reader", Slow::Reader).await,
        );
        let scene = Self {
            hub: hub.expect("memory opens"),
            writer: writer.expect("memory opens"),
            reader: reader.expect("memory opens"),
        };
        for agent in [&scene.writer, &scene.reader] {
            let in_step = agent.wait_in_step(PATIENCE).await;
            in_step.expect("the hub is there");
        }
        scene
    }

    /// How long the small write took, and all of the others.
    async fn once(&self, run: i64) -> (Duration, Duration) {
        let begun = Instant::now();
        for n in 0..LARGE {
            let value = Value::Bytes(noise(
                run.unsigned_abs() * 1_000 + n as u64 + 1,
                LARGE_BYTES,
            ));
            let key = Key::new(format!("bulk{n}")).expect("a key");
            self.writer.set(key, value).await.expect("it fits");
        }
        tokio::time::sleep(HEAD_START).await;
        let start = Instant::now();
        self.writer.set("alarm", run).await.expect("it fits");
        while self.shown().await != Some(Value::Int(run)) {
            tokio::time::sleep(LOOK).await;
        }
        let took = start.elapsed();
        let flushed = self.writer.flush(Durability::Hub, Some(PATIENCE)).await;
        flushed.expect("the hub takes them");
        let status = self.hub.status(&"bench".try_into().expect("a name")).await;
        let digest = status.expect("the hub runs").digest;
        while self.reader.digest().await.expect("it runs") != digest {
            tokio::time::sleep(LOOK).await;
        }
        (took, begun.elapsed())
    }

    async fn shown(&self) -> Option<Value> {
        let read = self.reader.get("alarm").await.expect("the agent runs");
        read.and_then(|state| state.value)
    }

    async fn stop(self) {
        self.writer.shutdown().await;
        self.reader.shutdown().await;
        self.hub.shutdown().await;
    }
}

async fn measure(slow: Slow, alarm: Priority, runs: i64) {
    let scene = Scene::start(slow, alarm).await;
    for run in 1..=runs {
        let (took, all) = scene.once(run).await;
        println!(
            "slow {slow:?}, the small key is {alarm}: seen {:.2} s later, all 10 MB after {:.1} s",
            took.as_secs_f64(),
            all.as_secs_f64()
        );
    }
    scene.stop().await;
}

#[tokio::main]
async fn main() {
    for slow in [Slow::Reader, Slow::Writer] {
        measure(slow, Priority::Critical, RUNS).await;
        measure(slow, Priority::Medium, 1).await;
    }
}
