//! The shortest list of acts with which a seed still fails.

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::run::{caught, run_world};
use crate::schedule::{Act, Happened, Schedule};
use crate::world::World;

/// How often a seed is run to make its list shorter: a minute or two of an optimised build. What is left
/// then is short, if not the shortest.
const RUNS_MAX: u64 = 1_500;

/// A failure with as little around it as could be found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Shrunk {
    /// What is still wrong.
    pub failure: Failure,
    /// What still takes place.
    pub acts: Vec<Happened>,
    /// How many acts there were at first.
    pub before: usize,
    /// How many runs that took.
    pub runs: u64,
}

/// Leaves out of a seed that fails what it fails without, by the same oracle; none if it does not fail.
#[must_use]
pub fn shrink(seed: u64) -> Option<Shrunk> {
    Attempts::new(seed, None).shrink()
}

/// Runs a seed with nothing else than `kept` taking place, and prints everything that happens; what is wrong.
#[must_use]
pub fn rerun(seed: u64, kept: &[Happened]) -> Option<Failure> {
    let kept = kept.iter().map(|happened| happened.act).collect();
    let mut world = World::with(seed, true, Schedule::of(kept));
    caught(|| run_world(&mut world)).err()
}

/// What came of one run.
struct Tried {
    failure: Failure,
    acts: Vec<Happened>,
}

/// Runs of one seed with ever less in it.
struct Attempts {
    seed: u64,
    oracle: Option<fn(&World) -> bool>,
    runs: u64,
}

impl Attempts {
    fn new(seed: u64, oracle: Option<fn(&World) -> bool>) -> Self {
        Self {
            seed,
            oracle,
            runs: 0,
        }
    }

    fn shrink(mut self) -> Option<Shrunk> {
        let mut best = self.run(None)?;
        let before = best.acts.len();
        best = self.without_kinds(best);
        best = self.without_parts(best);
        Some(Shrunk {
            failure: best.failure,
            acts: best.acts,
            before,
            runs: self.runs,
        })
    }

    /// A run in which nothing else takes place than `kept`, if it fails.
    fn run(&mut self, kept: Option<BTreeSet<Act>>) -> Option<Tried> {
        self.runs += 1;
        let schedule = kept.map(Schedule::of).unwrap_or_default();
        let mut world = World::with(self.seed, false, schedule);
        world.oracle = self.oracle;
        let result = caught(|| run_world(&mut world));
        let failure = result.err()?;
        // A failure has no world; what took place in it is found in the one that was lent.
        let acts = std::mem::take(&mut world.schedule_of_acts.happened);
        Some(Tried { failure, acts })
    }

    /// What is left of `best` if it fails in the same way without those that `is_out` names.
    fn without(&mut self, best: &Tried, is_out: impl Fn(usize, &Act) -> bool) -> Option<Tried> {
        if self.runs >= RUNS_MAX {
            return None;
        }
        let acts = best.acts.iter().map(|happened| happened.act).enumerate();
        let kept: BTreeSet<Act> = acts
            .filter(|(at, act)| !is_out(*at, act))
            .map(|(_, act)| act)
            .collect();
        if kept.len() == best.acts.len() {
            return None;
        }
        let tried = self.run(Some(kept))?;
        let is_less = tried.acts.len() < best.acts.len();
        (is_less && tried.failure.oracle == best.failure.oracle).then_some(tried)
    }

    /// Whole kinds first: most have nothing to do with it.
    fn without_kinds(&mut self, mut best: Tried) -> Tried {
        let kinds: BTreeSet<&str> = best.acts.iter().map(|happened| happened.act.what).collect();
        for kind in kinds {
            if let Some(less) = self.without(&best, |_, act| act.what == kind) {
                best = less;
            }
        }
        best
    }

    /// Then ever smaller parts of what is left (Zeller's ddmin, its complements only).
    fn without_parts(&mut self, mut best: Tried) -> Tried {
        let mut size = best.acts.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            let mut is_shorter = false;
            while start < best.acts.len() {
                let part = start..start + size;
                match self.without(&best, |at, _| part.contains(&at)) {
                    // What came after has moved to here.
                    Some(less) => (best, is_shorter) = (less, true),
                    None => start += size,
                }
            }
            if size == 1 && !is_shorter {
                break;
            }
            size = if size == 1 { 1 } else { size.div_ceil(2) };
            if self.runs >= RUNS_MAX {
                break;
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds among which one has both, and much else before.
    const SEEDS: u64 = 150;

    /// Wrong on purpose: a process may pause and a clock may jump.
    fn denies_pauses_and_jumps(world: &World) -> bool {
        world.stats.get("pause") == 0 || world.stats.get("clock jumps") == 0
    }

    #[test]
    fn of_a_seed_that_a_broken_oracle_fails_only_what_it_denies_is_left() {
        let shrunk = (0..SEEDS)
            .filter_map(|seed| Attempts::new(seed, Some(denies_pauses_and_jumps)).shrink())
            .find(|shrunk| shrunk.before > 20);
        let shrunk = shrunk.expect("one of the seeds has both");
        let kinds: Vec<&str> = shrunk.acts.iter().map(|done| done.act.what).collect();
        assert_eq!(kinds.len(), 2, "{shrunk:?}");
        assert!(kinds.contains(&"pause"), "{shrunk:?}");
        assert!(kinds.contains(&"clock jumps"), "{shrunk:?}");
    }

    #[test]
    fn a_seed_that_does_not_fail_is_not_shrunk() {
        assert!(shrink(1).is_none());
    }
}
