//! TLS by hand, on which anything can be said.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sync_core::transport::Link;
use sync_transport::tls::{AgentTls, AgentTlsFiles, HubTlsFiles};
use sync_transport::{LinkOptions, TcpCoordinator, TcpLink};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::scene::Scene;
use crate::support::{hello, soon};

/// A connection encrypted as an agent's is, with the certificate of one or without any.
pub(crate) async fn encrypted(
    scene: &Scene,
    hub: &TcpCoordinator,
    agent: Option<&str>,
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(&scene.ca_file).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let config = match agent.and_then(|name| scene.agent_files(name).certificate) {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => config
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_file(certificate).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap(),
    };
    let stream = TcpStream::connect(hub.local_addr()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

/// The end of a hub with these files that asks nobody who he is.
fn acceptor(files: &HubTlsFiles) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&files.certificate).unwrap()],
            PrivateKeyDer::from_pem_file(&files.key).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"swarm-sync".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// A hub that its agents believe, and that keeps what they say: it has the hub's own key.
async fn record(files: &HubTlsFiles, listener: TcpListener) -> Vec<u8> {
    let (socket, _) = soon(listener.accept()).await.unwrap();
    let mut stream = soon(acceptor(files).accept(socket)).await.unwrap();
    let mut said = Vec::new();
    // The proof, and the hello, which says its own length.
    for _ in 0..2 {
        let length = soon(stream.read_u32_le()).await.unwrap();
        let mut frame = vec![0; length as usize];
        soon(stream.read_exact(&mut frame)).await.unwrap();
        said.extend(length.to_le_bytes());
        said.extend(frame);
    }
    said
}

/// What an agent with these files says to a hub with those.
pub(crate) async fn recorded(hub: &HubTlsFiles, agent: AgentTlsFiles) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = Arc::new(AgentTls::load(agent).unwrap());
    let link = TcpLink::new(address, LinkOptions::default()).with_tls(tls);
    let name = hello("agent-1");
    // The recorder hangs up once it has what it wants.
    let (recorded, refused) = tokio::join!(record(hub, listener), soon(link.connect(&name)));
    refused.unwrap_err();
    recorded
}

/// Why an agent with these files does not believe a hub with those, which would refuse to start with them.
pub(crate) async fn disbelieved(hub: &HubTlsFiles, agent: AgentTlsFiles) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = Arc::new(AgentTls::load(agent).unwrap());
    let link = TcpLink::new(address, LinkOptions::default()).with_tls(tls);
    let name = hello("agent-1");
    let accept = async {
        let (socket, _) = soon(listener.accept()).await.unwrap();
        soon(acceptor(hub).accept(socket)).await
    };
    let (_, refused) = tokio::join!(accept, soon(link.connect(&name)));
    refused.unwrap_err().to_string()
}
