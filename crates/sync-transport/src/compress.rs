//! Messages made smaller on their way: what is tried, what is given up, what is refused.
//!
//! A hello says what a peer can read and the welcome what holds. A message of [`LARGE_BYTES_MIN`] or
//! more is tried with zstd. Smaller ones have too little in them to repeat; for these the hub trains
//! a dictionary per swarm from what it has sent, gives it to each connection that has carried as
//! much, and both sides use it from there on. What does not get clearly smaller travels as it is, and
//! a connection on which nothing does is left alone for longer and longer.
//!
//! Contexts are big and connections many, so that contexts belong to the process ([`pool`]).

#[cfg_attr(feature = "zstd", path = "compress/zstd.rs")]
#[cfg_attr(not(feature = "zstd"), path = "compress/none.rs")]
mod codec;
mod effort;
mod opener;
mod packer;
#[cfg(feature = "zstd")]
mod pool;
mod recent;
mod small;
mod trainer;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use sync_core::transport::{Compressions, Frame};
use tokio::sync::Semaphore;

pub(crate) use codec::Dictionary;
#[cfg(feature = "testing")]
pub(crate) use codec::{pack as pack_alone, pack_with};
pub(crate) use opener::{Opener, Side};
pub(crate) use packer::{HubSide, Packer};
use recent::Recent;
use trainer::Trainers;

use crate::meter::Meter;

/// Messages from this size are tried without a dictionary. Of the messages of small values, 270
/// bytes on average, zstd alone saves 9 %, which is not worth 10 µs each.
pub(crate) const LARGE_BYTES_MIN: usize = 1024;

/// Messages from this size are tried with a dictionary. What is smaller is mostly digests and
/// numbers, and would teach a dictionary nothing.
pub(crate) const SMALL_BYTES_MIN: usize = 100;

/// Messages up to this size are made with the dictionary, where there is one. In larger ones zstd
/// finds enough to repeat.
pub(crate) const SMALL_BYTES_MAX: usize = 4096;

/// A compressed message grows by no more than this when it is read, so that a peer pays for what it
/// makes the other do. Documents shrink to a tenth, or a fiftieth; what would shrink further is
/// padded.
pub(crate) const RATIO_MAX: usize = 256;

/// Longest dictionary taken from a hub: four times what this program makes.
pub(crate) const DICTIONARY_BYTES_MAX: usize = 32 << 10;

/// Larger messages are compressed beside the runtime: this much takes about 0.2 ms, and a hub has
/// one thread for everybody.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// Messages compressed beside the runtime at once, in the whole process: what holds memory for it
/// are these, not the connections that wait.
static ASIDE: Semaphore = Semaphore::const_new(4);

/// The dictionary of a connection, once it has one: the same for both directions and for good.
pub(crate) type Slot = Arc<OnceLock<Arc<Dictionary>>>;

/// What this side can read.
pub(crate) fn offered(wanted: bool) -> Compressions {
    if wanted {
        codec::OFFERED
    } else {
        Compressions::NONE
    }
}

/// Whether `packed` bytes instead of `plain` are worth what it costs to read them.
fn pays(plain: usize, packed: usize) -> bool {
    packed <= plain - plain / 8
}

/// `frame` compressed without a dictionary, whether or not it pays; `None` if it cannot be.
async fn pack(frame: &Frame, meter: &Meter) -> Option<Bytes> {
    if frame.len() <= INLINE_BYTES_MAX {
        return timed(meter, || codec::pack(&frame.to_bytes()));
    }
    // Never closed, so there is a permit in the end.
    let _permit = ASIDE.acquire().await.ok()?;
    let frame = frame.clone();
    let aside = tokio::task::spawn_blocking(move || {
        let since = Instant::now();
        (codec::pack(&frame.to_bytes()), since.elapsed())
    });
    // A runtime that shuts down runs no more of these.
    let (packed, took) = aside.await.ok()?;
    meter.add_cpu(took);
    packed
}

fn timed<T>(meter: &Meter, work: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    let done = work();
    meter.add_cpu(since.elapsed());
    done
}
