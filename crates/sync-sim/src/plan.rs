//! What goes wrong in one seed, and how often. Each seed leaves most faults out ("swarm testing"):
//! all of them at once hide what two of them do.

mod narrow;

use std::sync::Arc;
use std::time::Duration;

use sync_core::{AgentId, Durability, Key, Policies, Priority, SwarmId};
use sync_protocol::{Deadlines, HubConfig, Limits, ReplicaConfig, Schedule};

use crate::hardships::Hardships;
use crate::random::Random;
use crate::tables;
use crate::tally;
use crate::watchers::{Through, Watcher};
use crate::{faults, periodic};

/// Agents in every seed.
pub(crate) const REPLICAS: usize = 3;

/// The place of a process that runs on a copy of an agent's disk, while there is one; that of the hub.
pub(crate) const COPY: usize = REPLICAS;
pub(crate) const HUB: usize = REPLICAS + 1;

/// How many places there are.
pub(crate) const NODES: usize = REPLICAS + 2;

/// How far stamps may run ahead in most seeds. Real skews are far below.
const DRIFT: Duration = Duration::from_secs(5);

/// The same in some of the seeds in which clocks are apart, and in how many per thousand of them.
const NARROW_DRIFT: Duration = Duration::from_secs(1);
const NARROW_SHARE: u64 = 200;

/// Per thousand seeds in which replicas crash: some find other disks.
const LOSS_SHARE: u64 = 250;

/// Per thousand seeds in which nodes crash that may lose something: batches may be torn.
const TORN_SHARE: u64 = 150;

/// Per thousand seeds in which nothing else is lost: two processes run under one name.
const COPY_SHARE: u64 = 120;

#[derive(Debug)]
pub(crate) struct Plan {
    /// Per thousand messages.
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) delayed: u64,
    /// Per thousand fault ticks.
    pub(crate) cut: u64,
    pub(crate) hub_crash: u64,
    pub(crate) replica_crash: u64,
    /// Whether a hub that crashes may come back with an older disk.
    pub(crate) rollback: bool,
    /// Longest time a batch takes, in microseconds.
    pub(crate) disk_us_max: u64,
    /// The clock's resolution, in milliseconds: coarse clocks make stamps collide.
    pub(crate) tick_ms: u64,
    /// How far each node's clock is ahead, in milliseconds.
    pub(crate) skew_ms: [u64; NODES],
    /// Time between two actions of the workload, in microseconds.
    pub(crate) pause_us: u64,
    /// Per thousand actions.
    pub(crate) clear: u64,
    pub(crate) client: u64,
    pub(crate) round: u64,
    pub(crate) propose: u64,
    pub(crate) decide: u64,
    pub(crate) repropose: u64,
    /// Per thousand writes for which their callers want a level; then some wait for all they have made.
    pub(crate) levels: u64,
    /// Per thousand proposals that an agent is asked to vote on.
    pub(crate) silent: u64,
    /// Whether keys on which rules fight, and values over the hub's limit, are among the work.
    pub(crate) fights: bool,
    pub(crate) keys: Vec<Key>,
    /// The policies at first, and after they have changed.
    pub(crate) tables: [Arc<Policies>; 2],
    /// Per thousand actions.
    pub(crate) table_change: u64,
    /// What the hub synchronizes by itself.
    pub(crate) schedule: Schedule,
    /// How many synchronizations the hub has room for.
    rounds_max: usize,
    limits: Limits,
    pub(crate) hardships: Hardships,
    /// Whether nothing goes wrong.
    is_quiet: bool,
    /// Per thousand fault ticks, of each node: its disk gets full, or is given room again.
    pub(crate) little_room: u64,
    hub_value_bytes_max: usize,
}

impl Plan {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let quiet = random.chance(60);
        let mut rate = |share: u64, most: u64| {
            let on = !quiet && random.chance(share);
            if on { random.between(1, most) } else { 0 }
        };
        let (lost, duplicated) = (rate(400, 80), rate(400, 80));
        let (reordered, delayed) = (rate(300, 150), rate(400, 60));
        let (cut, hub_crash, replica_crash) = (rate(600, 150), rate(600, 150), rate(500, 100));
        let rollback = hub_crash > 0 && random.chance(500);
        let fights = random.chance(500);
        let table = |random: &mut Random, share: u64| {
            let some = random.chance(share).then(|| tables::draw(random, fights));
            some.unwrap_or_default()
        };
        let tables = [table(random, 750), table(random, 800)];
        let changes = random.chance(400);
        let limits = limits(random);
        let rounds_max = *random.pick(&[1, 2, 256]);
        let schedule = if random.chance(600) {
            periodic::draw(random)
        } else {
            Schedule::default()
        };
        let coarse = random.chance(500);
        let skewed = random.chance(500);
        Self {
            lost,
            duplicated,
            reordered,
            delayed,
            cut,
            hub_crash,
            replica_crash,
            rollback,
            disk_us_max: *random.pick(&[faults::DISK_US_QUICK, 2_000, 60_000]),
            tick_ms: if coarse { random.between(5, 500) } else { 1 },
            skew_ms: std::array::from_fn(|node| match node {
                COPY => 0,
                _ if skewed => random.below(3_000),
                _ => 0,
            }),
            pause_us: *random.pick(&[2_000, 8_000, 30_000]),
            clear: if random.chance(300) { 15 } else { 0 },
            client: if random.chance(500) { 60 } else { 0 },
            round: *random.pick(&[5, 40]),
            propose: *random.pick(&[0, 6, 25]),
            decide: *random.pick(&[60, 200]),
            repropose: *random.pick(&[0, 30]),
            levels: 0,
            silent: *random.pick(&[0, 150, 500]),
            fights,
            keys: keys(random, fights),
            tables,
            table_change: if changes { 2 } else { 0 },
            schedule,
            rounds_max,
            limits,
            hardships: if quiet {
                Hardships::default()
            } else {
                Hardships::draw(random)
            },
            is_quiet: quiet,
            little_room: 0,
            hub_value_bytes_max: if fights { 48 } else { limits.value_bytes_max },
        }
    }

    /// Whether replicas that crash may find other disks. Votes and requests that the hub decides are only as
    /// good as the disk of who has made them: there are none then. Where the hub loses its disk as well,
    /// what only these two knew is gone, and nobody can say what that was.
    pub(crate) fn draw_losses(&mut self, random: &mut Random) {
        if self.replica_crash > 0 && !self.rollback && random.chance(LOSS_SHARE) {
            self.hardships.disk_loss = true;
            self.propose = 0;
            self.decide = 0;
        }
    }

    /// Whether batches may be torn by a crash. The same holds of votes and requests as for disks that are lost.
    pub(crate) fn draw_torn(&mut self, random: &mut Random) {
        let dies = self.rollback || self.replica_crash > 0 && !self.hardships.disk_loss;
        if dies && random.chance(TORN_SHARE) {
            self.hardships.torn = random.between(200, 800);
            if !self.rollback {
                self.propose = 0;
                self.decide = 0;
            }
        }
    }

    /// Whether another process may run on a copy of an agent's disk while the agent goes on. What that one
    /// was asked or has promised the agent knows nothing of.
    pub(crate) fn draw_copies(&mut self, random: &mut Random) {
        let Hardships {
            disk_loss, torn, ..
        } = self.hardships;
        let is_other = self.rollback || disk_loss || torn > 0;
        if !self.is_quiet && !is_other && random.chance(COPY_SHARE) {
            self.hardships.copy = random.between(10, 100);
            self.propose = 0;
            self.decide = 0;
        }
    }

    /// Whether callers want levels. What others have confirmed says nothing of a hub that comes back with an
    /// older disk: nobody does there.
    pub(crate) fn draw_levels(&mut self, random: &mut Random) {
        if !self.rollback {
            self.levels = *random.pick(&[0, 0, 200]);
        }
    }

    /// Whether clocks may be further apart than stamps may run ahead: then the hub refuses what is of a
    /// future that it does not believe in.
    pub(crate) fn draw_drift(&mut self, random: &mut Random) {
        let is_skewed = self.skew_ms != [0; NODES];
        if is_skewed && random.chance(NARROW_SHARE) {
            self.limits.drift_max = NARROW_DRIFT;
        }
    }

    /// How far stamps may run ahead.
    pub(crate) fn drift(&self) -> Duration {
        self.limits.drift_max
    }

    /// Whether a policy bounds values, so that the hub refuses some where its fights do not.
    pub(crate) fn is_bounded(&self) -> bool {
        let bounds = |table: &Arc<Policies>| table.iter().any(|p| p.max_value_bytes.is_some());
        self.tables.iter().any(bounds)
    }

    pub(crate) fn hub(&self) -> HubConfig {
        let mut config = HubConfig::new(swarm());
        config.limits = self.limits;
        config.limits.value_bytes_max = self.hub_value_bytes_max;
        let deadlines = Deadlines::all(Duration::from_millis(400));
        let deadlines = deadlines.with(Priority::Critical, Duration::from_millis(700));
        config.deadlines = deadlines.with(Priority::Background, Duration::from_millis(150));
        config.limits.rounds_max = self.rounds_max;
        config.schedule = self.schedule.clone();
        config.merge_retry = Duration::from_millis(100);
        config.vote_deadline = Duration::from_millis(400);
        config.algorithms = tally::algorithms();
        config
    }

    /// One that is quick, one that lags behind, one that begins late.
    pub(crate) fn watchers(&self, random: &mut Random) -> Vec<Watcher> {
        let class = tables::class(random.pick(&self.keys));
        let some = format!("{class}*");
        let mut watchers = vec![Watcher::new("*", Through::draw(random), 900)];
        if random.chance(500) {
            let asks = *random.pick(&[300, 30]);
            watchers.push(Watcher::new(&some, Through::draw(random), asks));
        }
        if random.chance(300) {
            let through = *random.pick(&[Through::Hub, Through::Client]);
            watchers.push(Watcher::from_now("*", through, 300));
        }
        watchers
    }

    pub(crate) fn replica(&self, agent: &AgentId) -> ReplicaConfig {
        let mut config = ReplicaConfig::new(swarm(), agent.clone(), Durability::Disk);
        config.limits = self.limits;
        config.beat = Duration::from_millis(150);
        config.retry = Duration::from_millis(500);
        config
    }
}

/// Bounds that are met often, or never.
fn limits(random: &mut Random) -> Limits {
    let mut limits = Limits::default();
    limits.drift_max = DRIFT;
    limits.page_bytes = *random.pick(&[60, 150, 400, 2_000, 256 * 1024]);
    limits.receipts_per_message = *random.pick(&[1, 3, 64]);
    limits.merges_max = *random.pick(&[1, 2, 16]);
    limits.graves_max = *random.pick(&[0, 1, 1_024]);
    limits.ahead_of_bytes = *random.pick(&[0, 0, 200, 64 * 1024]);
    limits.ahead_bytes_max = *random.pick(&[60, 16 * 1024]);
    limits.lineage_max = *random.pick(&[2, 1_024, 1_024]);
    limits.history_commits = *random.pick(&[0, 2, 16, 40]);
    limits.journal_max = *random.pick(&[0, 5, 100, 100_000]);
    limits
}

pub(crate) fn swarm() -> SwarmId {
    SwarmId::new("simulated").expect("a valid name")
}

fn keys(random: &mut Random, fights: bool) -> Vec<Key> {
    let mut keys = Vec::new();
    let classes = [
        ("lww", 600),
        ("counter", 600),
        ("set", 600),
        ("map", 400),
        ("keep", 400),
        ("merge", 400),
        ("cas", 400),
        ("claim", 300),
        ("ttl-lww", 200),
        ("ttl-counter", 100),
        ("ttl-set", 100),
        ("ttl-map", 100),
    ];
    for (class, share) in classes {
        if random.chance(share) {
            let count = random.between(1, 2);
            keys.extend((0..count).map(|n| format!("{class}-{n}")));
        }
    }
    if keys.is_empty() {
        keys.push("lww-0".to_owned());
    }
    if fights {
        keys.extend(["fight-0".to_owned(), "fight-1".to_owned()]);
    }
    let keys = keys.into_iter().map(Key::new);
    keys.collect::<Result<_, _>>().expect("valid keys")
}
