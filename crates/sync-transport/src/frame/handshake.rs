//! Hello, welcome and refusal: the only frames that a transport reads beyond their kind.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::error::DecodeError;
use bincode::{Decode, Encode};
use bytes::Bytes;
use sync_core::transport::{Hello, PROTOCOL_MAX, PROTOCOL_MIN, Refusal, TransportError, Welcome};

use super::{HANDSHAKE_BYTES_MAX, Kind, PROOF_BYTES, clip, header, protocol};

/// Opens every hello, so that a program that dialled the wrong port is told so.
const MAGIC: [u8; 4] = *b"SwSy";

/// Longest reason repeated to a stranger.
const QUOTE_BYTES_MAX: usize = 256;

/// Decoding claims its bytes from a budget before it allocates anything.
fn config() -> Configuration<LittleEndian, Varint, Limit<HANDSHAKE_BYTES_MAX>> {
    bincode::config::standard().with_limit()
}

/// A whole frame, length included.
pub(crate) fn encode_hello(hello: &Hello) -> Result<Bytes, TransportError> {
    encode(Kind::Hello, &MAGIC, hello)
}

/// A whole frame, length included.
pub(crate) fn encode_proof(proof: &[u8; PROOF_BYTES]) -> Bytes {
    [&header(Kind::Proof, PROOF_BYTES)[..], proof]
        .concat()
        .into()
}

/// A whole frame, length included.
pub(crate) fn encode_welcome(welcome: &Welcome) -> Result<Bytes, TransportError> {
    encode(Kind::Welcome, &[], welcome)
}

/// A whole frame, length included.
pub(crate) fn encode_refusal(refusal: &Refusal) -> Result<Bytes, TransportError> {
    encode(Kind::Refuse, &[], refusal)
}

/// Reads the body of a hello. The versions come first and are judged first: the rest of a hello
/// from another version may look different.
pub(crate) fn decode_hello(body: &[u8]) -> Result<Hello, Refusal> {
    let rest = body
        .strip_prefix(&MAGIC)
        .ok_or_else(|| Refusal::Malformed {
            reason: "it does not start with the mark of this protocol".into(),
        })?;
    let malformed = |reason: String| Refusal::Malformed {
        reason: clip(&reason, QUOTE_BYTES_MAX).into(),
    };
    let (peer_min, peer_max): (u16, u16) = decode_prefix(rest).map_err(malformed)?.0;
    if peer_min > PROTOCOL_MAX || peer_max < PROTOCOL_MIN || peer_min > peer_max {
        return Err(Refusal::Protocol {
            hub_min: PROTOCOL_MIN,
            hub_max: PROTOCOL_MAX,
            peer_min,
            peer_max,
        });
    }
    decode(rest).map_err(malformed)
}

/// Reads the body of a welcome.
pub(crate) fn decode_welcome(body: &[u8]) -> Result<Welcome, TransportError> {
    decode(body).map_err(|reason| protocol(format!("a welcome that is malformed: {reason}")))
}

/// Reads the body of a refusal.
pub(crate) fn decode_refusal(body: &[u8]) -> Result<Refusal, TransportError> {
    decode(body).map_err(|reason| protocol(format!("a refusal that is malformed: {reason}")))
}

fn encode(kind: Kind, mark: &[u8], value: &impl Encode) -> Result<Bytes, TransportError> {
    let body = bincode::encode_to_vec(value, config()).map_err(|e| protocol(e.to_string()))?;
    let bytes = mark.len() + body.len();
    if bytes > HANDSHAKE_BYTES_MAX {
        return Err(TransportError::FrameTooLarge {
            bytes,
            limit: HANDSHAKE_BYTES_MAX,
        });
    }
    Ok([&header(kind, bytes)[..], mark, &body].concat().into())
}

fn decode<T: Decode<()>>(body: &[u8]) -> Result<T, String> {
    let (value, read) = decode_prefix(body)?;
    match body.len() - read {
        0 => Ok(value),
        extra => Err(format!("{extra} bytes follow its end")),
    }
}

fn decode_prefix<T: Decode<()>>(body: &[u8]) -> Result<(T, usize), String> {
    bincode::decode_from_slice(body, config()).map_err(|error| match error {
        DecodeError::UnexpectedEnd { .. } => "it is cut short".into(),
        // What a name lacks, in our own words.
        DecodeError::OtherString(reason) => reason,
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};
    use sync_core::id::{AgentId, Incarnation, SwarmId};
    use sync_core::transport::{Compressions, Role};

    use super::*;
    use crate::frame::HEADER_BYTES;

    fn hello() -> Hello {
        Hello::new(
            SwarmId::new("s".repeat(128)).unwrap(),
            AgentId::new("a".repeat(128)).unwrap(),
            Incarnation::from_random(u64::MAX),
            Role::Member,
        )
    }

    /// What a later program might offer.
    fn later() -> Compressions {
        bincode::decode_from_slice(&[252, 255, 255, 255, 255], config())
            .unwrap()
            .0
    }

    fn body_of(hello: &Hello) -> Vec<u8> {
        encode_hello(hello).unwrap()[HEADER_BYTES..].to_vec()
    }

    #[test]
    fn each_reads_back_what_was_written() {
        for compressions in [Compressions::NONE, Compressions::ZSTD, later()] {
            let hello = Hello {
                compressions,
                ..hello()
            };
            assert_eq!(decode_hello(&body_of(&hello)), Ok(hello));
        }
        let welcome = Welcome {
            protocol: 1,
            silence_ms_max: 10_000,
            frame_bytes_max: 1 << 20,
            compressions: Compressions::ZSTD,
        };
        let bytes = encode_welcome(&welcome).unwrap();
        assert_eq!(decode_welcome(&bytes[HEADER_BYTES..]), Ok(welcome));
        let refusals = [
            Refusal::Full { connections: 7 },
            Refusal::NameTaken {
                agent: hello().agent,
            },
            Refusal::NameReserved {
                agent: hello().agent,
            },
            Refusal::Swarm {
                swarm: hello().swarm,
            },
            Refusal::Malformed {
                reason: "x".repeat(QUOTE_BYTES_MAX),
            },
        ];
        for refusal in refusals {
            let bytes = encode_refusal(&refusal).unwrap();
            assert_eq!(decode_refusal(&bytes[HEADER_BYTES..]), Ok(refusal));
        }
    }

    #[test]
    fn a_hello_cut_short_or_followed_by_more_is_malformed() {
        let whole = body_of(&hello());
        for length in 0..whole.len() {
            let cut = decode_hello(&whole[..length]);
            assert!(
                matches!(cut, Err(Refusal::Malformed { .. })),
                "{length}: {cut:?}"
            );
        }
        let more = [&whole[..], &[0]].concat();
        assert!(matches!(
            decode_hello(&more),
            Err(Refusal::Malformed { .. })
        ));
    }

    /// Bad input, row 6.
    #[test]
    fn another_version_is_named_even_if_the_rest_is_unreadable() {
        for (peer_min, peer_max) in [(PROTOCOL_MAX + 1, 9), (0, 0), (1, 0)] {
            let body = bincode::encode_to_vec((peer_min, peer_max), config()).unwrap();
            let refusal = decode_hello(&[&MAGIC[..], &body, &[255; 20]].concat()).unwrap_err();
            let expected = Refusal::Protocol {
                hub_min: PROTOCOL_MIN,
                hub_max: PROTOCOL_MAX,
                peer_min,
                peer_max,
            };
            assert_eq!(refusal, expected);
        }
    }

    #[test]
    fn names_are_checked_while_decoding() {
        for bad in ["", "a b", "../x", &"n".repeat(129)] {
            let fields = (1u16, 1u16, bad, "agent", 7u64, Role::Member, 0u32);
            let body = bincode::encode_to_vec(fields, config()).unwrap();
            let read = decode_hello(&[&MAGIC[..], &body].concat());
            assert!(matches!(read, Err(Refusal::Malformed { .. })), "{bad:?}");
        }
    }

    #[test]
    fn random_bytes_never_panic_and_never_pass_for_a_hello() {
        let mut random = SmallRng::seed_from_u64(0x5eed);
        for round in 0..20_000 {
            let mut body = vec![0; random.random_range(0..300)];
            random.fill(&mut body[..]);
            assert!(decode_hello(&body).is_err(), "round {round}");
            let mut marked = body_of(&hello());
            let at = random.random_range(MAGIC.len()..marked.len());
            marked[at] = random.random();
            let _ = decode_hello(&marked);
            let _ = decode_welcome(&body);
            let _ = decode_refusal(&body);
        }
    }
}
