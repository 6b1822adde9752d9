//! A coordinator with short deadlines, and what is said to it.

use std::time::Duration;

use sync_core::transport::{Coordinator, CoordinatorEvent, Frame, Link, SessionId};
use sync_transport::{CoordinatorOptions, LinkOptions, TcpCoordinator, TcpLink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{event, hello, soon};

/// The deadlines under attack; long enough for honest agents on a busy machine.
pub(crate) const SHORT: Duration = Duration::from_millis(500);

pub(crate) const HELLO: u8 = 1;
pub(crate) const DATA: u8 = 6;

pub(crate) async fn coordinator(hello: Duration, silence: Duration) -> TcpCoordinator {
    let options = CoordinatorOptions {
        hello,
        silence,
        close: SHORT,
        frame_bytes_max: 1 << 16,
        ..CoordinatorOptions::default()
    };
    TcpCoordinator::bind("127.0.0.1:0", options).await.unwrap()
}

pub(crate) fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap().to_le_bytes();
    [&length[..], &[kind], body].concat()
}

/// A hello as the wire carries it, spelled out: other programs must be able to say it, too.
pub(crate) fn hello_frame(versions: (u16, u16), swarm: &str, agent: &str) -> Vec<u8> {
    hello_offering(0, versions, swarm, agent)
}

/// The same of a peer that reads some compressions.
pub(crate) fn hello_offering(
    compressions: u32,
    versions: (u16, u16),
    swarm: &str,
    agent: &str,
) -> Vec<u8> {
    let fields = (versions, swarm, agent, 1u64, 0u8, compressions);
    let body = bincode::encode_to_vec(fields, bincode::config::standard()).unwrap();
    framed(HELLO, &[b"SwSy", &body[..]].concat())
}

/// Waits for the end of a session: why it ended.
pub(crate) async fn ended(coordinator: &TcpCoordinator, session: SessionId) -> String {
    match event(coordinator).await {
        CoordinatorEvent::Disconnected {
            session: gone,
            reason,
        } if gone == session => reason,
        other => panic!("expected the end of {session:?}, got {other:?}"),
    }
}

/// A good agent is admitted and served both ways; nothing else is reported meanwhile.
pub(crate) async fn assert_serves(coordinator: &TcpCoordinator) {
    let link = TcpLink::new(coordinator.local_addr(), LinkOptions::default());
    let hello = hello("good");
    let mut connection = soon(link.connect(&hello)).await.unwrap();
    let CoordinatorEvent::Connected {
        session,
        hello: said,
    } = event(coordinator).await
    else {
        panic!("the good agent was not announced");
    };
    assert_eq!(said.agent, hello.agent);
    connection
        .sender
        .send(vec![Frame::single("up".into())])
        .await
        .unwrap();
    let up = event(coordinator).await;
    assert_eq!(
        up,
        CoordinatorEvent::Received {
            session,
            frame: "up".into()
        }
    );
    coordinator
        .send(session, vec![Frame::single("down".into())])
        .await
        .unwrap();
    assert_eq!(soon(connection.receiver.recv(1)).await.unwrap(), ["down"]);
    connection.sender.close().await;
    assert!(matches!(
        event(coordinator).await,
        CoordinatorEvent::Disconnected { .. }
    ));
}

/// Sends `bytes`, then nothing, and returns what comes back until the hub closes.
pub(crate) async fn attack(coordinator: &TcpCoordinator, bytes: &[u8]) -> Vec<u8> {
    let mut stream = soon(TcpStream::connect(coordinator.local_addr()))
        .await
        .unwrap();
    // The hub may close while we still write; that is its right.
    let _ = soon(stream.write_all(bytes)).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    answer
}
