//! Random requests, restarts and crashes against a map.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{Answer, Ask, MemoryAnswer, Value};

use super::{begin, clear, delete, keys, stats, store, value};
use crate::random::Random;
use crate::stage::HubSide;

const SPACES: [&str; 2] = ["a", "b"];

/// More than one batch clears.
const MANY: u64 = 1_100;

/// What there is by namespace and key: the value, and whether it is persistent.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model(BTreeMap<(String, String), (Value, bool)>);

/// A request that changes something.
#[derive(Debug, Clone)]
enum Change {
    Store(&'static str, String, u64, bool),
    Delete(&'static str, String),
    Clear(&'static str),
}

fn number(number: u64) -> Value {
    Value::Int(i64::try_from(number).expect("a small one"))
}

impl Change {
    fn random(random: &mut Random) -> Self {
        let space = *random.pick(&SPACES);
        let name = format!("k{}", random.below(6));
        match random.below(10) {
            0 => Self::Clear(space),
            1..=3 => Self::Delete(space, name),
            _ => Self::Store(space, name, random.below(4), random.chance(500)),
        }
    }

    fn ask(&self) -> Ask {
        match self {
            Self::Store(space, name, value, persistent) => {
                store(space, name, number(*value), *persistent)
            }
            Self::Delete(space, name) => delete(space, name),
            Self::Clear(space) => clear(space),
        }
    }
}

impl Model {
    /// What is to be answered.
    fn apply(&mut self, change: &Change) -> MemoryAnswer {
        let at = |space: &str, name: &String| (space.to_owned(), name.clone());
        match change {
            Change::Store(space, name, value, persistent) => {
                let value = (number(*value), *persistent);
                self.0.insert(at(space, name), value);
                MemoryAnswer::Stored
            }
            Change::Delete(space, name) => {
                MemoryAnswer::Deleted(self.0.remove(&at(space, name)).is_some())
            }
            Change::Clear(space) => {
                let before = self.0.len();
                self.0.retain(|(held, _), _| held != space);
                MemoryAnswer::Cleared((before - self.0.len()) as u64)
            }
        }
    }

    /// What is left after a restart.
    fn persistent(&self) -> Self {
        let persistent = self.0.iter().filter(|(_, (_, persistent))| *persistent);
        Self(
            persistent
                .map(|(at, held)| (at.clone(), held.clone()))
                .collect(),
        )
    }

    /// What the hub shows.
    fn of(hub: &mut HubSide) -> BTreeMap<(String, String), Value> {
        let mut shown = BTreeMap::new();
        for space in SPACES {
            for name in keys(hub, space, "*").0 {
                let value = value(hub, space, &name).expect("it was listed");
                shown.insert((space.to_owned(), name), value);
            }
        }
        shown
    }

    fn shown(&self) -> BTreeMap<(String, String), Value> {
        let values = self
            .0
            .iter()
            .map(|(at, (value, _))| (at.clone(), value.clone()));
        values.collect()
    }

    /// Persistent and volatile values per namespace, as stats tell them.
    fn counts(&self) -> Vec<(u64, u64)> {
        let of = |space: &str| {
            let held = self.0.iter().filter(|((held, _), _)| held == space);
            let (persistent, volatile): (Vec<_>, Vec<_>) = held.partition(|(_, (_, p))| *p);
            (persistent.len() as u64, volatile.len() as u64)
        };
        let counts = SPACES.iter().map(|space| of(space));
        counts.filter(|counts| *counts != (0, 0)).collect()
    }
}

/// Asks and goes on until it is answered.
fn perform(hub: &mut HubSide, change: &Change) -> MemoryAnswer {
    hub.hub.handle_ask(hub.now(), 1, change.ask());
    loop {
        hub.settle();
        if let Some(answer) = hub.take_answer(1) {
            let Ok(Answer::Memory(answer)) = answer else {
                panic!("{answer:?}")
            };
            return answer;
        }
        hub.pass(Duration::ZERO);
    }
}

/// Asks and dies before, while or after it is carried out; whether it was acknowledged.
fn die_over(hub: &mut HubSide, change: &Change, random: &mut Random) -> bool {
    let mut answered = begin(hub, 1, change.ask()).is_some();
    for _ in 0..random.below(6) {
        match random.below(3) {
            0 => hub.pass(Duration::ZERO),
            1 => hub.settle(),
            // The disk gets further than the hub hears of.
            _ => {
                hub.disk.complete();
                break;
            }
        }
        answered |= hub.take_answer(1).is_some();
    }
    hub.restart();
    hub.answers.clear();
    answered
}

fn run(seed: u64) {
    let mut random = Random::new(seed);
    let (mut hub, mut model) = (HubSide::new(), Model::default());
    for step in 0..150 {
        let change = Change::random(&mut random);
        let context = || format!("seed {seed}, step {step}: {change:?}");
        match random.below(40) {
            0..=3 => {
                let mut after = model.clone();
                after.apply(&change);
                let answered = die_over(&mut hub, &change, &mut random);
                let (before, after) = (model.persistent(), after.persistent());
                let found = Model::of(&mut hub);
                model = if found == after.shown() {
                    after
                } else {
                    before
                };
                assert!(!answered || found == model.shown(), "{}", context());
                assert_eq!(found, model.shown(), "{}", context());
            }
            // A clear that is not waited for goes on beside what is asked next.
            6..=8 => {
                for change in [&Change::Clear("a"), &change] {
                    model.apply(change);
                    begin(&mut hub, 2, change.ask());
                    hub.settle();
                }
            }
            9..=14 => {
                hub.pass(Duration::ZERO);
                hub.settle();
            }
            4 => {
                hub.restart();
                model = model.persistent();
            }
            5 => {
                for n in 0..random.between(MANY, 2 * MANY) {
                    let many = Change::Store("a", format!("k{n}"), step, n % 7 > 0);
                    perform(&mut hub, &many);
                    model.apply(&many);
                }
            }
            _ => {
                let expected = model.apply(&change);
                assert_eq!(perform(&mut hub, &change), expected, "{}", context());
            }
        }
        let (lines, _) = stats(&mut hub);
        let counts: Vec<_> = lines.iter().map(|l| (l.persistent, l.volatile)).collect();
        assert_eq!(counts, model.counts(), "{}", context());
        if step % 10 == 0 {
            assert_eq!(Model::of(&mut hub), model.shown(), "{}", context());
        }
    }
    hub.restart();
    assert_eq!(
        Model::of(&mut hub),
        model.persistent().shown(),
        "seed {seed}"
    );
}

#[test]
fn the_memory_is_a_map_of_which_the_persistent_part_survives() {
    for seed in 0..40 {
        run(seed);
    }
}
