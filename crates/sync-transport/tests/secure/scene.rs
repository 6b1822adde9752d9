//! A CA, its certificates, a hub and agents that use them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};
use sync_core::transport::{
    Connection, Coordinator, CoordinatorEvent, Frame, Hello, Link, TransportError,
};
use sync_transport::tls::{AgentTls, AgentTlsFiles, HubTls, HubTlsFiles, Token, write_private};
use sync_transport::{CoordinatorOptions, LinkOptions, TcpCoordinator, TcpLink};
use tempfile::TempDir;

use crate::support::{event, hello, soon};

/// The deadline of a hello here; long enough for honest agents on a busy machine.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

/// A directory with a CA and what it has issued.
pub(crate) struct Scene {
    directory: TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
    pub(crate) ca_file: PathBuf,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Not the name that those have who are given none.
        params.distinguished_name.push(DnType::CommonName, "a CA");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, ca.pem()).unwrap();
        Self {
            directory,
            ca,
            ca_file,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Issues a certificate; `change` does to it what is wrong with it.
    pub(crate) fn issue(
        &self,
        name: &str,
        params: CertificateParams,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = params;
        change(&mut params);
        let certificate = params.signed_by(&key, &self.ca).unwrap();
        self.write(name, &certificate.pem(), &key)
    }

    /// One that nobody else has signed.
    pub(crate) fn self_signed(&self, name: &str, params: CertificateParams) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        self.write(name, &certificate.pem(), &key)
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) -> (PathBuf, PathBuf) {
        let paths = (
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.key")),
        );
        for path in [&paths.0, &paths.1] {
            let _ = std::fs::remove_file(path);
        }
        std::fs::write(&paths.0, certificate).unwrap();
        write_private(&paths.1, &key.serialize_pem()).unwrap();
        paths
    }

    pub(crate) fn hub_files(&self) -> HubTlsFiles {
        self.hub_files_with(|_| {})
    }

    pub(crate) fn hub_files_with(
        &self,
        change: impl FnOnce(&mut CertificateParams),
    ) -> HubTlsFiles {
        let (certificate, key) = self.issue("hub", of_hub(), change);
        HubTlsFiles {
            certificate,
            key,
            ca: Some(self.ca_file.clone()),
            tokens: None,
        }
    }

    /// An agent with a certificate for `team/NAME`.
    pub(crate) fn agent_files(&self, name: &str) -> AgentTlsFiles {
        let issued = self.issue(name, of_agent(&format!("team/{name}")), |_| {});
        self.agent_with(Some(issued), None)
    }

    pub(crate) fn agent_with(
        &self,
        certificate: Option<(PathBuf, PathBuf)>,
        token: Option<PathBuf>,
    ) -> AgentTlsFiles {
        AgentTlsFiles {
            ca: self.ca_file.clone(),
            certificate,
            token,
        }
    }

    /// A new token of `SWARM/AGENT`: the agent's file, and the line of the hub's.
    pub(crate) fn token(&self, principal: &str, file: &str) -> (PathBuf, String) {
        let token = Token::random(principal.parse().unwrap()).unwrap();
        let path = self.path(file);
        write_private(&path, &token.secret_line()).unwrap();
        (path, token.hub_line())
    }
}

/// What a hub on this machine needs.
pub(crate) fn of_hub() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// What an agent needs.
pub(crate) fn of_agent(principal: &str) -> CertificateParams {
    let uri = format!("swarm-sync://{principal}");
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

pub(crate) fn expired(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
}

pub(crate) async fn hub(files: HubTlsFiles) -> (TcpCoordinator, Arc<HubTls>) {
    let options = CoordinatorOptions {
        hello: SHORT,
        close: SHORT,
        ..CoordinatorOptions::default()
    };
    let tls = Arc::new(HubTls::load(files).unwrap());
    let coordinator = TcpCoordinator::bind_secure("127.0.0.1:0", options, Arc::clone(&tls));
    (coordinator.await.unwrap(), tls)
}

pub(crate) fn link(hub: &TcpCoordinator, files: AgentTlsFiles) -> TcpLink {
    let tls = Arc::new(AgentTls::load(files).unwrap());
    TcpLink::new(hub.local_addr(), LinkOptions::default()).with_tls(tls)
}

/// Connects as `team/NAME`.
pub(crate) async fn connect(
    hub: &TcpCoordinator,
    files: AgentTlsFiles,
    name: &str,
) -> Result<Connection, TransportError> {
    connect_as(hub, files, &hello(name)).await
}

pub(crate) async fn connect_as(
    hub: &TcpCoordinator,
    files: AgentTlsFiles,
    hello: &Hello,
) -> Result<Connection, TransportError> {
    soon(link(hub, files).connect(hello)).await
}

/// Connects, is refused, and is told why.
pub(crate) async fn refused(hub: &TcpCoordinator, files: AgentTlsFiles, name: &str) -> String {
    match connect(hub, files, name).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{name} was admitted"),
    }
}

/// `connection` is of the peer announced next, and carries messages both ways.
pub(crate) async fn assert_serves(hub: &TcpCoordinator, mut connection: Connection, name: &str) {
    let CoordinatorEvent::Connected { session, hello } = event(hub).await else {
        panic!("{name} was not announced");
    };
    assert_eq!(hello.agent.as_str(), name);
    // More than one record of TLS, and more than its buffers hold.
    let large = vec![7; 900_000];
    let up = Frame::single(large.clone().into());
    connection.sender.send(vec![up]).await.unwrap();
    let got = event(hub).await;
    assert!(matches!(got, CoordinatorEvent::Received { frame, .. } if frame == large));
    let down = Frame::single(large.clone().into());
    hub.send(session, vec![down]).await.unwrap();
    assert_eq!(soon(connection.receiver.recv(1)).await.unwrap(), [large]);
    connection.sender.close().await;
    let end = event(hub).await;
    assert!(matches!(end, CoordinatorEvent::Disconnected { .. }));
}

pub(crate) fn mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let _ = (path, mode);
}
