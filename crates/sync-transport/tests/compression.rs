//! What compression does over TCP: what is shared, what is learned, what is left alone.
#![cfg(all(feature = "tcp", feature = "zstd"))]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

mod support;

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use sync_core::transport::{
    Connection, Coordinator, CoordinatorEvent, Frame, Link, SessionId, Traffic,
};
use sync_transport::{CoordinatorOptions, LinkOptions, TcpCoordinator, TcpLink};

use support::{event, hello, soon};

async fn hub() -> TcpCoordinator {
    TcpCoordinator::bind("127.0.0.1:0", CoordinatorOptions::default())
        .await
        .unwrap()
}

async fn join(hub: &TcpCoordinator, name: &str) -> (SessionId, Connection) {
    let link = TcpLink::new(hub.local_addr(), LinkOptions::default());
    let connection = soon(link.connect(&hello(name))).await.unwrap();
    match event(hub).await {
        CoordinatorEvent::Connected { session, .. } => (session, connection),
        other => panic!("expected a connection, got {other:?}"),
    }
}

/// A message as a swarm has them, different for each number.
fn small(number: u64) -> Bytes {
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let state = ["open", "taken", "done"][usize::try_from(number % 3).unwrap()];
    format!(
        "{{\"task\":\"task-{number}\",\"state\":\"{state}\",\"owner\":\"agent-{}\",\"notes\":\"\",\
         \"hash\":\"{hash:016x}\",\"created_by\":\"planner\",\"attempts\":{}}}",
        number % 17,
        number % 5
    )
    .into()
}

fn noise(seed: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    SmallRng::seed_from_u64(seed).fill(&mut bytes[..]);
    bytes.into()
}

async fn down(hub: &TcpCoordinator, to: SessionId, connection: &mut Connection, message: Bytes) {
    let frame = Frame::single(message.clone());
    hub.send(to, vec![frame]).await.unwrap();
    assert_eq!(soon(connection.receiver.recv(1)).await.unwrap(), [message]);
}

async fn up(hub: &TcpCoordinator, from: SessionId, connection: &mut Connection, frame: Bytes) {
    let sent = Frame::single(frame.clone());
    soon(connection.sender.send(vec![sent])).await.unwrap();
    let session = from;
    assert_eq!(
        event(hub).await,
        CoordinatorEvent::Received { session, frame }
    );
}

/// The hub learns from what it sends; from then on small messages are small both ways.
#[tokio::test]
async fn small_messages_are_compressed_once_their_swarm_has_a_dictionary() {
    let hub = hub().await;
    let (session, mut connection) = join(&hub, "agent-1").await;
    let mut numbers = 0..;
    let mut message = || small(numbers.next().unwrap());
    let packed = |traffic: Traffic| traffic.compression.received_packed;
    let trained = async {
        while packed(connection.sender.traffic()) == 0 {
            down(&hub, session, &mut connection, message()).await;
        }
    };
    soon(trained).await;
    let before = connection.sender.traffic();
    for _ in 0..100 {
        down(&hub, session, &mut connection, message()).await;
        up(&hub, session, &mut connection, message()).await;
    }
    let after = connection.sender.traffic();
    let plain = after.received_uncompressed() - before.received_uncompressed();
    assert!(2 * (after.received - before.received) < plain, "{after:?}");
    let plain = after.sent_uncompressed() - before.sent_uncompressed();
    assert!(2 * (after.sent - before.sent) < plain, "{after:?}");
    assert_eq!(
        hub.traffic().received_uncompressed(),
        after.sent_uncompressed()
    );

    // Whoever comes later is given it once it has received as much, and not before.
    let (session, mut later) = join(&hub, "agent-2").await;
    let mut received = 0;
    while packed(later.sender.traffic()) == 0 {
        let message = message();
        received += message.len();
        down(&hub, session, &mut later, message).await;
    }
    assert!((8 << 10..9 << 10).contains(&received), "{received}");
}

#[tokio::test]
async fn what_does_not_get_smaller_costs_no_more_bytes_and_little_time() {
    let hub = hub().await;
    let (session, mut connection) = join(&hub, "agent-1").await;
    for number in 0..200 {
        down(&hub, session, &mut connection, noise(number, 5_000)).await;
        up(&hub, session, &mut connection, noise(number, 5_000)).await;
    }
    let traffic = connection.sender.traffic();
    assert_eq!(traffic.sent, traffic.sent_uncompressed());
    assert_eq!(traffic.received, traffic.received_uncompressed());
    // It still tries now and then.
    let text = small(1).repeat(30);
    for _ in 0..80 {
        up(&hub, session, &mut connection, text.clone().into()).await;
    }
    let traffic = connection.sender.traffic();
    assert!(
        traffic.sent < traffic.sent_uncompressed() - 10_000,
        "{traffic:?}"
    );
}

/// Large messages are compressed beside the runtime, and what follows them does not overtake.
#[tokio::test]
async fn order_is_kept_around_large_messages() {
    let hub = hub().await;
    let (session, mut connection) = join(&hub, "agent-1").await;
    let messages: Vec<Bytes> = (0..60)
        .map(|n| match n % 3 {
            0 => small(n).repeat(5_000).into(),
            1 => small(n),
            _ => noise(n, 200_000),
        })
        .map(|bytes: Bytes| bytes.slice(..bytes.len().min(1 << 20)))
        .collect();
    let hub_sends = async {
        for message in &messages {
            // No faster than it is read, so that the queue does not run full.
            let frame = Frame::single(message.clone());
            hub.send(session, vec![frame]).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let agent_reads = async {
        let mut read = Vec::new();
        while read.len() < messages.len() {
            read.extend(soon(connection.receiver.recv(8)).await.unwrap());
        }
        read
    };
    let ((), read) = tokio::join!(hub_sends, agent_reads);
    assert!(read == messages, "something was lost, changed or overtaken");
}

/// That it is compressed once is for `compress/recent.rs` to show.
#[tokio::test]
async fn a_message_to_many_peers_is_small_for_each() {
    const PEERS: usize = 20;
    let hub = hub().await;
    let mut peers = Vec::new();
    for n in 0..PEERS {
        peers.push(join(&hub, &format!("agent-{n}")).await);
    }
    let text: Bytes = small(1).repeat(200).into();
    for (session, _) in &peers {
        // As the hub makes them: each its own header, the rest shared.
        let frame = Frame::of(vec![Bytes::from(vec![7; 40]), text.clone()]);
        hub.send(*session, vec![frame]).await.unwrap();
    }
    for (_, connection) in &mut peers {
        let read = soon(connection.receiver.recv(1)).await.unwrap();
        assert_eq!(read[0].slice(40..), text);
    }
    let all = hub.traffic();
    assert!(all.sent * 10 < all.sent_uncompressed(), "{all:?}");
}
