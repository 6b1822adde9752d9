//! Frames between a hub and its agents.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::scene::{Scene, member, noise, read, soon, text};
use super::{Fixture, Setup};
use crate::transport::{Compressions, CoordinatorEvent, Frame, TransportError};

fn numbered(count: u32) -> Vec<Bytes> {
    (0..count)
        .map(|n| n.to_le_bytes().to_vec().into())
        .collect()
}

fn frames(messages: &[Bytes]) -> Vec<Frame> {
    messages.iter().cloned().map(Frame::single).collect()
}

/// What is sent arrives, in order, whether sent at once or one by one.
pub async fn frames_arrive_both_ways_in_order(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let (session, mut connection) = scene.connect(&member("team", "agent-1")).await;
    let messages = numbered(1000);
    let (first, rest) = messages.split_at(500);
    connection.sender.send(frames(first)).await.unwrap();
    for message in rest {
        connection
            .sender
            .send(vec![Frame::single(message.clone())])
            .await
            .unwrap();
    }
    for message in &messages {
        assert_eq!(&scene.received(session).await, message);
    }
    soon(scene.coordinator.send(session, frames(first)))
        .await
        .unwrap();
    for message in rest {
        scene.send(session, message.clone()).await;
    }
    assert_eq!(
        read(&mut connection.receiver, messages.len()).await,
        messages
    );
}

/// The receiver sees the concatenation of the pieces, from nothing at all to the largest frame.
pub async fn frames_of_all_shapes_arrive_unchanged(fixture: &dyn Fixture) {
    let setup = Setup::default();
    let mut scene = Scene::new(fixture, &setup).await;
    let (session, mut connection) = scene.connect(&member("team", "agent-1")).await;
    let piece = |seed: usize, length: usize| -> Bytes {
        (0..length)
            .map(|i| u8::try_from((i * 31 + seed) % 251).unwrap())
            .collect()
    };
    let shapes: [&[usize]; 8] = [
        &[],
        &[0],
        &[1],
        &[0, 3, 0, 4],
        &[10, 70_000, 1, 513, 512],
        &[5; 300],
        &[setup.frame_bytes_max],
        &[1, setup.frame_bytes_max - 2, 1],
    ];
    for shape in shapes {
        let pieces = shape
            .iter()
            .enumerate()
            .map(|(seed, &length)| piece(seed, length));
        let frame = Frame::of(pieces.collect());
        let whole = frame.to_bytes();
        connection.sender.send(vec![frame.clone()]).await.unwrap();
        assert_eq!(scene.received(session).await, whole);
        soon(scene.coordinator.send(session, vec![frame]))
            .await
            .unwrap();
        assert_eq!(read(&mut connection.receiver, 1).await, [whole]);
    }
}

/// A frame over the limit is refused before anything of its send is queued; the connection lives.
pub async fn a_frame_over_the_limit_stays_with_its_sender(fixture: &dyn Fixture) {
    let setup = Setup {
        frame_bytes_max: 1000,
        ..Setup::default()
    };
    let mut scene = Scene::new(fixture, &setup).await;
    let hello = member("team", "agent-1");
    let (session, mut connection) = scene.connect(&hello).await;
    let large = Frame::single(vec![0; 1001].into());
    let both = vec![Frame::single("small".into()), large.clone()];
    let expected = TransportError::FrameTooLarge {
        bytes: 1001,
        limit: 1000,
    };
    assert_eq!(
        connection.sender.send(both.clone()).await,
        Err(expected.clone())
    );
    assert_eq!(scene.coordinator.send(session, both).await, Err(expected));
    assert_eq!(scene.coordinator.broadcast(&hello.swarm, large).await, 0);
    connection
        .sender
        .send(vec![Frame::single("up".into())])
        .await
        .unwrap();
    assert_eq!(scene.received(session).await, "up");
    scene.send(session, "down").await;
    assert_eq!(read(&mut connection.receiver, 1).await, ["down"]);
}

/// Dropping a `recv` that waits, on either side, loses nothing and reorders nothing.
pub async fn a_cancelled_recv_loses_nothing(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let (session, mut connection) = scene.connect(&member("team", "agent-1")).await;
    let messages: Vec<Bytes> = (0..40).map(|n| vec![n; 20_000].into()).collect();
    let impatience = Duration::from_micros(50);
    let mut up = Vec::new();
    let mut down = Vec::new();
    for message in &messages {
        connection
            .sender
            .send(vec![Frame::single(message.clone())])
            .await
            .unwrap();
        scene.send(session, message.clone()).await;
        if let Ok(events) = timeout(impatience, scene.coordinator.recv(1)).await {
            up.extend(events);
        }
        if let Ok(frames) = timeout(impatience, connection.receiver.recv(1)).await {
            down.extend(frames.unwrap());
        }
    }
    while up.len() < messages.len() {
        up.push(scene.event().await);
    }
    let left = messages.len() - down.len();
    down.extend(read(&mut connection.receiver, left).await);
    assert_eq!(down, messages);
    let sent = messages.into_iter();
    let expected: Vec<_> = sent
        .map(|frame| CoordinatorEvent::Received { session, frame })
        .collect();
    assert_eq!(up, expected);
}

/// Fifty agents connect, speak and are answered at the same time, each with what is its own.
pub async fn many_agents_are_served_at_once(fixture: &dyn Fixture) {
    const AGENTS: usize = 50;
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let agents: Vec<_> = (0..AGENTS)
        .map(|n| {
            let link = scene.link.clone();
            tokio::spawn(async move {
                let name = format!("agent-{n}");
                let mut connection = soon(link.connect(&member("team", &name))).await.unwrap();
                let frame = Frame::single(name.clone().into());
                soon(connection.sender.send(vec![frame])).await.unwrap();
                assert_eq!(read(&mut connection.receiver, 1).await, [name]);
                connection
            })
        })
        .collect();
    let mut names = std::collections::BTreeMap::new();
    let mut answered = 0;
    while answered < AGENTS {
        match scene.event().await {
            CoordinatorEvent::Connected { session, hello } => {
                names.insert(session, hello.agent.to_string());
            }
            CoordinatorEvent::Received { session, frame } => {
                assert_eq!(names[&session], frame);
                scene.send(session, frame).await;
                answered += 1;
            }
            CoordinatorEvent::Disconnected { reason, .. } => panic!("{reason}"),
        }
    }
    for agent in agents {
        soon(agent).await.unwrap();
    }
}

/// Both directions are counted, with what the transport adds and what compression takes away.
pub async fn traffic_is_counted(fixture: &dyn Fixture) {
    let mut scene = Scene::new(fixture, &Setup::default()).await;
    let (session, mut connection) = scene.connect(&member("team", "agent-1")).await;
    let before = connection.sender.traffic();
    assert!(
        before.sent > 0 && before.received > 0,
        "the handshake counts: {before:?}"
    );
    let frame = Frame::single(vec![1; 10_000].into());
    connection.sender.send(vec![frame]).await.unwrap();
    scene.received(session).await;
    scene.send(session, vec![2; 20_000]).await;
    read(&mut connection.receiver, 1).await;
    let after = connection.sender.traffic();
    let sent = after.sent_uncompressed() - before.sent_uncompressed();
    assert!((10_000..10_100).contains(&sent), "{after:?}");
    let received = after.received_uncompressed() - before.received_uncompressed();
    assert!((20_000..20_100).contains(&received), "{after:?}");
    let squeezed = connection.welcome.compressions.contains(Compressions::ZSTD);
    assert_eq!(after.sent - before.sent < 1_000, squeezed, "{after:?}");
    assert_eq!(
        after.received - before.received < 1_000,
        squeezed,
        "{after:?}"
    );
    // The hub counts the same from the other end.
    let hub = scene.coordinator.traffic();
    assert_eq!(hub.received_uncompressed(), after.sent_uncompressed());
    assert_eq!(hub.sent_uncompressed(), after.received_uncompressed());
}

/// What compresses well and what does not arrive byte for byte and in order, mixed in one stream,
/// small and large.
pub async fn frames_arrive_unchanged_however_well_they_compress(fixture: &dyn Fixture) {
    let setup = Setup::default();
    let mut scene = Scene::new(fixture, &setup).await;
    let (session, mut connection) = scene.connect(&member("team", "agent-1")).await;
    let sizes = [0, 1, 63, 64, 100, 1_023, 1_024, 4_096, 5_000, 70_000];
    let mut messages = Vec::new();
    for turn in 0..30_u64 {
        for (seed, size) in (turn * 100..).zip(sizes) {
            messages.push(noise(seed, size));
            messages.push(text(seed, size));
        }
    }
    messages.push(noise(1, setup.frame_bytes_max));
    messages.push(text(1, setup.frame_bytes_max));
    messages.push(vec![0; setup.frame_bytes_max].into());
    for message in &messages {
        connection
            .sender
            .send(vec![Frame::single(message.clone())])
            .await
            .unwrap();
        assert_eq!(scene.received(session).await, message);
        scene.send(session, message.clone()).await;
        assert_eq!(&read(&mut connection.receiver, 1).await[0], message);
    }
}
