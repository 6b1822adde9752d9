//! One seed from its start to its healing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use sync_core::Digest;
use turmoil::Sim;

use super::account::{Account, Testimony, check};
use super::disk::Disk;
use super::net::Phone;
use super::plan::{AGENTS, Fault, TROUBLE, Trouble, Victim, draw};
use super::{nodes, panics};
use crate::chance;

/// Each host runs for so long at a time.
const TICK: Duration = Duration::from_millis(2);

/// Of messages, unless a fault makes it longer.
const LATENCY: Duration = Duration::from_millis(12);
const LATENCY_SLOW: Duration = Duration::from_millis(400);

/// Of messages in both directions, while they are lost.
const LOSS: f64 = 0.02;

/// From the end of the trouble to equal digests: a connection that is silent is given up, the longest
/// back-off, a connect and a hello that get nowhere, and once more.
const HEALS_WITHIN: Duration = Duration::from_secs(20);

/// After that nothing is left to be said but signs of life: seen were two KiB.
const QUIET: Duration = Duration::from_secs(2);
const QUIET_BYTES_MAX: u64 = 8 << 10;

/// Attempts of an agent to connect, per run of it: waits are drawn from a range that doubles, so that ten
/// make a minute, but each may be short.
const DIALS_MAX: u64 = 40;

/// How an agent stands after the healing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) digest: Digest,
    /// At its sockets.
    pub(super) bytes: u64,
}

/// What all hosts share with whoever judges them.
#[derive(Debug)]
pub(super) struct Scene {
    seed: u64,
    /// How many streams of random numbers were given out.
    streams: AtomicU64,
    pub(super) disks: [Arc<Disk>; AGENTS],
    pub(super) hub_disk: Arc<Disk>,
    pub(super) phones: [Arc<Phone>; AGENTS],
    accounts: [Mutex<Account>; AGENTS],
    troubled: AtomicBool,
    pub(super) agreed: AtomicBool,
    pub(super) hub_told: AtomicBool,
    pub(super) rounds: AtomicU64,
    standing: Mutex<(Option<Digest>, BTreeMap<usize, Standing>)>,
    told: Mutex<Testimony>,
}

impl Scene {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            streams: AtomicU64::default(),
            disks: Default::default(),
            hub_disk: Arc::default(),
            phones: Default::default(),
            accounts: Default::default(),
            troubled: AtomicBool::new(true),
            agreed: AtomicBool::default(),
            hub_told: AtomicBool::default(),
            rounds: AtomicU64::default(),
            standing: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Random numbers for one run of a host.
    pub(super) fn stream(&self) -> SmallRng {
        let stream = self.streams.fetch_add(1, Ordering::SeqCst);
        SmallRng::seed_from_u64(self.seed ^ (stream + 1) << 40)
    }

    pub(super) fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::SeqCst)
    }

    pub(super) fn account(&self, n: usize) -> MutexGuard<'_, Account> {
        self.accounts[n].lock().expect("nobody panics with it")
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Testimony> {
        self.told.lock().expect("nobody panics with it")
    }

    pub(super) fn say(&self, n: usize, standing: Standing) {
        let mut all = self.standing.lock().expect("nobody panics with it");
        all.1.insert(n, standing);
    }

    pub(super) fn say_of_hub(&self, digest: Digest) {
        let mut all = self.standing.lock().expect("nobody panics with it");
        all.0 = Some(digest);
    }

    /// Whether all that stand say the same as the hub.
    fn agrees(&self) -> bool {
        let all = self.standing.lock().expect("nobody panics with it");
        let (hub, agents) = &*all;
        let same = |standing: &Standing| Some(standing.digest) == *hub;
        agents.len() == AGENTS && agents.values().all(same)
    }

    fn has_told(&self) -> bool {
        self.hub_told.load(Ordering::SeqCst) && self.told().receipts.len() == AGENTS
    }

    fn bytes(&self) -> u64 {
        let all = self.standing.lock().expect("nobody panics with it");
        all.1.values().map(|standing| standing.bytes).sum()
    }

    fn dials(&self) -> [u64; AGENTS] {
        self.phones
            .each_ref()
            .map(|phone| phone.dialled.load(Ordering::SeqCst))
    }
}

/// What happened, over one seed or many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) acknowledged: u64,
    pub(super) receipts: u64,
    pub(super) rounds: u64,
    pub(super) dials: u64,
    pub(super) bytes: u64,
    pub(super) simulated_ms: u64,
    pub(super) healed_ms_max: u64,
    pub(super) faults: BTreeMap<String, u64>,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.receipts += other.receipts;
        self.rounds += other.rounds;
        self.dials += other.dials;
        self.bytes += other.bytes;
        self.simulated_ms += other.simulated_ms;
        self.healed_ms_max = self.healed_ms_max.max(other.healed_ms_max);
        for (fault, count) in &other.faults {
            *self.faults.entry(fault.clone()).or_default() += count;
        }
    }

    /// A search in which something never happened has looked for nothing there.
    pub(super) fn reached_everything(&self) -> bool {
        let all = Fault::ALL
            .iter()
            .all(|f| self.faults.contains_key(&format!("{f:?}")));
        all && self.acknowledged > 0 && self.receipts > 0 && self.rounds > 0
    }
}

/// Runs one seed; the sentence of whatever was not as promised.
pub(super) fn run(seed: u64) -> Result<Counts, String> {
    chance::seed(seed);
    panics::forget();
    let scene = Arc::new(Scene::new(seed));
    let mut sim = build(seed, &scene);
    let troubles = draw(seed);
    suffer(&mut sim, &troubles)?;
    scene.troubled.store(false, Ordering::SeqCst);
    let healing = sim.elapsed();
    until(&mut sim, HEALS_WITHIN, || scene.agrees())
        .map_err(|e| format!("{e}: the replicas do not agree: {:?}", scene.standing))?;
    let healed = sim.elapsed().saturating_sub(healing);
    stays_quiet(&mut sim, &scene)?;
    scene.agreed.store(true, Ordering::SeqCst);
    until(&mut sim, QUIET, || scene.has_told()).map_err(|e| format!("{e}: not all have told"))?;
    let accounts = [0, 1, 2].map(|n| scene.account(n));
    check(
        &accounts.each_ref().map(|account| &**account),
        &scene.told(),
    )?;
    let starts = |n| troubles.iter().filter(|t| t.restarts(n)).count() as u64 + 1;
    let dials = scene.dials();
    if let Some(n) = (0..AGENTS).find(|&n| dials[n] > DIALS_MAX * starts(n)) {
        return Err(format!(
            "agent {n} has connected {} times in {} runs",
            dials[n],
            starts(n)
        ));
    }
    Ok(Counts {
        acknowledged: accounts.iter().map(|account| account.acknowledged()).sum(),
        receipts: scene.told().receipts.values().map(|r| r.len() as u64).sum(),
        rounds: scene.rounds.load(Ordering::SeqCst),
        dials: dials.iter().sum(),
        bytes: scene.bytes(),
        simulated_ms: millis(sim.elapsed()),
        healed_ms_max: millis(healed),
        faults: tally(&troubles),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn tally(troubles: &[Trouble]) -> BTreeMap<String, u64> {
    let mut tally = BTreeMap::new();
    for trouble in troubles {
        *tally.entry(format!("{:?}", trouble.fault)).or_default() += 1;
    }
    tally
}

fn build(seed: u64, scene: &Arc<Scene>) -> Sim<'static> {
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .enable_random_order()
        .tick_duration(TICK)
        .max_message_latency(LATENCY)
        // A full buffer is a panic there.
        .tcp_capacity(1 << 16)
        .simulation_duration(TROUBLE + HEALS_WITHIN * 4)
        .epoch(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
        .build();
    let of_hub = Arc::clone(scene);
    sim.host("hub", move || nodes::hub(Arc::clone(&of_hub)));
    for n in 0..AGENTS {
        let scene = Arc::clone(scene);
        sim.host(format!("agent-{n}"), move || {
            nodes::agent(Arc::clone(&scene), n)
        });
    }
    sim
}

/// The time of trouble.
fn suffer(sim: &mut Sim<'_>, troubles: &[Trouble]) -> Result<(), String> {
    let mut begins = troubles.iter().peekable();
    let mut open: Vec<Trouble> = Vec::new();
    while sim.elapsed() < TROUBLE {
        let now = sim.elapsed();
        for over in open.extract_if(.., |trouble| trouble.to <= now) {
            end(sim, over);
        }
        while let Some(trouble) = begins.next_if(|trouble| trouble.from <= now) {
            if trouble.fault.is_of_process() {
                unheard(sim, trouble.victim, &open, |sim| begin(sim, *trouble));
            } else {
                begin(sim, *trouble);
            }
            open.push(*trouble);
        }
        step(sim)?;
    }
    for over in open {
        end(sim, over);
    }
    Ok(())
}

/// What a process would say at its end is lost, as with its machine. In which order the runtime drops its
/// tasks depends on what else has run in this process of ours; nobody is to learn of it.
fn unheard(sim: &mut Sim<'_>, victim: Victim, open: &[Trouble], end: impl FnOnce(&mut Sim<'_>)) {
    let agents: Vec<Victim> = match victim {
        Victim::Hub => (0..AGENTS).map(Victim::Agent).collect(),
        Victim::Agent(_) => vec![victim],
    };
    for agent in &agents {
        sim.partition(agent.name(), "hub");
    }
    end(sim);
    for agent in &agents {
        sim.repair(agent.name(), "hub");
    }
    let of_links = |trouble: &&Trouble| !trouble.fault.is_of_process();
    for trouble in open.iter().filter(of_links) {
        if agents.contains(&trouble.victim) {
            begin(sim, *trouble);
        }
    }
}

fn begin(sim: &mut Sim<'_>, trouble: Trouble) {
    let victim = trouble.victim.name();
    let victim = victim.as_str();
    match trouble.fault {
        Fault::Cut => sim.partition(victim, "hub"),
        Fault::CutToHub => sim.partition_oneway(victim, "hub"),
        Fault::CutFromHub => sim.partition_oneway("hub", victim),
        Fault::Hold => sim.hold(victim, "hub"),
        Fault::Loss => sim.set_link_fail_rate(victim, "hub", LOSS),
        Fault::Slow => sim.set_link_max_message_latency(victim, "hub", LATENCY_SLOW),
        Fault::Crash => sim.crash(victim),
        Fault::Bounce => sim.bounce(victim),
    }
}

fn end(sim: &mut Sim<'_>, trouble: Trouble) {
    let victim = trouble.victim.name();
    let victim = victim.as_str();
    match trouble.fault {
        Fault::Cut => sim.repair(victim, "hub"),
        Fault::CutToHub => sim.repair_oneway(victim, "hub"),
        Fault::CutFromHub => sim.repair_oneway("hub", victim),
        Fault::Hold => sim.release(victim, "hub"),
        Fault::Loss => {
            sim.set_link_fail_rate(victim, "hub", 0.0);
            sim.repair(victim, "hub");
        }
        Fault::Slow => sim.set_link_max_message_latency(victim, "hub", LATENCY),
        Fault::Crash => sim.bounce(victim),
        Fault::Bounce => {}
    }
}

impl Trouble {
    fn restarts(self, n: usize) -> bool {
        self.victim == Victim::Agent(n) && matches!(self.fault, Fault::Crash | Fault::Bounce)
    }
}

/// Nothing is connected again, and little is said.
fn stays_quiet(sim: &mut Sim<'_>, scene: &Scene) -> Result<(), String> {
    let before = (scene.dials(), scene.bytes());
    let until = sim.elapsed() + QUIET;
    while sim.elapsed() < until {
        step(sim)?;
    }
    let (dials, bytes) = (scene.dials(), scene.bytes() - before.1);
    if dials != before.0 || bytes > QUIET_BYTES_MAX || !scene.agrees() {
        return Err(format!(
            "nobody writes, and in {QUIET:?} {bytes} bytes moved; attempts to connect: {:?}, then {dials:?}",
            before.0
        ));
    }
    Ok(())
}

fn until(sim: &mut Sim<'_>, limit: Duration, done: impl Fn() -> bool) -> Result<(), String> {
    let end = sim.elapsed() + limit;
    while !done() {
        if sim.elapsed() >= end {
            return Err(format!("{limit:?} have not been enough"));
        }
        step(sim)?;
    }
    Ok(())
}

fn step(sim: &mut Sim<'_>) -> Result<(), String> {
    let at = sim.elapsed();
    sim.step()
        .map_err(|error| format!("after {at:?}: {error}"))?;
    match panics::counted() {
        0 => Ok(()),
        _ => Err(format!("after {at:?} a task panicked, see above")),
    }
}
