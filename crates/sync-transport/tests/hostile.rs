//! Whatever bytes arrive, the coordinator refuses them in time and goes on serving.
#![cfg(feature = "tcp")]
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use sync_core::id::{AgentId, Incarnation, SwarmId};
use sync_core::transport::{Coordinator, CoordinatorEvent, Frame, Hello, Link, Role, SessionId};
use sync_transport::{CoordinatorOptions, INBOX_UNITS_MAX, LinkOptions, TcpCoordinator, TcpLink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// The deadlines under attack; long enough for honest agents on a busy machine.
const SHORT: Duration = Duration::from_millis(500);

const HELLO: u8 = 1;
const DATA: u8 = 6;

async fn coordinator(hello: Duration, silence: Duration) -> TcpCoordinator {
    let options = CoordinatorOptions {
        hello,
        silence,
        close: SHORT,
        frame_bytes_max: 1 << 16,
        ..CoordinatorOptions::default()
    };
    TcpCoordinator::bind("127.0.0.1:0", options).await.unwrap()
}

async fn soon<T>(happens: impl Future<Output = T>) -> T {
    timeout(PATIENCE, happens)
        .await
        .expect("nothing happened in time")
}

fn hello(name: &str) -> Hello {
    Hello::new(
        SwarmId::new("team").unwrap(),
        AgentId::new(name).unwrap(),
        Incarnation::from_random(1),
        Role::Member,
    )
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap().to_le_bytes();
    [&length[..], &[kind], body].concat()
}

/// A hello as the wire carries it, spelled out: other programs must be able to say it, too.
fn hello_frame(versions: (u16, u16), swarm: &str, agent: &str) -> Vec<u8> {
    let fields = (versions, swarm, agent, 1u64, 0u8);
    let body = bincode::encode_to_vec(fields, bincode::config::standard()).unwrap();
    framed(HELLO, &[b"SwSy", &body[..]].concat())
}

/// The next event that concerns anyone but the good agents of earlier checks.
async fn event(coordinator: &TcpCoordinator) -> CoordinatorEvent {
    soon(coordinator.recv(1))
        .await
        .pop()
        .expect("it was not shut down")
}

/// A good agent is admitted and served both ways; nothing else is reported meanwhile.
async fn assert_serves(coordinator: &TcpCoordinator) {
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
    assert_eq!(said, hello);
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
async fn attack(coordinator: &TcpCoordinator, bytes: &[u8]) -> Vec<u8> {
    let mut stream = soon(TcpStream::connect(coordinator.local_addr()))
        .await
        .unwrap();
    // The hub may close while we still write; that is its right.
    let _ = soon(stream.write_all(bytes)).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    answer
}

fn says(answer: &[u8], words: &str) -> bool {
    String::from_utf8_lossy(answer).contains(words)
}

/// Who, what they send, and words of the answer.
type Case = (&'static str, Vec<u8>, &'static str);

fn strangers() -> Vec<Case> {
    let whole = hello_frame((1, 1), "team", "agent-1");
    let http = b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n";
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on";
    vec![
        ("a web browser", http.to_vec(), "no kind of frame"),
        ("a TLS client", tls.to_vec(), "no kind of frame"),
        ("nothing at all", vec![], "took longer"),
        ("one byte", vec![9], "took longer"),
        ("length zero", vec![0; 16], "length zero"),
        (
            "largest length",
            [&[255; 4][..], &[HELLO]].concat(),
            "over the limit",
        ),
        (
            "a hello of a gigabyte",
            [&(1u32 << 30).to_le_bytes()[..], &[HELLO]].concat(),
            "over the limit",
        ),
        (
            "a hello over its limit",
            framed(HELLO, &[b'x'; 4097]),
            "over the limit",
        ),
        (
            "a lying length",
            [&100u32.to_le_bytes()[..], &whole[4..]].concat(),
            "took longer",
        ),
        (
            "a cut hello",
            whole[..whole.len() - 1].to_vec(),
            "took longer",
        ),
        (
            "a message first",
            framed(DATA, b"hi"),
            "before the handshake",
        ),
        ("a ping first", framed(4, b""), "Ping"),
        ("a welcome first", framed(2, b"xx"), "Welcome"),
        ("an unknown kind", framed(99, b"xx"), "no kind of frame"),
    ]
}

fn bad_hellos() -> Vec<Case> {
    let whole = hello_frame((1, 1), "team", "agent-1");
    vec![
        (
            "a hello without the mark",
            framed(HELLO, b"????????"),
            "mark",
        ),
        ("an empty hello", framed(HELLO, b""), "mark"),
        ("only the mark", framed(HELLO, b"SwSy"), "cut short"),
        (
            "a name with a slash",
            hello_frame((1, 1), "team", "../etc"),
            "",
        ),
        ("an empty name", hello_frame((1, 1), "", "agent-1"), ""),
        (
            "a long name",
            hello_frame((1, 1), "team", &"n".repeat(129)),
            "",
        ),
        (
            "a name with a newline",
            hello_frame((1, 1), "team", "a\nb"),
            "",
        ),
        (
            "trailing bytes",
            framed(HELLO, &[&whole[5..], b"more"].concat()),
            "follow",
        ),
    ]
}

#[tokio::test]
async fn strangers_are_refused_before_they_are_anyone() {
    let coordinator = coordinator(SHORT, PATIENCE).await;
    for (name, bytes, words) in [strangers(), bad_hellos()].concat() {
        let answer = attack(&coordinator, &bytes).await;
        assert_eq!(answer.get(4), Some(&3), "{name}: {answer:?} is no refusal");
        assert!(
            says(&answer, words),
            "{name}: {}",
            String::from_utf8_lossy(&answer)
        );
        assert_serves(&coordinator).await;
    }
    assert_eq!(coordinator.connections(), 0);
}

#[tokio::test]
async fn another_version_is_told_which_ones_there_are() {
    let coordinator = coordinator(PATIENCE, PATIENCE).await;
    for versions in [(2, 9), (0, 0), (u16::MAX, u16::MAX), (1, 0)] {
        let frame = hello_frame(versions, "team", "agent-1");
        let answer = attack(&coordinator, &frame).await;
        // Kind: refusal; variant: protocol; then the hub's oldest and newest.
        assert_eq!(answer[4..8], [3, 0, 1, 1], "{versions:?}");
        assert_serves(&coordinator).await;
    }
}

#[tokio::test]
async fn random_bytes_are_no_hello() {
    let coordinator = coordinator(SHORT, PATIENCE).await;
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut bytes = vec![0; random.random_range(5..3000)];
        random.fill(&mut bytes[..]);
        if seed % 2 == 0 {
            // Past the length check, so that the decoder of the hello is reached.
            let length = u32::try_from(bytes.len() - 4).unwrap().to_le_bytes();
            bytes[..4].copy_from_slice(&length);
            bytes[4] = HELLO;
        }
        attack(&coordinator, &bytes).await;
        assert_eq!(coordinator.connections(), 0, "seed {seed}");
    }
    assert_serves(&coordinator).await;
}

/// Says a valid hello and returns the stream after the welcome.
async fn admitted(coordinator: &TcpCoordinator, more: &[u8]) -> (TcpStream, SessionId) {
    let mut stream = soon(TcpStream::connect(coordinator.local_addr()))
        .await
        .unwrap();
    let frame = [hello_frame((1, 1), "team", "bad"), more.to_vec()].concat();
    soon(stream.write_all(&frame)).await.unwrap();
    let CoordinatorEvent::Connected { session, .. } = event(coordinator).await else {
        panic!("a valid hello was not admitted");
    };
    (stream, session)
}

async fn ended(coordinator: &TcpCoordinator, session: SessionId) -> String {
    match event(coordinator).await {
        CoordinatorEvent::Disconnected {
            session: gone,
            reason,
        } if gone == session => reason,
        other => panic!("expected the end of {session:?}, got {other:?}"),
    }
}

#[tokio::test]
async fn garbage_after_a_valid_hello_ends_the_session_only() {
    let coordinator = coordinator(PATIENCE, PATIENCE).await;
    let mut random_bytes = vec![0; 2000];
    SmallRng::seed_from_u64(0xbad).fill(&mut random_bytes[..]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("random bytes", random_bytes, ""),
        ("length zero", vec![0; 5], "length zero"),
        (
            "largest length",
            [&[255; 4][..], &[DATA]].concat(),
            "over the limit",
        ),
        (
            "one over the limit",
            [&((1u32 << 16) + 2).to_le_bytes()[..], &[DATA]].concat(),
            "over",
        ),
        (
            "a second hello",
            hello_frame((1, 1), "team", "bad"),
            "second Hello",
        ),
        ("a welcome", framed(2, b""), "second Welcome"),
        ("a ping with a body", framed(4, b"x"), "over the limit"),
        ("an unknown kind", framed(0, b"x"), "no kind of frame"),
        (
            "a goodbye that rings",
            framed(7, b"\x07\n\xff"),
            "\\u{7}\\n",
        ),
    ];
    for (name, bytes, words) in cases {
        for at_once in [true, false] {
            let (mut stream, session) = if at_once {
                admitted(&coordinator, &bytes).await
            } else {
                admitted(&coordinator, &[]).await
            };
            if !at_once {
                let _ = soon(stream.write_all(&bytes)).await;
            }
            let reason = ended(&coordinator, session).await;
            assert!(reason.contains(words), "{name}: {reason}");
            let mut answer = Vec::new();
            let _ = soon(stream.read_to_end(&mut answer)).await;
            assert_eq!(answer[4], 2, "{name}: it was welcome at first");
            assert_serves(&coordinator).await;
        }
    }
}

#[tokio::test]
async fn messages_may_come_along_with_the_hello() {
    let coordinator = coordinator(PATIENCE, PATIENCE).await;
    let (_stream, session) = admitted(&coordinator, &framed(DATA, b"eager")).await;
    let expected = CoordinatorEvent::Received {
        session,
        frame: "eager".into(),
    };
    assert_eq!(event(&coordinator).await, expected);
}

#[tokio::test]
async fn a_frame_that_trickles_does_not_hold_a_connection() {
    let coordinator = coordinator(PATIENCE, SHORT).await;
    let (mut stream, session) = admitted(&coordinator, &framed(DATA, &[0; 100])[..50]).await;
    let trickle = async {
        while stream.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(SHORT / 5).await;
        }
    };
    let reason = tokio::select! {
        reason = ended(&coordinator, session) => reason,
        () = trickle => ended(&coordinator, session).await,
    };
    assert!(reason.contains("receiving a frame"), "{reason}");
    assert_serves(&coordinator).await;
}

#[tokio::test]
async fn a_flood_of_empty_frames_and_pings_is_served_like_any_other() {
    let coordinator = coordinator(PATIENCE, PATIENCE).await;
    let flood = [framed(DATA, b""), framed(4, b"")].concat().repeat(20_000);
    let (mut stream, session) = admitted(&coordinator, &[]).await;
    let (mut read, mut write) = stream.split();
    let sender = async {
        write.write_all(&flood).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let reader = async {
        let mut answers = Vec::new();
        read.read_to_end(&mut answers).await.unwrap();
        answers.len()
    };
    let owner = async {
        let mut empty = 0;
        loop {
            match event(&coordinator).await {
                CoordinatorEvent::Received { frame, .. } if frame.is_empty() => empty += 1,
                CoordinatorEvent::Disconnected { session: gone, .. } if gone == session => {
                    break empty;
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    };
    let ((), answered, empty) = soon(async { tokio::join!(sender, reader, owner) }).await;
    assert_eq!(empty, 20_000);
    assert!(answered < flood.len() / 2, "answers to pings are coalesced");
    assert_serves(&coordinator).await;
}

/// Found: a flood of tiny frames stood in line by the ten thousands, everybody else behind it.
#[tokio::test]
async fn a_peer_that_floods_is_not_far_ahead_of_the_others() {
    let coordinator = coordinator(PATIENCE, PATIENCE).await;
    let (mut stream, flooder) = admitted(&coordinator, &[]).await;
    let before = coordinator.traffic().received;
    let flood = framed(DATA, b"").repeat(100_000);
    tokio::spawn(async move { stream.write_all(&flood).await });
    while coordinator.traffic().received == before {
        tokio::task::yield_now().await;
    }
    let link = TcpLink::new(coordinator.local_addr(), LinkOptions::default());
    let _good = soon(link.connect(&hello("good"))).await.unwrap();
    let mut ahead = 0;
    while let CoordinatorEvent::Received { session, .. } = event(&coordinator).await {
        assert_eq!(session, flooder);
        ahead += 1;
    }
    assert!((1..=INBOX_UNITS_MAX).contains(&ahead), "{ahead} frames");
}

#[tokio::test]
async fn many_silent_strangers_keep_nobody_out() {
    let coordinator = coordinator(PATIENCE, PATIENCE).await;
    let mut strangers = Vec::new();
    for _ in 0..300 {
        strangers.push(
            soon(TcpStream::connect(coordinator.local_addr()))
                .await
                .unwrap(),
        );
    }
    assert_serves(&coordinator).await;
}
