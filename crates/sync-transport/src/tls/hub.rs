//! The hub's end: proves where it is, finds out who connects, and takes new files while it runs.

use std::fmt;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::files::{certificates, content, private_key, roots};
use super::fitness;
use super::identity::principals;
use super::proof::{EXPORT_BYTES, EXPORT_LABEL};
use super::tokens::Judged;
use super::{ALPN, Principal, Proof, TlsError, Tokens, provider};
use crate::tcp::Duplex;

/// Names of a certificate that a refusal quotes: it says which one was used, and fits into a handshake.
const NAMES_SHOWN_MAX: usize = 4;

/// Where a hub has what it needs. One of `ca` and `tokens` at least: without, nobody could be told
/// from anybody else.
#[derive(Debug, Clone)]
pub struct HubTlsFiles {
    /// Its certificate, for the names and addresses that agents dial, with those that lead to the CA.
    pub certificate: PathBuf,
    /// The private key of it.
    pub key: PathBuf,
    /// The certificate of the CA that issues those of agents; several while one replaces another.
    pub ca: Option<PathBuf>,
    /// The list of tokens, see [`Tokens`].
    pub tokens: Option<PathBuf>,
}

/// The hub's end of every handshake.
#[derive(Debug)]
pub struct HubTls {
    files: HubTlsFiles,
    in_force: watch::Sender<Arc<InForce>>,
}

#[derive(Debug)]
struct InForce {
    config: Arc<ServerConfig>,
    ends: Option<SystemTime>,
    tokens: Option<Tokens>,
}

impl HubTls {
    /// Reads all files.
    ///
    /// # Errors
    ///
    /// What is wrong with which of them.
    pub fn load(files: HubTlsFiles) -> Result<Self, TlsError> {
        let in_force = watch::Sender::new(Arc::new(read(&files)?));
        Ok(Self { files, in_force })
    }

    /// Reads all files anew. Connections that begin from now on go by them; those that are there stay, but
    /// for those of a token that is not in the list any more.
    ///
    /// # Errors
    ///
    /// What is wrong with which of them: then nothing changes.
    pub fn reload(&self) -> Result<(), TlsError> {
        let read = Arc::new(read(&self.files)?);
        self.in_force.send_replace(read);
        Ok(())
    }

    /// When the first certificate of its chain ends that is in force now.
    pub fn ends(&self) -> Option<SystemTime> {
        self.in_force.borrow().ends
    }

    /// The handshake. A failure gives the socket back, so that the alert on it can be read.
    pub(crate) async fn accept(
        &self,
        stream: Box<dyn Duplex>,
    ) -> Result<(TlsStream<Box<dyn Duplex>>, Credential), (io::Error, Box<dyn Duplex>)> {
        let later = self.in_force.subscribe();
        let in_force = Arc::clone(&later.borrow());
        let acceptor = TlsAcceptor::from(Arc::clone(&in_force.config));
        let stream = acceptor.accept(stream).into_fallible().await?;
        let (_, connection) = stream.get_ref();
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let named = shown.map(principals);
        let export = [0; EXPORT_BYTES];
        // Without it every proof fails, as it should.
        let export = connection.export_keying_material(export, EXPORT_LABEL, None);
        let credential = Credential {
            named,
            export: export.ok(),
            in_force,
            later,
        };
        Ok((stream, credential))
    }
}

/// What a connection has shown, before it said who it is. Its debug format shows no key of the connection.
pub(crate) struct Credential {
    /// Whom its certificate names, if it has shown one.
    named: Option<Vec<Principal>>,
    export: Option<[u8; EXPORT_BYTES]>,
    in_force: Arc<InForce>,
    /// What is read after that.
    later: watch::Receiver<Arc<InForce>>,
}

impl Credential {
    /// Waits until who was believed by a token would be no more. A certificate is good for as long as the
    /// connection.
    pub(crate) async fn revoked(&self, claimed: &Principal, proof: Option<&Proof>) {
        let (Some(proof), Some(export)) = (proof, &self.export) else {
            return pending().await;
        };
        if self.is_named(claimed) {
            return pending().await;
        }
        let mut later = self.later.clone();
        while later.changed().await.is_ok() {
            let in_force = Arc::clone(&later.borrow_and_update());
            let tokens = in_force.tokens.as_ref();
            let judged = tokens.map(|tokens| tokens.judge(claimed, proof, export));
            if judged != Some(Judged::Good) {
                return;
            }
        }
        pending::<()>().await;
    }

    fn is_named(&self, claimed: &Principal) -> bool {
        self.named
            .as_ref()
            .is_some_and(|named| named.contains(claimed))
    }

    /// Whether who connects is who it says. The reason tells what was shown, and nothing of what
    /// there is: a name that is unknown reads as one with another token.
    pub(crate) fn check(&self, claimed: &Principal, proof: Option<&Proof>) -> Result<(), String> {
        if self.is_named(claimed) {
            return Ok(());
        }
        let Some(proof) = proof else {
            return Err(self.shown(claimed));
        };
        let Some(tokens) = &self.in_force.tokens else {
            return Err("this hub takes no tokens, only certificates".into());
        };
        let export = self.export.as_ref();
        match export.map(|export| tokens.judge(claimed, proof, export)) {
            Some(Judged::Good) => Ok(()),
            // Told to whoever has the token: nobody else gets here.
            Some(Judged::Bare) => Err(format!(
                "the hub's list has the token of {claimed} itself and not its hash: put in the line that \
                 `swarm-sync cert token` printed, or better one of a new token, as others may have read it"
            )),
            Some(Judged::Wrong) | None => Err(format!(
                "the token is not one of {claimed}; check its file, and the hub's list"
            )),
        }
    }

    fn shown(&self, claimed: &Principal) -> String {
        let Some(named) = &self.named else {
            return format!("{claimed} is to be proved by a certificate or a token");
        };
        if named.is_empty() {
            return format!(
                "the certificate names no agent: it has no subject alternative name {}",
                claimed.uri()
            );
        }
        let shown: Vec<_> = named
            .iter()
            .take(NAMES_SHOWN_MAX)
            .map(ToString::to_string)
            .collect();
        let more = match named.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "the certificate names {}{more}, not {claimed}; use that name and swarm, or another certificate",
            shown.join(", ")
        )
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("named", &self.named)
            .finish_non_exhaustive()
    }
}

fn read(files: &HubTlsFiles) -> Result<InForce, TlsError> {
    let chain = certificates(&files.certificate)?;
    if let Some(own) = chain.first() {
        fitness::check(&files.certificate, own)?;
    }
    let ends = fitness::ends(&chain);
    let key = private_key(&files.key)?;
    let tokens = files.tokens.as_deref().map(Tokens::read).transpose()?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| mismatch(e.to_string()))?;
    let builder = match &files.ca {
        Some(ca) => {
            let roots = Arc::new(roots(ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = match tokens {
                Some(_) => verifier.allow_unauthenticated(),
                None => verifier,
            };
            let verifier = verifier.build().map_err(|e| content(ca, e.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None if tokens.is_some() => builder.with_no_client_auth(),
        None => {
            return Err(mismatch(
                "TLS without a CA and without tokens tells nobody from anybody: give --tls-ca, \
                 --tokens, or both",
            ));
        }
    };
    let config = builder.with_single_cert(chain, key);
    let mut config = config.map_err(|e| {
        let reason = format!(
            "it does not go with {}: {e}; issue both anew: swarm-sync cert … --replace",
            files.certificate.display()
        );
        content(&files.key, reason)
    })?;
    // What was resumed would not be judged anew.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(InForce {
        config: Arc::new(config),
        ends,
        tokens,
    })
}

fn mismatch(reason: impl Into<String>) -> TlsError {
    TlsError::Mismatch {
        reason: reason.into(),
    }
}
