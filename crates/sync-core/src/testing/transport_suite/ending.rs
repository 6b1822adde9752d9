//! How connections end.

use super::scene::{Scene, member, noise, read, read_to_end, soon};
use super::{Fixture, Setup};
use crate::transport::{CoordinatorEvent, Frame, Refusal, SessionId, TransportError};

/// A peer that closes is reported once, after all it had sent.
pub async fn a_goodbye_is_reported_once(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let (session, mut connection) = scene.connect(&member("team", "agent-1")).await;
    let frames = (0..100u8)
        .map(|n| Frame::single(vec![n; 1000].into()))
        .collect();
    connection.sender.send(frames).await.unwrap();
    soon(connection.sender.close()).await;
    for n in 0..100u8 {
        assert_eq!(scene.received(session).await, vec![n; 1000]);
    }
    let reason = scene.disconnected(session).await;
    assert!(!reason.is_empty());
    let (_, error) = read_to_end(&mut connection.receiver).await;
    assert!(matches!(error, TransportError::Closed { .. }), "{error:?}");
    let late = connection
        .sender
        .send(vec![Frame::single("late".into())])
        .await;
    assert!(late.is_err());
    drop(connection);
    scene.assert_quiet().await;
}

/// A peer that is simply gone is reported once.
pub async fn a_vanished_peer_is_reported_once(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let (session, connection) = scene.connect(&member("team", "agent-1")).await;
    drop(connection);
    scene.disconnected(session).await;
    scene.assert_quiet().await;
    let (session, connection) = scene.connect(&member("team", "agent-1")).await;
    // Dropping the receiver is enough.
    drop(connection.receiver);
    scene.disconnected(session).await;
    scene.coordinator.disconnect(session, "a second time").await;
    scene.assert_quiet().await;
}

/// What was queued before arrives; the event carries the reason; the peer's connection ends.
pub async fn a_disconnect_delivers_what_was_sent_and_says_why(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let (session, mut connection) = scene.connect(&member("team", "agent-1")).await;
    let (bystander, mut other) = scene.connect(&member("team", "agent-2")).await;
    scene.send(session, "last words").await;
    scene.coordinator.disconnect(session, "house rules").await;
    let late = scene
        .coordinator
        .send(session, vec![Frame::single("late".into())])
        .await;
    assert_eq!(late, Err(TransportError::NotConnected));
    assert_eq!(scene.disconnected(session).await, "house rules");
    let (frames, error) = read_to_end(&mut connection.receiver).await;
    assert_eq!(frames, ["last words"]);
    assert!(error.to_string().contains("house rules"), "{error}");
    scene.send(bystander, "you stay").await;
    assert_eq!(read(&mut other.receiver, 1).await, ["you stay"]);
}

/// Who may not be here is told so as at a hello, after what was queued, and is counted.
pub async fn a_refusal_that_comes_late_is_one_all_the_same(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let (session, mut connection) = scene.connect(&member("team", "agent-1")).await;
    let before = scene.coordinator.refused();
    scene.send(session, "last words").await;
    scene.coordinator.refuse(session, "not you").await;
    assert_eq!(scene.disconnected(session).await, "not you");
    let (frames, error) = read_to_end(&mut connection.receiver).await;
    assert_eq!(frames, ["last words"]);
    let TransportError::Refused { refusal, .. } = error else {
        panic!("{error:?}");
    };
    let reason = "not you".to_owned();
    assert_eq!(refusal, Refusal::Rights { reason });
    assert_eq!(scene.coordinator.refused(), before + 1);
    scene.coordinator.refuse(session, "a second time").await;
    assert_eq!(scene.coordinator.refused(), before + 1);
    scene.assert_quiet().await;
}

/// A peer that stops reading is disconnected; whoever reads gets everything.
pub async fn a_slow_reader_is_disconnected_alone(fixture: &dyn Fixture) {
    // Far more than any system buffers for a socket.
    const FRAMES_MAX: usize = 1 << 14;
    let setup = Setup {
        outbox_frames_max: 64,
        outbox_bytes_max: 1 << 20,
        ..Setup::default()
    };
    let mut scene = Scene::new(fixture, &setup).await;
    let hello = member("team", "slow");
    let (slow, _unread) = scene.connect(&hello).await;
    let (good, mut reader) = scene.connect(&member("team", "good")).await;
    let frame = Frame::single(noise(7, 16 << 10));
    let mut refused = None;
    for _ in 0..FRAMES_MAX {
        let sent = soon(scene.coordinator.send(slow, vec![frame.clone()])).await;
        scene.send(good, frame.to_bytes()).await;
        assert_eq!(read(&mut reader.receiver, 1).await, [frame.to_bytes()]);
        if let Err(error) = sent {
            refused = Some(error);
            break;
        }
    }
    assert!(
        matches!(refused, Some(TransportError::SlowPeer { .. })),
        "{refused:?}"
    );
    let reason = scene.disconnected(slow).await;
    assert!(reason.contains("keep up"), "{reason}");
    let again = scene.coordinator.send(slow, vec![frame]).await;
    assert_eq!(again, Err(TransportError::NotConnected));
    scene.send(good, "you stay").await;
    assert_eq!(read(&mut reader.receiver, 1).await, ["you stay"]);
    // It may come back at once.
    scene.connect(&hello).await;
}

/// Sessions that never were, and those that are no more.
pub async fn nothing_is_sent_to_a_gone_session(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let frames = || vec![Frame::single("hello?".into())];
    let never = scene.coordinator.send(SessionId(u64::MAX), frames()).await;
    assert_eq!(never, Err(TransportError::NotConnected));
    let (session, connection) = scene.connect(&member("team", "agent-1")).await;
    drop(connection);
    scene.disconnected(session).await;
    let gone = scene.coordinator.send(session, frames()).await;
    assert_eq!(gone, Err(TransportError::NotConnected));
    scene.assert_quiet().await;
}

/// Queued frames are delivered, every session is reported, `recv` ends for good, and nobody comes
/// in any more.
pub async fn shutdown_ends_everything(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let (one, mut first) = scene.connect(&member("team", "agent-1")).await;
    let (two, mut second) = scene.connect(&member("team", "agent-2")).await;
    scene.send(one, "last words").await;
    let coordinator = scene.coordinator.clone();
    let ((), (frames, _), _) = tokio::join!(
        soon(coordinator.shutdown()),
        read_to_end(&mut first.receiver),
        read_to_end(&mut second.receiver),
    );
    assert_eq!(frames, ["last words"]);
    let mut gone = Vec::new();
    loop {
        let events = soon(coordinator.recv(1)).await;
        let Some(event) = events.first() else { break };
        match event {
            CoordinatorEvent::Disconnected { session, .. } => gone.push(*session),
            other => panic!("expected the end of a session, got {other:?}"),
        }
    }
    gone.sort();
    assert_eq!(gone, [one, two]);
    assert!(soon(coordinator.recv(1)).await.is_empty());
    assert!(
        soon(scene.link.connect(&member("team", "agent-3")))
            .await
            .is_err()
    );
    soon(coordinator.shutdown()).await;
}
