//! Whoever is not let in is told why, and the hub notes it: each case at both ends.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, IsCa, SanType};
use sync_core::id::SwarmId;
use sync_core::transport::Hello;
use sync_transport::TcpCoordinator;
use sync_transport::tls::{AgentTls, AgentTlsFiles, HubTlsFiles, write_private};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing::subscriber::DefaultGuard;

use crate::raw::{encrypted, recorded};
use crate::scene::{Scene, connect, connect_as, expired, hub, of_agent, of_hub};
use crate::support::{hello, soon};

/// What the log of this thread says, in which everything of a test runs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to listen, until the guard is dropped.
    fn listen() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&held).into_owned()
    }

    /// The lines of the audit since the last time, once there is one.
    async fn audited(&self) -> Vec<String> {
        let there = async {
            loop {
                let text = self.text();
                let lines = text.lines().filter(|line| line.contains(" audit: "));
                let lines: Vec<String> = lines.map(str::to_owned).collect();
                if !lines.is_empty() {
                    self.0
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .clear();
                    return lines;
                }
                tokio::task::yield_now().await;
            }
        };
        soon(there).await
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Connects in vain, and has one line of the audit with these words for it.
async fn refused(
    log: &Log,
    hub: &TcpCoordinator,
    files: AgentTlsFiles,
    hello: &Hello,
    (told, noted): (&str, &str),
) {
    let reason = connect_as(hub, files, hello).await.unwrap_err().to_string();
    assert!(reason.contains(told), "{told}: {reason}");
    one_line(log, noted).await;
}

async fn one_line(log: &Log, noted: &str) {
    let lines = log.audited().await;
    assert_eq!(lines.len(), 1, "{noted}: {lines:?}");
    for words in [noted, "a connection was refused", "from=127.0.0.1:"] {
        assert!(lines[0].contains(words), "{words}: {lines:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_in_order_is_told_of_at_both_ends() {
    let scene = Scene::new();
    let strangers = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let (log, _guard) = Log::listen();
    let params = || of_agent("team/agent-1");
    let not_ours = (
        "not of the CA that is believed there",
        "not issued by the CA",
    );
    let cases = [
        (
            scene.issue("expired", params(), expired),
            ("it has expired", "the agent's certificate has expired"),
        ),
        (scene.self_signed("self", params()), not_ours),
        (strangers.issue("theirs", params(), |_| {}), not_ours),
        (
            scene.self_signed("as-a-ca", {
                let mut params = params();
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                params
            }),
            (
                "have the CA issue another",
                "is that of a CA, or was signed by itself",
            ),
        ),
        (
            scene.issue("other", of_agent("team/agent-2"), |_| {}),
            (
                "names team/agent-2, not team/agent-1",
                "names team/agent-2, not team/agent-1",
            ),
        ),
    ];
    for (issued, words) in cases {
        let files = scene.agent_with(Some(issued), None);
        refused(&log, &hub, files, &hello("agent-1"), words).await;
    }
    let other = Hello {
        swarm: SwarmId::new("other").unwrap(),
        ..hello("agent-1")
    };
    let words = "names team/agent-1, not other/agent-1";
    refused(
        &log,
        &hub,
        scene.agent_files("agent-1"),
        &other,
        (words, words),
    )
    .await;
    let nobody = scene.agent_with(None, None);
    let words = ("nobody without a certificate", "shows no certificate");
    refused(&log, &hub, nobody, &hello("agent-1"), words).await;
}

#[tokio::test]
async fn a_hub_that_is_not_believed_notes_that() {
    let scene = Scene::new();
    let strangers = Scene::new();
    let (log, _guard) = Log::listen();
    let (theirs, _) = hub(strangers.hub_files()).await;
    let mut files = scene.hub_files();
    (files.certificate, files.key) = scene.self_signed("own", of_hub());
    let (own, _) = hub(files).await;
    let (elsewhere, _) = hub(scene.hub_files_with(|params| {
        let name = "hub.example".try_into().unwrap();
        params.subject_alt_names = vec![SanType::DnsName(name)];
    }))
    .await;
    for (hub, told, noted) in [
        (own, "not issued by the CA", "not of the CA"),
        (
            elsewhere,
            "is not for 127.0.0.1",
            "it is not in order there",
        ),
        (theirs, "not issued by the CA", "not of the CA"),
    ] {
        let files = scene.agent_files("agent-1");
        refused(&log, &hub, files, &hello("agent-1"), (told, noted)).await;
    }
}

/// The file of a token of `team/agent-1`, those of a hub that knows it, and the line by which it does.
fn with_token(scene: &Scene) -> (PathBuf, HubTlsFiles, String) {
    let (token, line) = scene.token("team/agent-1", "mine");
    let list = scene.path("tokens");
    write_private(&list, &line).unwrap();
    let files = HubTlsFiles {
        tokens: Some(list),
        ..scene.hub_files()
    };
    (token, files, line)
}

#[tokio::test]
async fn a_hello_that_is_cut_short_or_was_recorded_is_told_of_at_both_ends() {
    let scene = Scene::new();
    let (token, files, _) = with_token(&scene);
    let (hub, _) = hub(files.clone()).await;
    let agent = scene.agent_with(None, Some(token));
    let recorded = recorded(&files, agent).await;
    let (log, _guard) = Log::listen();
    let replayed = "the token is not one of team/agent-1";
    for (name, bytes, words) in [
        (None, recorded, replayed),
        (Some("agent-1"), b"\x05\0\0\0\x01SwSy".to_vec(), "cut short"),
        (
            Some("agent-1"),
            b"\x40\0\0\0\x01SwSy".to_vec(),
            "took longer",
        ),
    ] {
        let mut stream = encrypted(&scene, &hub, name).await;
        stream.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains(words), "{words}: {answer:?}");
        one_line(&log, words).await;
    }
}

#[tokio::test]
async fn a_slow_handshake_is_noted() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let (log, _guard) = Log::listen();
    // There is no secure way to tell it why: it is hung up on.
    let mut slow = TcpStream::connect(hub.local_addr()).await.unwrap();
    slow.write_all(&[0x16, 3, 1]).await.unwrap();
    let mut rest = Vec::new();
    let _ = soon(slow.read_to_end(&mut rest)).await;
    one_line(&log, "the handshake of TLS took longer").await;
}

#[tokio::test]
async fn no_log_at_any_level_holds_a_key_or_a_token() {
    let scene = Scene::new();
    let (token, files, line) = with_token(&scene);
    let (log, _guard) = Log::listen();
    let (hub, tls) = hub(files.clone()).await;
    let agent = scene.agent_with(None, Some(token.clone()));
    drop(connect(&hub, agent.clone(), "agent-1").await.unwrap());
    let words = ("is not one of team/agent-2", "is not one of team/agent-2");
    refused(&log, &hub, agent.clone(), &hello("agent-2"), words).await;
    let ends = AgentTls::load(agent).unwrap();
    let shown = format!("{}\n{ends:?}\n{tls:?}", log.text());
    let token = std::fs::read_to_string(token).unwrap();
    let key = std::fs::read_to_string(&files.key).unwrap();
    let secrets = token.trim().rsplit(' ').take(1);
    let secrets = secrets.chain(key.lines().filter(|line| !line.starts_with('-')));
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
    assert!(!shown.contains(line.trim().rsplit(' ').next().unwrap()));
}
