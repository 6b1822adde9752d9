//! Hub and agents as they are run, killed at any moment, over connections to which everything happens that
//! happens to connections: whatever was acknowledged is accounted for in the end.

mod account;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use self::account::{Ended, check};
use self::writer::{STARTING_MS, Writer};
use crate::support::{End, Hub, Place, Process, Proxy, Weather, json_of};

/// Draws what happens. When exactly, and what that meets, is the machine's affair: a seed that failed is to be
/// tried a few times.
const SEED: &str = "SWARM_SYNC_FAULTS_SEED";

/// How often something happens. The default is what takes about half a minute.
const ROUNDS: &str = "SWARM_SYNC_FAULTS_ROUNDS";
const ROUNDS_DEFAULT: u64 = 120;

const AGENTS: u64 = 4;

/// Between two faults.
const PAUSE_MS: u64 = 400;

/// Both engines on both sides, whatever the seed.
const ENGINES: [&str; 2] = ["sled", "redb"];

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |given| given.parse().expect(name))
}

fn engine(seed: u64, node: u64) -> &'static str {
    ENGINES[usize::from((seed + node) % 2 == 1)]
}

/// Says how to do it again.
struct Again(u64, u64);

impl Drop for Again {
    #[expect(clippy::print_stdout, reason = "to be seen in the output of the tests")]
    fn drop(&mut self) {
        if thread::panicking() {
            let Self(seed, rounds) = self;
            println!(
                "again: {SEED}={seed} {ROUNDS}={rounds} cargo test -p swarm-sync-cli --test program under_faults"
            );
        }
    }
}

/// The hub and what kills it.
struct Master {
    place: Place,
    policies: String,
    address: String,
    engine: &'static str,
    killed: u64,
}

impl Master {
    fn start(&self) -> Hub {
        Hub::start_as(&self.place.path("hub"), &self.address, &self.more())
    }

    fn more(&self) -> [&str; 4] {
        ["--policy", &self.policies, "--store", self.engine]
    }

    fn kill(&mut self, hub: Hub, random: &mut SmallRng) -> Hub {
        hub.process.kill();
        self.killed += 1;
        thread::sleep(Duration::from_millis(random.random_range(0..PAUSE_MS)));
        if random.random_bool(0.5) {
            let data = self.place.path("hub");
            let data = data.to_string_lossy();
            let args = ["serve", "--listen", &self.address, "--data", &data];
            let process = Process::start(&[&args[..], &self.more()].concat());
            thread::sleep(Duration::from_millis(random.random_range(0..STARTING_MS)));
            process.kill();
            self.killed += 1;
        }
        self.start()
    }
}

/// Something happens to the connections of an agent.
fn disturb(proxy: &Proxy, random: &mut SmallRng) {
    let fair = Weather::default();
    let to_come = match random.random_range(0..8) {
        0 => {
            proxy.end(End::Close);
            fair
        }
        1 => {
            proxy.end(End::Reset);
            fair
        }
        2 => {
            proxy.cut_after(random.random_range(1..3_000));
            fair
        }
        3 => Weather {
            refuses: true,
            ..fair
        },
        4 => Weather {
            holds: [true, true],
            ..fair
        },
        5 => {
            let to_hub = random.random();
            Weather {
                holds: [to_hub, !to_hub],
                ..fair
            }
        }
        6 => Weather {
            delay: Duration::from_millis(random.random_range(1..60)),
            ..fair
        },
        _ => Weather {
            piece: Some(random.random_range(1..40)),
            ..fair
        },
    };
    proxy.set(to_come);
}

#[test]
#[expect(clippy::print_stdout, reason = "a run says what it has covered")]
fn killed_and_cut_off_at_any_moment_nothing_that_was_acknowledged_is_lost() {
    let (seed, rounds) = (number(SEED, 1), number(ROUNDS, ROUNDS_DEFAULT));
    let _again = Again(seed, rounds);
    let begun = Instant::now();
    let mut random = SmallRng::seed_from_u64(seed);
    let place = Place::new();
    let policies = place.path("policies.toml");
    // Every commit of it, so that a write can be looked for that was overwritten long since.
    let kept = "[[policy]]\npattern = \"register\"\nhistory_commits = 4096\n";
    std::fs::write(&policies, kept).expect("it can be written");
    let mut master = Master {
        place,
        policies: policies.to_string_lossy().into_owned(),
        address: "127.0.0.1:0".to_owned(),
        engine: engine(seed, 0),
        killed: 0,
    };
    let mut hub = master.start();
    master.address.clone_from(&hub.address);
    let calm = Arc::new(AtomicBool::new(false));
    let proxies: Vec<Proxy> = (0..AGENTS).map(|_| Proxy::start(&hub.address)).collect();
    let writers: Vec<_> = (0..AGENTS)
        .zip(&proxies)
        .map(|(at, proxy)| {
            let name = format!("agent-{at}");
            let writer = Writer {
                hub: proxy.address.clone(),
                data: master.place.path(&name),
                name,
                engine: engine(seed, at + 1),
                seed: random.random(),
                calm: Arc::clone(&calm),
            };
            thread::spawn(move || writer.run())
        })
        .collect();

    for _ in 0..rounds {
        thread::sleep(Duration::from_millis(random.random_range(0..PAUSE_MS)));
        match random.random_range(0..10) {
            0 => hub = master.kill(hub, &mut random),
            // All at once.
            1 => proxies.iter().for_each(|proxy| disturb(proxy, &mut random)),
            _ => disturb(&proxies[random.random_range(0..proxies.len())], &mut random),
        }
    }

    calm.store(true, Ordering::SeqCst);
    for proxy in &proxies {
        proxy.set(Weather::default());
    }
    let ended = writers
        .into_iter()
        .map(|writer| writer.join().expect("it does not panic"));
    let (mut ended, killed): (Vec<Ended>, Vec<u64>) = ended.unzip();
    agree(&hub, &mut ended);
    let receipts = check(&hub, &mut ended);
    let acked: usize = ended.iter().map(|ended| ended.account.acknowledged()).sum();
    let connections: u64 = proxies.iter().map(Proxy::accepted).sum();
    println!(
        "seed {seed}, {rounds} rounds in {:.0?}: {acked} writes acknowledged, {receipts} came back, the hub killed {} times and agents {}, {connections} connections",
        begun.elapsed(),
        master.killed,
        killed.iter().sum::<u64>(),
    );
}

/// Once everything works again all hold the same.
fn agree(hub: &Hub, all: &mut [Ended]) {
    for ended in &mut *all {
        ended.agent.flush();
    }
    for ended in &mut *all {
        ended.agent.in_step();
    }
    let digest = json_of(&hub.client(&["status", "--json"]))["digest"].clone();
    for ended in all {
        assert_eq!(ended.agent.digest(), digest, "{}", ended.name);
    }
}
