//! The agent's end: believes only a hub of its CA, and proves its own name.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};
use sync_core::transport::TransportError;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::files::{certificates, content, private_key, roots};
use super::fitness;
use super::identity::principals;
use super::proof::{EXPORT_BYTES, EXPORT_LABEL};
use super::reason::{broken_off, is_of_issuer, sentence};
use super::{ALPN, Principal, Proof, TlsError, Token, provider};
use crate::compress::Side;
use crate::lock;
use crate::tcp::Duplex;

/// Where an agent has what it needs: the CA of its hub, and one of the two ways to prove its name.
#[derive(Debug, Clone)]
pub struct AgentTlsFiles {
    /// The certificate of the CA that issues the hub's.
    pub ca: PathBuf,
    /// Its own certificate and the private key of it.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Its token, see [`Token`].
    pub token: Option<PathBuf>,
}

/// The agent's end of every handshake. The files are read anew for each, so that a new certificate
/// counts from the next connection on.
#[derive(Debug)]
pub struct AgentTls {
    files: AgentTlsFiles,
    last: Mutex<Arc<Loaded>>,
    /// What the last hub has shown.
    hub_ends: Mutex<Option<SystemTime>>,
}

#[derive(Debug)]
struct Loaded {
    config: Arc<ClientConfig>,
    named: Vec<Principal>,
    ends: Option<SystemTime>,
    /// What nobody can believe about its own certificate.
    flaw: Option<&'static str>,
    token: Option<Token>,
}

impl AgentTls {
    /// Reads all files.
    ///
    /// # Errors
    ///
    /// What is wrong with which of them.
    pub fn load(files: AgentTlsFiles) -> Result<Self, TlsError> {
        let last = Mutex::new(Arc::new(read(&files)?));
        let hub_ends = Mutex::default();
        Ok(Self {
            files,
            last,
            hub_ends,
        })
    }

    /// When its own certificate ends; none if it proves its name by a token.
    pub fn ends(&self) -> Option<SystemTime> {
        lock(&self.last).ends
    }

    /// When the certificate ends that the hub has shown at the last connection; none before one.
    pub fn hub_ends(&self) -> Option<SystemTime> {
        *lock(&self.hub_ends)
    }

    /// The names that this end can prove.
    pub fn principals(&self) -> Vec<Principal> {
        let loaded = Arc::clone(&lock(&self.last));
        let token = loaded.token.iter().map(Token::principal);
        loaded.named.iter().chain(token).cloned().collect()
    }

    /// The handshake with the hub at `address`, and the proof of the token if there is one.
    pub(crate) async fn connect(
        &self,
        address: &str,
        stream: Box<dyn Duplex>,
    ) -> Result<(TlsStream<Box<dyn Duplex>>, Option<Proof>), TransportError> {
        let failed = |reason: String| TransportError::Tls { reason };
        let name = server_name(address).map_err(failed)?;
        let loaded = self.current();
        let connector = TlsConnector::from(Arc::clone(&loaded.config));
        let connected = connector.connect(name, stream).await;
        let stream = connected.map_err(|error| failed(self.why_not(&error)))?;
        let shown = stream.get_ref().1.peer_certificates();
        *lock(&self.hub_ends) = shown.and_then(fitness::ends);
        let proof = match &loaded.token {
            None => None,
            Some(token) => {
                let (_, connection) = stream.get_ref();
                let export = [0; EXPORT_BYTES];
                let export = connection.export_keying_material(export, EXPORT_LABEL, None);
                let export = export.map_err(|e| failed(e.to_string()))?;
                Some(Proof::of(token, &export))
            }
        };
        Ok((stream, proof))
    }

    /// Why there was no handshake, and which file to look at.
    fn why_not(&self, error: &io::Error) -> String {
        match sentence(error, Side::Agent) {
            None => {
                let reason = broken_off(error, Side::Agent);
                format!("{reason}; it may have no TLS, or be busy")
            }
            Some(reason) if is_of_issuer(error) => {
                let ca = self.files.ca.display();
                format!("{reason}; what this side believes is in {ca}")
            }
            Some(reason) => reason,
        }
    }

    /// The same error with what is to be known about this side's own certificate, if it is about that. The hub
    /// judges it once the handshake is over for this side, and gives no more than a number for a reason.
    pub(crate) fn explained(&self, error: TransportError) -> TransportError {
        let TransportError::Tls { reason } = error else {
            return error;
        };
        let Some((certificate, _)) = &self.files.certificate else {
            return TransportError::Tls { reason };
        };
        let file = certificate.display();
        let flaw = lock(&self.last).flaw;
        let flaw = flaw.map_or_else(String::new, |flaw| format!(", which {flaw}"));
        TransportError::Tls {
            reason: format!(
                "{reason}; the certificate is in {file}{flaw}; the hub's audit log says more"
            ),
        }
    }

    /// What the files say, or what they said last if they cannot be read at this moment: a file that is
    /// being replaced must not cut an agent off.
    fn current(&self) -> Arc<Loaded> {
        match read(&self.files) {
            Ok(loaded) => {
                let loaded = Arc::new(loaded);
                *lock(&self.last) = Arc::clone(&loaded);
                loaded
            }
            Err(error) => {
                tracing::warn!(%error, "the files of TLS as they were before are used");
                Arc::clone(&lock(&self.last))
            }
        }
    }
}

fn read(files: &AgentTlsFiles) -> Result<Loaded, TlsError> {
    let token = files.token.as_deref().map(Token::read).transpose()?;
    let builder: ConfigBuilder<ClientConfig, WantsVerifier> =
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|e| TlsError::Mismatch {
                reason: e.to_string(),
            })?;
    let builder = builder.with_root_certificates(roots(&files.ca)?);
    let (mut named, mut ends, mut flaw) = (Vec::new(), None, None);
    let mut config = match &files.certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            named = chain.first().map(principals).unwrap_or_default();
            ends = fitness::ends(&chain);
            flaw = chain.first().and_then(fitness::flaw);
            let config = builder.with_client_auth_cert(chain, private_key(key)?);
            config.map_err(|e| {
                let reason = format!(
                    "it does not go with {}: {e}; issue both anew: swarm-sync cert … --replace",
                    certificate.display()
                );
                content(key, reason)
            })?
        }
    };
    // What was resumed would not be judged anew.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Loaded {
        config: Arc::new(config),
        named,
        ends,
        flaw,
        token,
    })
}

/// What was dialled, as the hub's certificate must have it.
fn server_name(address: &str) -> Result<ServerName<'static>, String> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned())
        .map_err(|_| format!("{host:?} is neither a host name nor an address: check --hub"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_dialled_is_the_host() {
        for (address, host) in [
            ("127.0.0.1:7420", "127.0.0.1"),
            ("[::1]:7420", "::1"),
            ("hub.example:1", "hub.example"),
        ] {
            assert_eq!(server_name(address).unwrap().to_str(), host);
        }
        assert!(server_name("a b:1").is_err());
    }
}
