//! Whoever was admitted harms nobody but himself.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use sync_core::transport::{CoordinatorEvent, Link, SessionId};
use sync_transport::{INBOX_UNITS_MAX, LinkOptions, TcpCoordinator, TcpLink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::{DATA, SHORT, assert_serves, coordinator, ended, framed, hello_frame};
use crate::support::{PATIENCE, event, hello, soon};

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

/// Bad input, rows 1 and 6.
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

/// Bad input, row 8.
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

/// Bad input, row 14.
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

/// Bad input, row 14.
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
