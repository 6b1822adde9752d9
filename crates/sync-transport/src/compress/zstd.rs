//! zstd: bytes in, bytes out, within bounds.

use bytes::Bytes;
use sync_core::transport::Compressions;
use zstd::dict::from_samples;
use zstd::zstd_safe::{
    CCtx, CDict, CParameter, DCtx, DDict, SafeResult, compress_bound, get_error_name,
};

use super::pool::Pool;
use super::{RATIO_MAX, pays};

/// What this program can read.
pub(crate) const OFFERED: Compressions = Compressions::ZSTD.and(Compressions::DICTIONARY);

/// Half the memory of the default level and up to 2.7 times as fast, for 3 to 8 % more bytes.
const LEVEL: i32 = 1;

/// A dictionary of twice the size saves another twentieth, and each connection is sent one.
const DICTIONARY_BYTES: usize = 8 << 10;

/// Of the samples one in so many is kept aside, to see whether a dictionary made of the others pays.
const HELD_BACK: usize = 4;

/// The first bytes of every zstd frame. Left out where they would be a twentieth of the message.
const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// The first bytes of a frame that a reader of zstd skips; its length follows.
const SKIPPED: [u8; 4] = 0x184d_2a50_u32.to_le_bytes();

/// Room to read into that is kept with a context: a message of the usual limit.
const ROOM_BYTES_KEPT: usize = 1 << 20;

static PACKING: Pool<CCtx<'static>> = Pool::new();
static READING: Pool<Reading> = Pool::new();

struct Reading {
    context: DCtx<'static>,
    /// Not a message's own, because how long one is turns out last.
    room: Vec<u8>,
}

/// A dictionary, made ready for both directions.
pub(crate) struct Dictionary {
    bytes: Bytes,
    packing: CDict<'static>,
    reading: DDict<'static>,
}

impl std::fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dictionary({} bytes)", self.bytes.len())
    }
}

impl Dictionary {
    /// Reads one; `None` if the bytes are none.
    pub(crate) fn new(bytes: Bytes) -> Option<Self> {
        Some(Self {
            packing: CDict::try_create(&bytes, LEVEL)?,
            reading: DDict::try_create(&bytes)?,
            bytes,
        })
    }

    /// Makes one that pays for messages like these; `None` if none does. Takes tens of milliseconds.
    pub(crate) fn train(samples: &[Bytes]) -> Option<Self> {
        let numbered = || samples.iter().enumerate();
        let kept = |(n, sample): (usize, _)| (n % HELD_BACK != 0).then_some(sample);
        let kept: Vec<&Bytes> = numbered().filter_map(kept).collect();
        let mut bytes = from_samples(&kept, DICTIONARY_BYTES).ok()?;
        // Its number. Each message would repeat it, and there is one dictionary per connection.
        bytes.get_mut(4..8)?.fill(0);
        let trained = Self::new(bytes.into())?;
        let held = numbered().filter(|(n, _)| n % HELD_BACK == 0);
        let (mut plain, mut packed) = (0, 0);
        for (_, sample) in held {
            plain += sample.len();
            packed += pack_with(sample, &trained).map_or(sample.len(), |p| p.len());
        }
        pays(plain, packed).then_some(trained)
    }

    /// As it crosses the wire.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// One zstd frame, padded if it would grow too much.
pub(crate) fn pack(plain: &[u8]) -> Option<Bytes> {
    packing(plain, |context, out| context.compress2(out, plain)).map(|packed| padded(packed, plain))
}

/// One zstd frame made with `dictionary`, without its first bytes.
pub(crate) fn pack_with(plain: &[u8], dictionary: &Dictionary) -> Option<Bytes> {
    let packed = packing(plain, |context, out| {
        context.compress_using_cdict(out, plain, &dictionary.packing)
    })?;
    Some(padded(packed, plain).slice(MAGIC.len()..))
}

/// What [`pack`] was given. At most `limit` bytes come of it, or it is refused.
pub(crate) fn read(packed: &[u8], limit: usize) -> Result<Bytes, String> {
    reading(packed.len(), limit, |context, room| {
        context.decompress(room, packed)
    })
}

/// What [`pack_with`] was given; see [`read`].
pub(crate) fn read_with(
    packed: &[u8],
    dictionary: &Dictionary,
    limit: usize,
) -> Result<Bytes, String> {
    let whole = [&MAGIC, packed].concat();
    reading(packed.len(), limit, |context, room| {
        context.decompress_using_ddict(room, &whole, &dictionary.reading)
    })
}

fn packing(
    plain: &[u8],
    work: impl FnOnce(&mut CCtx<'static>, &mut Vec<u8>) -> SafeResult,
) -> Option<Vec<u8>> {
    let mut context = PACKING.take(|| {
        let mut context = CCtx::create();
        // It is a level there is; with another one everything would still be read.
        let _ = context.set_parameter(CParameter::CompressionLevel(LEVEL));
        context
    });
    let mut out = Vec::with_capacity(compress_bound(plain.len()));
    let packed = work(&mut context, &mut out).is_ok();
    PACKING.give_back(context);
    // The room was for the worst case, and what came of it may be kept for a while.
    out.shrink_to_fit();
    packed.then_some(out)
}

/// The room is what the bytes that came may grow to, never what they say of themselves.
fn reading(
    packed: usize,
    limit: usize,
    work: impl FnOnce(&mut DCtx<'static>, &mut Vec<u8>) -> SafeResult,
) -> Result<Bytes, String> {
    let most = limit.min(packed * RATIO_MAX);
    if packed == 0 {
        return Err(refusal(packed, most, "it is empty"));
    }
    let mut reading = READING.take(|| Reading {
        context: DCtx::create(),
        room: Vec::new(),
    });
    reading.room.clear();
    reading.room.reserve_exact(most);
    let read = match work(&mut reading.context, &mut reading.room) {
        // The room may be larger: others have used it.
        Ok(_) if reading.room.len() <= most => Ok(Bytes::copy_from_slice(&reading.room)),
        Ok(_) => Err(refusal(packed, most, "it is longer")),
        Err(code) => Err(refusal(packed, most, get_error_name(code))),
    };
    if reading.room.capacity() <= ROOM_BYTES_KEPT {
        READING.give_back(reading);
    }
    read
}

fn refusal(packed: usize, most: usize, what: &str) -> String {
    format!(
        "a compressed message of {packed} bytes that does not read as {most} bytes or less: {what}"
    )
}

/// Brings what shrank by more than [`RATIO_MAX`] up to that.
fn padded(mut packed: Vec<u8>, plain: &[u8]) -> Bytes {
    // One more for the first bytes, which may be left out.
    let least = plain.len().div_ceil(RATIO_MAX) + MAGIC.len();
    if packed.len() < least {
        let head = SKIPPED.len() + size_of::<u32>();
        let body = (least - packed.len()).saturating_sub(head);
        packed.extend_from_slice(&SKIPPED);
        // A 256th of 16 MiB at most.
        packed.extend_from_slice(&u32::try_from(body).unwrap_or(0).to_le_bytes());
        packed.resize(packed.len() + body, 0);
    }
    packed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as a swarm has them, from a number on.
    fn messages(from: usize, count: usize) -> Vec<Bytes> {
        let message = |n: usize| {
            let text = format!(
                "{{\"task\":\"task-{n}\",\"state\":\"{}\",\"owner\":\"agent-{}\",\"hash\":\"{:016x}\"}}",
                ["open", "taken", "done"][n % 3],
                n % 17,
                (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            );
            text.into()
        };
        (from..from + count).map(message).collect()
    }

    #[test]
    fn what_was_packed_reads_as_it_was() {
        let all = messages(0, 5_000).concat();
        let zeros = vec![0; 16 << 20];
        for plain in [&b""[..], b"x", &all, &zeros] {
            let packed = pack(plain).unwrap();
            assert!(packed.len() * RATIO_MAX >= plain.len());
            assert_eq!(read(&packed, plain.len()).unwrap(), plain);
        }
        assert!(pack(&all).unwrap().len() < all.len() / 4);
    }

    #[test]
    fn a_dictionary_of_some_messages_halves_others() {
        let trained = Dictionary::train(&messages(0, 400)).unwrap();
        assert!(trained.bytes().len() <= DICTIONARY_BYTES);
        let given = Dictionary::new(trained.bytes().clone()).unwrap();
        for plain in messages(1_000, 50) {
            let packed = pack_with(&plain, &trained).unwrap();
            assert!(packed.len() < plain.len() / 2, "{}", packed.len());
            assert_eq!(read_with(&packed, &given, plain.len()).unwrap(), plain);
        }
        let zeros = [0; 4096];
        let packed = pack_with(&zeros, &trained).unwrap();
        assert_eq!(&read_with(&packed, &given, 4096).unwrap()[..], zeros);
    }

    #[test]
    fn samples_that_share_nothing_make_no_dictionary() {
        let noise = |n: u64| -> Bytes {
            let mut state = n;
            let mut next = || {
                state = state
                    .wrapping_mul(0x5851_f42d_4c95_7f2d)
                    .wrapping_add(0x1405_7b7e);
                state.to_be_bytes()[0]
            };
            (0..200).map(|_| next()).collect()
        };
        let noise: Vec<Bytes> = (1..400).map(noise).collect();
        assert!(Dictionary::train(&noise).is_none());
        assert!(Dictionary::train(&[]).is_none());
        assert!(Dictionary::train(&vec![Bytes::from_static(b"same"); 400]).is_none());
    }

    /// Bad input, row 4.
    #[test]
    fn a_bomb_is_refused_and_the_next_message_reads() {
        let plain = vec![7; 1 << 20];
        let packed = pack(&plain).unwrap();
        let bare = &packed[..30.min(packed.len())];
        let cases = [
            ("over the limit", packed.to_vec(), plain.len() - 1),
            ("grows too much", unpadded(&plain), plain.len()),
            ("cut", bare.to_vec(), plain.len()),
            ("rubbish", b"no zstd at all, just words".to_vec(), 1 << 20),
            (
                "nothing but padding",
                [&SKIPPED[..], &[9, 0, 0, 0, 1]].concat(),
                99,
            ),
        ];
        for (name, bytes, limit) in cases {
            let refused = read(&bytes, limit).unwrap_err();
            assert!(refused.contains("does not read"), "{name}: {refused}");
            assert_eq!(read(&packed, plain.len()).unwrap(), plain, "after {name}");
        }
    }

    fn unpadded(plain: &[u8]) -> Vec<u8> {
        packing(plain, |context, out| context.compress2(out, plain)).unwrap()
    }
}
