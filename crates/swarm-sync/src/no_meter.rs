//! In the place of `meter` where nobody wants to know.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{SwarmId, Traffic};
use sync_protocol::{Hub, RoundEnded};

/// What nobody asks for.
#[derive(Debug)]
#[expect(dead_code, reason = "the other one reads it")]
pub(crate) struct Process {
    pub(crate) traffic: Traffic,
    pub(crate) store_bytes: Option<u64>,
    pub(crate) free_bytes: Option<u64>,
    pub(crate) connections: usize,
    pub(crate) refused: u64,
    /// How long the hub's own is still good for.
    pub(crate) certificate: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Meter;

#[allow(clippy::unused_self, reason = "the other one has a state")]
impl Meter {
    pub(crate) fn deadline(&self) -> Option<Duration> {
        None
    }

    pub(crate) fn tell(
        &mut self,
        _now: Duration,
        _hubs: &BTreeMap<SwarmId, Hub>,
        _process: impl FnOnce() -> Process,
    ) {
    }
}

pub(crate) fn round_ended(_swarm: &SwarmId, _ended: &RoundEnded) {}

pub(crate) fn flushed(_node: &'static str, _took: Duration) {}
