//! Who is believed by a token, and who is not.

use std::path::PathBuf;

use sync_core::transport::{CoordinatorEvent, Frame};
use sync_transport::tls::{HubTlsFiles, write_private};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::raw::{encrypted, recorded};
use crate::scene::{Scene, assert_serves, connect, hub, refused};
use crate::support::{event, soon};

/// The hub's list with these lines.
fn list(scene: &Scene, lines: &[String]) -> PathBuf {
    let path = scene.path("tokens");
    let _ = std::fs::remove_file(&path);
    write_private(&path, &lines.concat()).unwrap();
    path
}

fn with_tokens(scene: &Scene, lines: &[String], ca: bool) -> HubTlsFiles {
    let files = scene.hub_files();
    HubTlsFiles {
        ca: files.ca.filter(|_| ca),
        tokens: Some(list(scene, lines)),
        ..files
    }
}

/// Bad input, row 10.
#[tokio::test]
async fn a_token_proves_one_name_in_one_swarm() {
    let scene = Scene::new();
    let (mine, line) = scene.token("team/agent-1", "mine");
    let (theirs, _) = scene.token("team/agent-1", "theirs");
    let (elsewhere, other) = scene.token("other/agent-1", "elsewhere");
    let (hub, _) = hub(with_tokens(&scene, &[line, other], false)).await;
    let files = |token| scene.agent_with(None, Some(token));
    let connection = connect(&hub, files(mine.clone()), "agent-1").await;
    assert_serves(&hub, connection.unwrap(), "agent-1").await;
    let mut reasons = Vec::new();
    for (case, token, name) in [
        ("another token", theirs, "agent-1"),
        ("another swarm's", elsewhere, "agent-1"),
        ("a forged name", mine.clone(), "agent-2"),
    ] {
        let reason = refused(&hub, files(token), name).await;
        assert!(
            reason.contains("the token is not one of team/"),
            "{case}: {reason}"
        );
        reasons.push(reason.replace(name, "NAME"));
    }
    // A name that is unknown reads as one with another token.
    reasons.dedup();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    let nothing = refused(&hub, scene.agent_with(None, None), "agent-1").await;
    assert!(nothing.contains("by a certificate or a token"), "{nothing}");
}

#[tokio::test]
async fn a_hub_takes_certificates_and_tokens_side_by_side_or_one_of_them() {
    let scene = Scene::new();
    let (token, line) = scene.token("team/agent-1", "mine");
    let (both, _) = hub(with_tokens(&scene, &[line], true)).await;
    let by_token = scene.agent_with(None, Some(token.clone()));
    let connection = connect(&both, by_token.clone(), "agent-1").await.unwrap();
    assert_serves(&both, connection, "agent-1").await;
    let by_certificate = scene.agent_files("agent-2");
    let connection = connect(&both, by_certificate, "agent-2").await.unwrap();
    assert_serves(&both, connection, "agent-2").await;
    let (only_certificates, _) = hub(scene.hub_files()).await;
    let reason = refused(&only_certificates, by_token, "agent-1").await;
    assert!(reason.contains("nobody without a certificate"), "{reason}");
    // With a certificate for another name, the token is looked at, and not taken.
    let mut two = scene.agent_files("agent-2");
    two.token = Some(token);
    let reason = refused(&only_certificates, two, "agent-1").await;
    assert!(reason.contains("takes no tokens"), "{reason}");
}

#[tokio::test]
async fn a_list_that_is_read_anew_counts_from_the_next_connection_on() {
    let scene = Scene::new();
    let (old, old_line) = scene.token("team/agent-1", "old");
    let (new, new_line) = scene.token("team/agent-1", "new");
    let (hub, tls) = hub(with_tokens(&scene, std::slice::from_ref(&old_line), false)).await;
    let files = |token: &PathBuf| scene.agent_with(None, Some(token.clone()));
    refused(&hub, files(&new), "agent-1").await;
    list(&scene, &[old_line, new_line.clone()]);
    tls.reload().unwrap();
    for token in [&old, &new] {
        let connection = connect(&hub, files(token), "agent-1").await.unwrap();
        assert_serves(&hub, connection, "agent-1").await;
    }
    list(&scene, &["nonsense\n".to_owned()]);
    let reason = tls.reload().unwrap_err().to_string();
    assert!(
        reason.contains("tokens:1: expected SWARM/AGENT ="),
        "{reason}"
    );
    list(&scene, &[new_line]);
    tls.reload().unwrap();
    refused(&hub, files(&old), "agent-1").await;
    let connection = connect(&hub, files(&new), "agent-1").await.unwrap();
    assert_serves(&hub, connection, "agent-1").await;
}

/// Bad input, row 7.
#[tokio::test]
async fn a_proof_and_a_hello_that_were_recorded_open_no_other_connection() {
    let scene = Scene::new();
    let (token, line) = scene.token("team/agent-1", "mine");
    let files = with_tokens(&scene, &[line], false);
    let (hub, _) = hub(files.clone()).await;
    let agent = scene.agent_with(None, Some(token));
    let recorded = recorded(&files, agent.clone()).await;
    let mut replay = encrypted(&scene, &hub, None).await;
    replay.write_all(&recorded).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(replay.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.contains("the token is not one of team/agent-1"),
        "{answer}"
    );
    // What was recorded was in order, but for the connection that it was made for.
    let connection = connect(&hub, agent, "agent-1").await.unwrap();
    assert_serves(&hub, connection, "agent-1").await;
}

#[tokio::test]
async fn who_came_by_a_token_that_is_taken_away_is_sent_away() {
    let scene = Scene::new();
    let (old, old_line) = scene.token("team/agent-1", "old");
    let (new, new_line) = scene.token("team/agent-2", "new");
    let lines = [old_line, new_line.clone()];
    let (hub, tls) = hub(with_tokens(&scene, &lines, true)).await;
    let files = |token: &PathBuf| scene.agent_with(None, Some(token.clone()));
    let mut gone = connect(&hub, files(&old), "agent-1").await.unwrap();
    let mut stays = connect(&hub, files(&new), "agent-2").await.unwrap();
    let mut certified = scene.agent_files("agent-3");
    certified.token = Some(old);
    let mut proved = connect(&hub, certified, "agent-3").await.unwrap();
    for _ in 0..3 {
        assert!(matches!(
            event(&hub).await,
            CoordinatorEvent::Connected { .. }
        ));
    }
    // What changes nothing for anybody ends nothing: the next event is of the token that is gone.
    tls.reload().unwrap();
    list(&scene, &[new_line]);
    tls.reload().unwrap();
    let told = soon(gone.receiver.recv(1)).await.unwrap_err().to_string();
    assert!(
        told.contains("the token of team/agent-1 that this connection began with is not in"),
        "{told}"
    );
    let CoordinatorEvent::Disconnected { reason, .. } = event(&hub).await else {
        panic!("somebody else had something to say");
    };
    assert!(reason.contains("the token of team/agent-1"), "{reason}");
    for connection in [&mut stays, &mut proved] {
        connection
            .sender
            .send(vec![Frame::single(vec![1].into())])
            .await
            .unwrap();
        assert!(matches!(
            event(&hub).await,
            CoordinatorEvent::Received { .. }
        ));
    }
}
