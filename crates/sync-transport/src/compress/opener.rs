//! The receiving side: compressed messages become what they were.

use std::sync::Arc;

use bytes::Bytes;
use sync_core::transport::TransportError;

use super::{Dictionary, SMALL_BYTES_MAX, Slot, codec, timed};
use crate::frame::{Incoming, Kind, protocol};
use crate::meter::Meter;

/// Which end of a connection this is. Only a hub gives dictionaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Where agents connect.
    Hub,
    /// Who connects.
    Agent,
}

/// Reads the messages of one connection. That a kind was agreed on is the decoder's to check.
#[derive(Debug)]
pub(crate) struct Opener {
    side: Side,
    dictionary: Slot,
    message_bytes_max: usize,
}

impl Opener {
    pub(crate) fn new(side: Side, dictionary: Slot, message_bytes_max: usize) -> Self {
        Self {
            side,
            dictionary,
            message_bytes_max,
        }
    }

    /// What `incoming` is to whoever reads messages; nothing if it is for this side alone.
    pub(crate) fn open(
        &self,
        incoming: Incoming,
        meter: &Meter,
    ) -> Result<Option<Incoming>, TransportError> {
        let packed = &incoming.body;
        let read = match incoming.kind {
            Kind::Packed => timed(meter, || codec::read(packed, self.message_bytes_max)),
            Kind::PackedWith => {
                let Some(dictionary) = self.dictionary.get() else {
                    return Err(protocol(
                        "a message made with a dictionary that was not given",
                    ));
                };
                let limit = self.message_bytes_max.min(SMALL_BYTES_MAX);
                timed(meter, || codec::read_with(packed, dictionary, limit))
            }
            Kind::Dictionary => {
                meter.add_opened(0, packed.len());
                return self.learn(incoming.body).map(|()| None);
            }
            _ => return Ok(Some(incoming)),
        };
        let body = read.map_err(protocol)?;
        meter.add_opened(body.len(), packed.len());
        let kind = Kind::Data;
        Ok(Some(Incoming { kind, body }))
    }

    fn learn(&self, bytes: Bytes) -> Result<(), TransportError> {
        if self.side == Side::Hub {
            return Err(protocol("a dictionary, which only a hub gives"));
        }
        let dictionary = Dictionary::new(bytes);
        let dictionary = dictionary.ok_or_else(|| protocol("a dictionary that does not read"))?;
        let first = self.dictionary.set(Arc::new(dictionary));
        first.map_err(|_| protocol("a second dictionary, where one is for good"))
    }
}
