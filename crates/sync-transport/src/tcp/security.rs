//! What a hub asks of a connection before it listens to what it says.

use std::future::pending;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::SystemTime;

use sync_core::transport::{Hello, Refusal};

use super::io::{ReadHalf, WriteHalf, plain};
use super::net::Socket;
use crate::frame::PROOF_BYTES;
#[cfg(feature = "tls")]
use crate::{
    compress::Side,
    tcp::io::shared,
    tls::{Credential, HubTls, Principal, Proof, broken_off, sentence},
};

/// TLS, or nothing: then names are believed.
#[derive(Debug, Clone, Default)]
pub(super) struct Security {
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Arc<HubTls>>,
}

/// What a connection has shown by how it was opened.
#[derive(Debug, Default)]
pub(super) struct Shown {
    #[cfg(feature = "tls")]
    credential: Option<Credential>,
}

/// A connection that was not opened: why, and its two halves.
pub(super) type Unopened = (String, (ReadHalf, WriteHalf));

impl Security {
    /// When the hub's own certificate ends, if it has one.
    #[cfg(feature = "tls")]
    pub(super) fn certificate_ends(&self) -> Option<SystemTime> {
        self.tls.as_ref()?.ends()
    }

    /// There is none.
    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "with TLS it has one")]
    pub(super) fn certificate_ends(&self) -> Option<SystemTime> {
        None
    }

    /// The handshake of the encryption, if there is any. The caller keeps its deadline.
    #[cfg(feature = "tls")]
    pub(super) async fn open(
        &self,
        socket: Socket,
    ) -> Result<(ReadHalf, WriteHalf, Shown), Unopened> {
        let Some(tls) = &self.tls else {
            let (read, write) = plain(socket);
            return Ok((read, write, Shown::default()));
        };
        let accepted = tls.accept(socket.into_stream()).await;
        let (stream, credential) = accepted.map_err(|(error, stream)| {
            let reason = sentence(&error, Side::Hub);
            let reason = reason.unwrap_or_else(|| broken_off(&error, Side::Hub));
            (reason, shared(stream))
        })?;
        let (read, write) = shared(Box::new(stream));
        let credential = Some(credential);
        Ok((read, write, Shown { credential }))
    }

    /// There is none.
    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "with TLS there is a handshake here")]
    pub(super) async fn open(
        &self,
        socket: Socket,
    ) -> Result<(ReadHalf, WriteHalf, Shown), Unopened> {
        let (read, write) = plain(socket);
        Ok((read, write, Shown::default()))
    }
}

impl Shown {
    /// Whether who connects is who it says.
    #[cfg(feature = "tls")]
    pub(super) fn check(
        &self,
        hello: &Hello,
        proof: Option<[u8; PROOF_BYTES]>,
    ) -> Result<(), Refusal> {
        let Some(credential) = &self.credential else {
            return no_proof(proof);
        };
        let checked = credential.check(&claimed(hello), proof.map(Proof).as_ref());
        checked.map_err(|reason| Refusal::Identity { reason })
    }

    /// Waits until who was let in by this would not be any more, and says why.
    #[cfg(feature = "tls")]
    pub(super) async fn revoked(&self, hello: &Hello, proof: Option<[u8; PROOF_BYTES]>) -> String {
        let Some(credential) = &self.credential else {
            return pending().await;
        };
        let claimed = claimed(hello);
        credential
            .revoked(&claimed, proof.map(Proof).as_ref())
            .await;
        format!(
            "the token of {claimed} that this connection began with is not in the hub's list any more"
        )
    }

    /// Nothing was asked for.
    #[cfg(not(feature = "tls"))]
    pub(super) async fn revoked(
        &self,
        _hello: &Hello,
        _proof: Option<[u8; PROOF_BYTES]>,
    ) -> String {
        pending().await
    }

    /// Names are believed.
    #[cfg(not(feature = "tls"))]
    pub(super) fn check(
        &self,
        _hello: &Hello,
        proof: Option<[u8; PROOF_BYTES]>,
    ) -> Result<(), Refusal> {
        no_proof(proof)
    }
}

#[cfg(feature = "tls")]
fn claimed(hello: &Hello) -> Principal {
    Principal {
        swarm: hello.swarm.clone(),
        agent: hello.agent.clone(),
    }
}

/// A proof that nobody checks would be believed to have been checked.
fn no_proof(proof: Option<[u8; PROOF_BYTES]>) -> Result<(), Refusal> {
    match proof {
        None => Ok(()),
        Some(_) => Err(Refusal::Malformed {
            reason: "a token proves nothing without TLS".into(),
        }),
    }
}
