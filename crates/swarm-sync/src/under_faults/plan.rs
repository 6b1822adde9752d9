//! Which faults a seed draws, and when. Each seed has some kinds and not others: all of them at once hide what
//! two of them do.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

pub(super) const AGENTS: usize = 3;

/// How long there are faults and writes.
pub(super) const TROUBLE: Duration = Duration::from_secs(6);

/// Between the faults of one victim, so that some of the time it works.
const CALM_MS: std::ops::Range<u64> = 50..1_500;

/// Of one fault: some are over before anybody notices, some after everybody gave up.
const LASTS_MS: std::ops::Range<u64> = 20..2_500;

/// What goes wrong between an agent and the hub, or with the process of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing passes, and what was on its way is lost.
    Cut,
    /// Nothing passes to the hub.
    CutToHub,
    /// Nothing passes from the hub.
    CutFromHub,
    /// Everything waits, and arrives in the end.
    Hold,
    /// Some messages are lost, and with each its connection.
    Loss,
    /// Messages take longer.
    Slow,
    /// The process ends without a word, and starts when the fault is over.
    Crash,
    /// It ends and starts at once.
    Bounce,
}

impl Fault {
    pub(super) const ALL: [Self; 8] = [
        Self::Cut,
        Self::CutToHub,
        Self::CutFromHub,
        Self::Hold,
        Self::Loss,
        Self::Slow,
        Self::Crash,
        Self::Bounce,
    ];

    /// Of a host, not of a link.
    pub(super) fn is_of_process(self) -> bool {
        matches!(self, Self::Crash | Self::Bounce)
    }
}

/// Whom it befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Victim {
    Hub,
    Agent(usize),
}

impl Victim {
    pub(super) fn name(self) -> String {
        match self {
            Self::Hub => "hub".to_owned(),
            Self::Agent(n) => format!("agent-{n}"),
        }
    }
}

/// One fault from its begin to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) victim: Victim,
    pub(super) fault: Fault,
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// By their begin. Those of one victim follow one another: nothing holds what is cut.
pub(super) fn draw(seed: u64) -> Vec<Trouble> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut kinds = Fault::ALL.to_vec();
    kinds.shuffle(&mut random);
    kinds.truncate(random.random_range(1..=4));
    let victims = [Victim::Hub]
        .into_iter()
        .chain((0..AGENTS).map(Victim::Agent));
    let mut all = Vec::new();
    for victim in victims {
        let fits = |fault: &&Fault| victim != Victim::Hub || fault.is_of_process();
        let kinds: Vec<Fault> = kinds.iter().filter(fits).copied().collect();
        let mut at = 0;
        while !kinds.is_empty() {
            let from = at + random.random_range(CALM_MS);
            let to = from + random.random_range(LASTS_MS);
            let end = Duration::from_millis(from);
            if end >= TROUBLE {
                break;
            }
            all.push(Trouble {
                victim,
                fault: kinds[random.random_range(0..kinds.len())],
                from: end,
                to: Duration::from_millis(to).min(TROUBLE),
            });
            at = to;
        }
    }
    all.sort_by_key(|trouble| (trouble.from, trouble.victim));
    all
}
