//! The dictionary of each swarm, made from what the hub has sent to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::transport::Frame;
use tokio::sync::Semaphore;

use super::Dictionary;
use super::small::Small;
use crate::lock;

/// Distinct messages that a dictionary is made from. Five times as many save another twentieth, and a
/// small swarm would wait for them in vain.
const SAMPLES: usize = 200;

/// Their bytes: fewer messages do if they are longer.
const SAMPLES_BYTES_MAX: usize = 256 << 10;

/// Training takes tens of milliseconds and a few megabytes: one at a time, in the whole process.
static TRAINING: Semaphore = Semaphore::const_new(1);

/// The swarms that anybody is connected to. What a swarm has learned goes with its last connection,
/// so that it costs no more than connections may.
#[derive(Debug, Default)]
pub(crate) struct Trainers(Mutex<BTreeMap<SwarmId, Weak<Trainer>>>);

impl Trainers {
    pub(crate) fn of(&self, swarm: &SwarmId) -> Arc<Trainer> {
        let mut known = lock(&self.0);
        if let Some(trainer) = known.get(swarm).and_then(Weak::upgrade) {
            return trainer;
        }
        known.retain(|_, trainer| trainer.strong_count() > 0);
        let trainer = Arc::new(Trainer::default());
        known.insert(swarm.clone(), Arc::downgrade(&trainer));
        trainer
    }
}

/// What one swarm has learned.
#[derive(Debug)]
pub(crate) struct Trainer {
    /// `None` once there are enough.
    samples: Mutex<Option<BTreeSet<Bytes>>>,
    trained: OnceLock<Arc<Dictionary>>,
    /// What was made with it last.
    small: Small,
}

impl Default for Trainer {
    fn default() -> Self {
        Self {
            samples: Mutex::new(Some(BTreeSet::new())),
            trained: OnceLock::new(),
            small: Small::default(),
        }
    }
}

impl Trainer {
    /// The dictionary, once there is one.
    pub(super) fn trained(&self) -> Option<&Arc<Dictionary>> {
        self.trained.get()
    }

    /// `frame` by the dictionary, whether or not that pays.
    pub(super) fn pack(&self, frame: &Frame, dictionary: &Dictionary) -> Option<Bytes> {
        self.small.pack(frame, dictionary)
    }

    /// Learns from a message. Whoever brings the last one starts the training; if no dictionary
    /// comes of it that pays, there is none.
    pub(super) fn learn(self: &Arc<Self>, frame: &Frame) {
        let Some(samples) = self.collect(frame) else {
            return;
        };
        let trainer = Arc::clone(self);
        tokio::spawn(async move {
            let _one = TRAINING.acquire().await;
            let samples: Vec<Bytes> = samples.into_iter().collect();
            let training = tokio::task::spawn_blocking(move || Dictionary::train(&samples));
            if let Ok(Some(dictionary)) = training.await {
                // Started once, so set once.
                let _ = trainer.trained.set(Arc::new(dictionary));
            }
        });
    }

    /// All samples, with the one that makes them enough.
    fn collect(&self, frame: &Frame) -> Option<BTreeSet<Bytes>> {
        let mut held = lock(&self.samples);
        let samples = held.as_mut()?;
        // A commit goes to many peers, and counts once. Copied: a piece may be part of a larger one.
        if !samples.insert(frame.pieces.concat().into()) {
            return None;
        }
        let bytes: usize = samples.iter().map(Bytes::len).sum();
        if samples.len() >= SAMPLES || bytes >= SAMPLES_BYTES_MAX {
            held.take()
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: usize, length: usize) -> Frame {
        let mut text = number.to_string();
        text.extend(std::iter::repeat_n('x', length - text.len()));
        Frame::single(text.into())
    }

    #[test]
    fn samples_are_distinct_and_bounded() {
        let trainer = Trainer::default();
        for _ in 0..1_000 {
            assert!(trainer.collect(&frame(0, 100)).is_none(), "one message");
        }
        for number in 1..SAMPLES - 1 {
            assert!(trainer.collect(&frame(number, 100)).is_none());
        }
        let all = trainer.collect(&frame(SAMPLES, 100)).unwrap();
        assert_eq!(all.len(), SAMPLES);
        assert!(trainer.collect(&frame(9_999, 100)).is_none(), "once");
        let trainer = Trainer::default();
        let long = (0..).map_while(|n| match trainer.collect(&frame(n, 4_096)) {
            None => Some(n),
            Some(_) => None,
        });
        assert_eq!(long.count() + 1, SAMPLES_BYTES_MAX / 4_096);
    }

    #[test]
    fn what_a_swarm_has_learned_goes_with_its_last_connection() {
        let trainers = Trainers::default();
        let swarm = |name: &str| SwarmId::new(name).unwrap();
        let first = trainers.of(&swarm("a"));
        assert!(Arc::ptr_eq(&first, &trainers.of(&swarm("a"))));
        let other = trainers.of(&swarm("b"));
        assert!(!Arc::ptr_eq(&first, &other));
        drop((first, other));
        let _third = trainers.of(&swarm("c"));
        assert_eq!(lock(&trainers.0).len(), 1);
    }
}
