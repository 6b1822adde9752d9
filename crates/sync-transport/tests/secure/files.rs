//! What is refused before anybody connects, and what is read anew.

use sync_transport::tls::{AgentTls, HubTls, HubTlsFiles, Token, Tokens, write_private};

use crate::scene::{Scene, assert_serves, connect, hub, link, mode, of_hub, refused};
use crate::support::{hello, soon};
use sync_core::transport::Link;

#[cfg(unix)]
#[test]
fn secrets_that_others_can_read_are_refused_with_what_to_do() {
    let scene = Scene::new();
    let (token, line) = scene.token("team/agent-1", "mine");
    let list = scene.path("tokens");
    write_private(&list, &line).unwrap();
    let files = scene.hub_files();
    for bad in [0o640, 0o604, 0o644, 0o620] {
        for path in [&token, &list, &files.key] {
            mode(path, bad);
        }
        let told = [
            Token::read(&token).unwrap_err().to_string(),
            Tokens::read(&list).unwrap_err().to_string(),
            HubTls::load(files.clone()).unwrap_err().to_string(),
        ];
        for reason in told {
            assert!(reason.contains(&format!("mode {bad:o}")), "{reason}");
            assert!(reason.contains("chmod 600"), "{reason}");
        }
    }
}

#[test]
fn files_that_are_written_are_the_owners_alone_and_replace_nothing() {
    let scene = Scene::new();
    let path = scene.path("secret");
    write_private(&path, "first").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(write_private(&path, "second").is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "first");
}

#[test]
fn files_that_do_not_go_together_are_named() {
    let scene = Scene::new();
    let good = scene.hub_files();
    let (_, other_key) = scene.issue("other", of_hub(), |_| {});
    let missing = scene.path("missing");
    let cases = [
        (
            "another key",
            HubTlsFiles {
                key: other_key,
                ..good.clone()
            },
            "does not go with",
        ),
        (
            "no key in it",
            HubTlsFiles {
                key: private(&scene),
                ..good.clone()
            },
            "no private key",
        ),
        (
            "no certificate",
            HubTlsFiles {
                certificate: good.key.clone(),
                ..good.clone()
            },
            "no certificate",
        ),
        (
            "no file",
            HubTlsFiles {
                certificate: missing,
                ..good.clone()
            },
            "missing",
        ),
        (
            "nobody to tell apart",
            HubTlsFiles {
                ca: None,
                ..good.clone()
            },
            "--tokens",
        ),
    ];
    let secret = std::fs::read_to_string(&good.key).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    for (case, files, words) in cases {
        let reason = HubTls::load(files).unwrap_err().to_string();
        assert!(reason.contains(words), "{case}: {reason}");
        assert!(!reason.contains(secret), "{case}: {reason}");
    }
}

/// Something that only its owner can read, and that is no key.
fn private(scene: &Scene) -> std::path::PathBuf {
    let path = scene.path("no-key");
    write_private(&path, "a shopping list\n").unwrap();
    path
}

#[tokio::test]
async fn a_hub_takes_a_new_certificate_and_a_new_ca_while_it_runs() {
    let scene = Scene::new();
    let (hub, tls) = hub(scene.hub_files()).await;
    let agent = link(&hub, scene.agent_files("agent-1"));
    let held = soon(agent.connect(&hello("agent-1"))).await.unwrap();
    // The next CA: at first agents and hub believe both.
    let next = Scene::new();
    let old_ca = std::fs::read_to_string(&scene.ca_file).unwrap();
    let new_ca = std::fs::read_to_string(&next.ca_file).unwrap();
    std::fs::write(&scene.ca_file, [old_ca, new_ca.clone()].concat()).unwrap();
    tls.reload().unwrap();
    // What was there stays.
    assert_serves(&hub, held, "agent-1").await;
    let (certificate, key) = next.issue("hub", of_hub(), |_| {});
    let (mine, my_key) = (scene.path("hub.pem"), scene.path("hub.key"));
    std::fs::copy(certificate, mine).unwrap();
    std::fs::copy(key, my_key).unwrap();
    tls.reload().unwrap();
    // The agent reads its files at each connect.
    let again = soon(agent.connect(&hello("agent-1"))).await.unwrap();
    assert_serves(&hub, again, "agent-1").await;
    std::fs::write(&scene.ca_file, new_ca).unwrap();
    tls.reload().unwrap();
    let reason = refused(&hub, scene.agent_files("agent-1"), "agent-1").await;
    assert!(reason.contains("not of the CA"), "{reason}");
    let mut issued = next.agent_files("agent-1");
    issued.ca.clone_from(&scene.ca_file);
    let connection = connect(&hub, issued, "agent-1").await.unwrap();
    assert_serves(&hub, connection, "agent-1").await;
}

#[tokio::test]
async fn a_file_that_is_broken_leaves_everything_as_it_is() {
    let scene = Scene::new();
    let files = scene.hub_files();
    let certificate = files.certificate.clone();
    let (hub, tls) = hub(files).await;
    let agent = scene.agent_files("agent-1");
    let kept = AgentTls::load(agent.clone()).unwrap();
    std::fs::write(&certificate, "half a certific").unwrap();
    let reason = tls.reload().unwrap_err().to_string();
    assert!(reason.contains("hub.pem"), "{reason}");
    let connection = connect(&hub, agent, "agent-1").await.unwrap();
    assert_serves(&hub, connection, "agent-1").await;
    let named: Vec<_> = kept.principals().iter().map(ToString::to_string).collect();
    assert_eq!(named, ["team/agent-1"]);
}
