//! What users and faults do in a seed, one by one, so that any of it can be left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::random::Random;
use crate::world::World;

/// Something that a seed does to the nodes. With some of them left out the others stay what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Act {
    /// What happens.
    pub what: &'static str,
    /// To which node or connection, or 0.
    pub whom: u64,
    /// Which one of those that are alike: when, or how many came before.
    pub nth: u64,
}

/// An act that took place, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened {
    /// In simulated microseconds.
    pub at_us: u64,
    /// What it was.
    pub act: Act,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Act { what, whom, nth } = self.act;
        write!(f, "{:>10} us  {what} (of {whom}, number {nth})", self.at_us)
    }
}

/// Which acts may take place, and which have.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// None: all of them.
    pub(crate) kept: Option<BTreeSet<Act>>,
    pub(crate) happened: Vec<Happened>,
}

impl Schedule {
    /// Nothing but these may take place.
    pub(crate) fn of(kept: BTreeSet<Act>) -> Self {
        let kept = Some(kept);
        let happened = Vec::new();
        Self { kept, happened }
    }
}

/// Random numbers of each event by itself: what is left out takes none away from the others.
#[derive(Debug)]
pub(crate) struct Streams {
    seed: u64,
    /// How many events there were of each kind and place.
    counts: BTreeMap<(u8, u64, u64), u64>,
}

impl Streams {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            counts: BTreeMap::new(),
        }
    }

    /// Those of the next event of a kind and place, and the number it has among them.
    pub(crate) fn next(&mut self, code: u8, place: (u64, u64)) -> (Random, u64) {
        let count = self.counts.entry((code, place.0, place.1)).or_default();
        *count += 1;
        let parts = [u64::from(code), place.0, place.1, *count];
        let mixed = parts.iter().fold(self.seed, |mixed, part| {
            Random::new(mixed.wrapping_add(*part)).next()
        });
        (Random::new(mixed), *count)
    }
}

impl World {
    /// Whether something that is due takes place; it is on the list from now on.
    pub(crate) fn allows(&mut self, what: &'static str, whom: u64, nth: u64) -> bool {
        let act = Act { what, whom, nth };
        let kept = self.schedule_of_acts.kept.as_ref();
        let happens = kept.is_none_or(|kept| kept.contains(&act));
        if happens {
            let at_us = self.now_us;
            self.schedule_of_acts.happened.push(Happened { at_us, act });
        }
        happens
    }
}
