//! Peers that stop are noticed, peers that live are left alone, and owners that are behind lose
//! nothing.
#![cfg(feature = "tcp")]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::transport::{
    Connection, Coordinator, CoordinatorEvent, Frame, Link, SessionId, TransportError,
};
use sync_transport::{CoordinatorOptions, LinkOptions, MemoryCoordinator, TcpCoordinator, TcpLink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use support::{event, hello, soon};

const SILENCE: Duration = Duration::from_millis(600);

/// What piles up here is counted, and zeros would not pile up compressed.
fn options() -> CoordinatorOptions {
    CoordinatorOptions {
        silence: SILENCE,
        compression: false,
        ..CoordinatorOptions::default()
    }
}

async fn connect(
    coordinator: &dyn Coordinator,
    link: &dyn Link,
    name: &str,
) -> (SessionId, Connection) {
    let connection = soon(link.connect(&hello(name))).await.unwrap();
    match event(coordinator).await {
        CoordinatorEvent::Connected { session, .. } => (session, connection),
        other => panic!("expected a connection, got {other:?}"),
    }
}

#[tokio::test]
async fn an_idle_connection_lives_as_long_as_it_is_polled() {
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", options())
        .await
        .unwrap();
    let link = TcpLink::new(coordinator.local_addr(), LinkOptions::default());
    let (session, mut connection) = connect(&coordinator, &link, "idle").await;
    let idle = timeout(SILENCE * 4, async {
        tokio::select! {
            events = coordinator.recv(1) => panic!("{events:?}"),
            frames = connection.receiver.recv(1) => panic!("{frames:?}"),
        }
    });
    assert!(idle.await.is_err());
    coordinator
        .send(session, vec![Frame::single("still here".into())])
        .await
        .unwrap();
    assert_eq!(
        soon(connection.receiver.recv(1)).await.unwrap(),
        ["still here"]
    );
}

#[tokio::test]
async fn one_way_traffic_does_not_pass_for_silence() {
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", options())
        .await
        .unwrap();
    let link = TcpLink::new(coordinator.local_addr(), LinkOptions::default());
    let (session, mut connection) = connect(&coordinator, &link, "listener").await;
    let until = Instant::now() + SILENCE * 4;
    while Instant::now() < until {
        coordinator
            .send(session, vec![Frame::single("news".into())])
            .await
            .unwrap();
        assert_eq!(soon(connection.receiver.recv(1)).await.unwrap(), ["news"]);
        tokio::time::sleep(SILENCE / 30).await;
    }
}

/// Bad input, row 8.
#[tokio::test]
async fn an_agent_that_is_not_polled_is_given_up() {
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", options())
        .await
        .unwrap();
    let link = TcpLink::new(coordinator.local_addr(), LinkOptions::default());
    let (session, mut stuck) = connect(&coordinator, &link, "stuck").await;
    match event(&coordinator).await {
        CoordinatorEvent::Disconnected {
            session: gone,
            reason,
        } => {
            assert_eq!(gone, session);
            assert!(reason.contains("silent"), "{reason}");
        }
        other => panic!("expected an end, got {other:?}"),
    }
    let error = soon(stuck.receiver.recv(1)).await.unwrap_err();
    assert!(error.to_string().contains("silent"), "{error}");
}

/// A hub that admits and then says nothing more.
async fn mute_hub() -> (std::net::SocketAddr, tokio::task::JoinHandle<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hub = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        let silence = u32::try_from(SILENCE.as_millis()).unwrap();
        let body = (1u16, silence, 1u32 << 16, 0u32);
        let body = bincode::encode_to_vec(body, bincode::config::standard()).unwrap();
        let length = u32::try_from(body.len() + 1).unwrap().to_le_bytes();
        stream
            .write_all(&[&length[..], &[2], &body].concat())
            .await
            .unwrap();
        stream
    });
    (address, hub)
}

#[tokio::test]
async fn a_hub_that_falls_silent_is_given_up() {
    let (address, hub) = mute_hub().await;
    let link = TcpLink::new(address, LinkOptions::default());
    let mut connection = soon(link.connect(&hello("agent-1"))).await.unwrap();
    let _stream = hub.await.unwrap();
    let error = soon(connection.receiver.recv(1)).await.unwrap_err();
    assert_eq!(error, TransportError::Silent { silence: SILENCE });
    let again = soon(connection.receiver.recv(1)).await.unwrap_err();
    assert_eq!(again, error, "an end is an end");
    assert!(
        connection
            .sender
            .send(vec![Frame::single("?".into())])
            .await
            .is_err()
    );
}

/// Bad input, row 9.
#[tokio::test]
async fn a_hub_that_does_not_read_stops_its_agent_in_time() {
    let (address, hub) = mute_hub().await;
    let options = LinkOptions {
        send: SILENCE,
        close: SILENCE,
        outbox_bytes_max: 1 << 20,
        ..LinkOptions::default()
    };
    let mut connection = soon(TcpLink::new(address, options).connect(&hello("agent-1")))
        .await
        .unwrap();
    let _stream = hub.await.unwrap();
    let frame = Frame::single(vec![0; 1 << 16].into());
    let error = loop {
        if let Err(error) = soon(connection.sender.send(vec![frame.clone()])).await {
            break error;
        }
    };
    assert!(
        matches!(error, TransportError::Deadline { .. }),
        "{error:?}"
    );
    soon(connection.sender.close()).await;
}

#[tokio::test]
async fn nobody_home_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = TcpCoordinator::bind(address, options()).await;
    assert!(
        matches!(taken, Err(TransportError::Listen { .. })),
        "{taken:?}"
    );
    drop(listener);
    let link = TcpLink::new(address, LinkOptions::default());
    let error = soon(link.connect(&hello("agent-1"))).await.unwrap_err();
    assert!(
        matches!(error, TransportError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains(&address.to_string()));
}

#[tokio::test]
async fn something_that_is_no_hub_is_noticed() {
    for answer in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = TcpLink::new(listener.local_addr().unwrap(), LinkOptions::default());
        let hello = hello("agent-1");
        let (connected, ()) = tokio::join!(soon(link.connect(&hello)), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let error = connected.unwrap_err();
        let kind = matches!(
            error,
            TransportError::Protocol { .. } | TransportError::Closed { .. }
        );
        assert!(kind, "{answer:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_hub_that_never_answers_the_hello_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = LinkOptions {
        hello: SILENCE,
        ..LinkOptions::default()
    };
    let link = TcpLink::new(listener.local_addr().unwrap(), options);
    let error = soon(link.connect(&hello("agent-1"))).await.unwrap_err();
    assert!(matches!(
        error,
        TransportError::Deadline { .. } | TransportError::Silent { .. }
    ));
}

/// An owner that takes nothing for longer than the silence deadline makes its agents wait: more
/// than all bounds together is on its way, and all of it arrives.
async fn an_owner_that_is_behind_loses_nothing(
    coordinator: &dyn Coordinator,
    link: &dyn Link,
    behind: Duration,
) {
    // The events hold 64 MiB, the link one, sockets up to some forty.
    const FRAMES: u32 = 160;
    let (session, connection) = connect(coordinator, link, "eager").await;
    let Connection {
        mut sender,
        mut receiver,
        ..
    } = connection;
    let listening = tokio::spawn(async move { while receiver.recv(64).await.is_ok() {} });
    let sending = tokio::spawn(async move {
        for n in 0..FRAMES {
            let number = Bytes::copy_from_slice(&n.to_le_bytes());
            let padding = Bytes::from(vec![0; (1 << 20) - 4]);
            let pieces = vec![number, padding];
            sender.send(vec![Frame::of(pieces)]).await.unwrap();
        }
        sender
    });
    tokio::time::sleep(behind).await;
    assert!(!sending.is_finished(), "nothing held the agent back");
    for n in 0..FRAMES {
        match event(coordinator).await {
            CoordinatorEvent::Received {
                session: from,
                frame,
            } => {
                assert_eq!(from, session);
                assert_eq!(frame[..4], n.to_le_bytes());
                assert_eq!(frame.len(), 1 << 20);
            }
            other => panic!("expected frame {n}, got {other:?}"),
        }
    }
    let sender = soon(sending).await.unwrap();
    assert!(sender.traffic().sent >= u64::from(FRAMES) << 20);
    drop(sender);
    coordinator.disconnect(session, "enough").await;
    soon(listening).await.unwrap();
}

#[tokio::test]
async fn an_owner_that_is_behind_loses_nothing_over_tcp() {
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", options())
        .await
        .unwrap();
    let options = LinkOptions {
        outbox_bytes_max: 1 << 20,
        ..LinkOptions::default()
    };
    let link = TcpLink::new(coordinator.local_addr(), options);
    an_owner_that_is_behind_loses_nothing(&coordinator, &link, SILENCE * 3).await;
}

#[tokio::test]
async fn an_owner_that_is_behind_loses_nothing_in_memory() {
    let coordinator = MemoryCoordinator::new(options());
    let link = coordinator.link();
    an_owner_that_is_behind_loses_nothing(&coordinator, &link, SILENCE).await;
}

#[tokio::test]
async fn a_holder_whose_hub_is_behind_keeps_its_name() {
    let probe = Duration::from_millis(300);
    let options = CoordinatorOptions { probe, ..options() };
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", options).await.unwrap();
    let link = TcpLink::new(coordinator.local_addr(), LinkOptions::default());
    let (session, connection) = connect(&coordinator, &link, "agent-1").await;
    let Connection {
        mut sender,
        mut receiver,
        ..
    } = connection;
    let _listening = tokio::spawn(async move { while receiver.recv(64).await.is_ok() {} });
    let sending = tokio::spawn(async move {
        for _ in 0..120 {
            let frame = Frame::single(vec![0; 1 << 20].into());
            sender.send(vec![frame]).await.unwrap();
        }
        sender
    });
    // The first frame fills the holder's place in line; once the second waits behind it, nothing more
    // is read of this connection, an answer to a probe neither.
    let full = async {
        while coordinator.traffic().received <= 2 << 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(full).await;
    let newcomer = soon(link.connect(&hello("agent-1"))).await;
    assert!(
        matches!(newcomer, Err(TransportError::Refused { .. })),
        "{newcomer:?}"
    );
    for _ in 0..120 {
        let event = event(&coordinator).await;
        assert!(matches!(event, CoordinatorEvent::Received { session: s, .. } if s == session));
    }
    soon(sending).await.unwrap();
}

#[tokio::test]
async fn a_storm_of_connects_is_weathered() {
    const AGENTS: usize = 400;
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", CoordinatorOptions::default())
        .await
        .unwrap();
    let address = coordinator.local_addr();
    let agents: Vec<_> = (0..AGENTS)
        .map(|n| {
            tokio::spawn(async move {
                let link = TcpLink::new(address, LinkOptions::default());
                let mut connection = soon(link.connect(&hello(&format!("agent-{n}"))))
                    .await
                    .unwrap();
                let frames = soon(connection.receiver.recv(1)).await.unwrap();
                assert_eq!(frames, ["go"]);
            })
        })
        .collect();
    let swarm = SwarmId::new("team").unwrap();
    let mut connected = 0;
    while connected < AGENTS {
        for event in soon(coordinator.recv(64)).await {
            assert!(
                matches!(event, CoordinatorEvent::Connected { .. }),
                "{event:?}"
            );
            connected += 1;
        }
    }
    assert_eq!(coordinator.connections(), AGENTS);
    assert_eq!(
        coordinator
            .broadcast(&swarm, Frame::single("go".into()))
            .await,
        AGENTS
    );
    for agent in agents {
        soon(agent).await.unwrap();
    }
    soon(coordinator.shutdown()).await;
    assert_eq!(coordinator.connections(), 0);
    let traffic = coordinator.traffic();
    assert!(traffic.sent > 0 && traffic.received > 0);
}
