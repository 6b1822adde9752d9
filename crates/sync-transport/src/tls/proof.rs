//! The proof that a peer has a token, which is of no use on any other connection.
//!
//! As in SCRAM (RFC 5802) with the channel bound in (RFC 9266): from the hash `H` of the token `T` and
//! what only the two ends of this connection can compute, both get `K`; the proof is `T xor K`. The hub
//! takes `K` off again and looks whether what remains hashes to `H`. So neither a recorded proof nor the
//! hub's file lets anybody in.

use std::fmt;

use ring::hmac::{HMAC_SHA256, Key, sign};
use subtle::ConstantTimeEq;

use super::token::{TOKEN_BYTES, Token, hash};
use crate::frame::PROOF_BYTES;

/// What both ends take from a connection; the label keeps it apart from other uses.
pub(super) const EXPORT_LABEL: &[u8] = b"EXPORTER-swarm-sync-token";

/// Bytes taken from a connection.
pub(super) const EXPORT_BYTES: usize = 32;

/// That the peer has a token, on one connection. Its debug format shows nothing of it: with the keys of the
/// connection and the hub's list it would tell the token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof(pub(crate) [u8; PROOF_BYTES]);

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proof").finish_non_exhaustive()
    }
}

impl Proof {
    /// Made by the one who has the token; `export` is the connection's.
    pub(super) fn of(token: &Token, export: &[u8; EXPORT_BYTES]) -> Self {
        Self(xor(
            &token.secret,
            &mask(&hash(&token.secret), &token.principal().to_string(), export),
        ))
    }

    /// Whether it was made on this connection with the token that hashes to `expected`. Takes the same
    /// time whatever it is compared with.
    pub(super) fn matches(
        &self,
        expected: &[u8; TOKEN_BYTES],
        name: &str,
        export: &[u8; EXPORT_BYTES],
    ) -> bool {
        let secret = xor(&self.0, &mask(expected, name, export));
        hash(&secret).ct_eq(expected).into()
    }
}

fn mask(hashed: &[u8; TOKEN_BYTES], name: &str, export: &[u8; EXPORT_BYTES]) -> [u8; TOKEN_BYTES] {
    let key = Key::new(HMAC_SHA256, hashed);
    let signed = sign(&key, &[&export[..], name.as_bytes()].concat());
    let mut out = [0; TOKEN_BYTES];
    out.copy_from_slice(signed.as_ref());
    out
}

fn xor(a: &[u8; TOKEN_BYTES], b: &[u8; TOKEN_BYTES]) -> [u8; TOKEN_BYTES] {
    std::array::from_fn(|at| a[at] ^ b[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_one_token_one_name_and_one_connection() {
        let token = Token::random("team/agent-1".parse().unwrap()).unwrap();
        let other = Token::random("team/agent-1".parse().unwrap()).unwrap();
        let (here, there) = ([1; EXPORT_BYTES], [2; EXPORT_BYTES]);
        let hashed = hash(&token.secret);
        let proof = Proof::of(&token, &here);
        assert!(proof.matches(&hashed, "team/agent-1", &here));
        assert!(!proof.matches(&hashed, "team/agent-1", &there), "replayed");
        assert!(!proof.matches(&hashed, "team/agent-2", &here));
        assert!(!proof.matches(&hash(&other.secret), "team/agent-1", &here));
        // Who has only the hub's file has the mask, and not the token.
        let guess = Proof(mask(&hashed, "team/agent-1", &here));
        assert!(!guess.matches(&hashed, "team/agent-1", &here));
        assert!(!Proof(token.secret).matches(&hashed, "team/agent-1", &here));
    }
}
