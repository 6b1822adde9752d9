//! Those who never get as far as a name.

use std::time::Duration;

use sync_core::transport::Link;
use sync_transport::{CoordinatorOptions, LinkOptions, TcpCoordinator, TcpLink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::raw::encrypted;
use crate::scene::{SHORT, Scene, assert_serves, connect, hub, link};
use crate::support::{PATIENCE, hello, soon};

/// Waits until the hub closes: how long that took.
async fn closed(mut stream: TcpStream) -> Duration {
    let since = Instant::now();
    let mut rest = Vec::new();
    let _ = soon(stream.read_to_end(&mut rest)).await;
    since.elapsed()
}

/// Bad input, row 8.
#[tokio::test]
async fn a_slow_handshake_is_cut_off_and_holds_nobody_up() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let mut slow = Vec::new();
    for bytes in [&b""[..], &[0x16], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]] {
        let mut stream = TcpStream::connect(hub.local_addr()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        slow.push(tokio::spawn(closed(stream)));
    }
    let connection = connect(&hub, scene.agent_files("agent-1"), "agent-1").await;
    assert_serves(&hub, connection.unwrap(), "agent-1").await;
    for slow in slow {
        let took = slow.await.unwrap();
        assert!(took < PATIENCE / 2, "{took:?}");
    }
}

/// Bad input, row 8.
#[tokio::test]
async fn a_byte_now_and_then_does_not_make_a_handshake_longer() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let mut stream = TcpStream::connect(hub.local_addr()).await.unwrap();
    let since = Instant::now();
    let trickle = async {
        // A record that announces 16 KiB, of which a byte comes every tenth of the deadline.
        let mut ticks = tokio::time::interval(SHORT / 10);
        for byte in [0x16, 3, 1, 0x40, 0]
            .into_iter()
            .chain(std::iter::repeat(0))
        {
            ticks.tick().await;
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    };
    soon(trickle).await;
    assert!(since.elapsed() >= SHORT / 2, "it was cut off at once");
}

#[tokio::test]
async fn a_hello_that_is_cut_short_or_nonsense_is_refused_over_tls_too() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let proof = [&[33, 0, 0, 0, 11][..], &[7; 32]].concat();
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("nothing", vec![], "took longer"),
        (
            "half a hello",
            b"\x40\0\0\0\x01SwSy".to_vec(),
            "took longer",
        ),
        (
            "an empty hello",
            b"\x05\0\0\0\x01SwSy".to_vec(),
            "cut short",
        ),
        ("no hello", b"\x05\0\0\0\x01????".to_vec(), "mark"),
        (
            "a short proof",
            b"\x05\0\0\0\x0b????".to_vec(),
            "proof that is cut short",
        ),
        ("two proofs", [&proof[..], &proof].concat(), "Proof"),
    ];
    for (case, bytes, words) in cases {
        let mut stream = encrypted(&scene, &hub, Some("agent-1")).await;
        stream.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains(words), "{case}: {answer:?}");
    }
    let connection = connect(&hub, scene.agent_files("agent-1"), "agent-1").await;
    assert_serves(&hub, connection.unwrap(), "agent-1").await;
}

#[tokio::test]
async fn who_speaks_in_the_clear_to_a_hub_with_tls_is_told_so_and_the_other_way_round() {
    let scene = Scene::new();
    let (secure, _) = hub(scene.hub_files()).await;
    let plain = TcpLink::new(secure.local_addr(), LinkOptions::default());
    let reason = soon(plain.connect(&hello("agent-1"))).await.unwrap_err();
    assert!(reason.to_string().contains("speaks TLS"), "{reason}");
    let open = CoordinatorOptions::default();
    let open = TcpCoordinator::bind("127.0.0.1:0", open).await.unwrap();
    let encrypted = link(&open, scene.agent_files("agent-1"));
    let reason = soon(encrypted.connect(&hello("agent-1")))
        .await
        .unwrap_err();
    assert!(
        reason.to_string().contains("does not speak TLS"),
        "{reason}"
    );
}
