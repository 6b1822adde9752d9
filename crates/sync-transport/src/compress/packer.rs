//! The sending side: decides for each message how it travels.

use std::sync::Arc;

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::transport::{Compressions, Frame};

use super::effort::Effort;
use super::trainer::Trainer;
use super::{
    Dictionary, LARGE_BYTES_MIN, Recent, SMALL_BYTES_MAX, SMALL_BYTES_MIN, Slot, Trainers, codec,
    pack, pays, timed,
};
use crate::frame::{Batch, Kind};
use crate::meter::Meter;

/// What the connections of a hub share.
#[derive(Debug, Default)]
pub(crate) struct HubSide {
    recent: Recent,
    trainers: Trainers,
}

/// Compresses what one connection sends.
#[derive(Debug)]
pub(crate) struct Packer<'a> {
    holds: Compressions,
    dictionary: Slot,
    large: Effort,
    small: Effort,
    /// Only of a hub.
    shared: Option<Shared<'a>>,
}

#[derive(Debug)]
struct Shared<'a> {
    recent: &'a Recent,
    trainer: Arc<Trainer>,
    /// Bytes of small messages that went out without a dictionary.
    without: usize,
}

impl<'a> Packer<'a> {
    /// An agent's. It uses a dictionary that its reader has put into `dictionary`.
    pub(crate) fn of_agent(holds: Compressions, dictionary: Slot) -> Self {
        Self {
            holds,
            dictionary,
            large: Effort::default(),
            small: Effort::default(),
            shared: None,
        }
    }

    /// A hub's. It puts the dictionary that it gives into `dictionary`.
    pub(crate) fn of_hub(
        hub: &'a HubSide,
        swarm: &SwarmId,
        holds: Compressions,
        dictionary: Slot,
    ) -> Self {
        let shared = Shared {
            recent: &hub.recent,
            trainer: hub.trainers.of(swarm),
            without: 0,
        };
        Self {
            shared: Some(shared),
            ..Self::of_agent(holds, dictionary)
        }
    }

    /// Appends a message to `batch` as it is to travel.
    pub(crate) async fn push(&mut self, batch: &mut Batch, frame: &Frame, meter: &Meter) {
        let plain = frame.len();
        let small = (SMALL_BYTES_MIN..=SMALL_BYTES_MAX).contains(&plain);
        if small && self.holds.contains(Compressions::DICTIONARY) {
            self.give_dictionary(batch, frame, meter);
        }
        let dictionary = self.dictionary.get().filter(|_| small).cloned();
        let packed = match dictionary {
            Some(dictionary) => self.with(&dictionary, frame, meter),
            None => self.alone(frame, meter).await,
        };
        match packed {
            Some((kind, packed)) => {
                meter.add_packed(plain, packed.len());
                batch.push_packed(kind, &packed);
            }
            None => batch.push_data(frame),
        }
    }

    /// Gives a dictionary once the small messages without one have cost as much as it does: whoever
    /// stays pays at most twice of what was best, and whoever leaves soon is not sent one.
    fn give_dictionary(&mut self, batch: &mut Batch, frame: &Frame, meter: &Meter) {
        let Some(shared) = &mut self.shared else {
            return;
        };
        if self.dictionary.get().is_some() {
            return;
        }
        shared.without += frame.len();
        let Some(trained) = shared.trainer.trained() else {
            return shared.trainer.learn(frame);
        };
        let bytes = trained.bytes();
        // Set before it is written, so that whatever the peer makes with it can be read.
        if shared.without >= bytes.len() && self.dictionary.set(Arc::clone(trained)).is_ok() {
            meter.add_packed(0, bytes.len());
            batch.push_packed(Kind::Dictionary, bytes);
        }
    }

    /// A small message, by the dictionary.
    fn with(
        &mut self,
        dictionary: &Dictionary,
        frame: &Frame,
        meter: &Meter,
    ) -> Option<(Kind, Bytes)> {
        if !self.small.tries() {
            return None;
        }
        let packed = timed(meter, || match &self.shared {
            Some(shared) => shared.trainer.pack(frame, dictionary),
            None => codec::pack_with(&frame.to_bytes(), dictionary),
        });
        let packed = packed.filter(|packed| pays(frame.len(), packed.len()));
        self.small.learn(packed.is_some());
        packed.map(|packed| (Kind::PackedWith, packed))
    }

    /// Any other message, if it is large enough.
    async fn alone(&mut self, frame: &Frame, meter: &Meter) -> Option<(Kind, Bytes)> {
        let worth = frame.len() >= LARGE_BYTES_MIN && self.holds.contains(Compressions::ZSTD);
        if !worth || !self.large.tries() {
            return None;
        }
        let packed = match &self.shared {
            Some(shared) => shared.recent.pack(frame, meter).await,
            None => pack(frame, meter).await,
        };
        let packed = packed.filter(|packed| pays(frame.len(), packed.len()));
        self.large.learn(packed.is_some());
        packed.map(|packed| (Kind::Packed, packed))
    }
}
