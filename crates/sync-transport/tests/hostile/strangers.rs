//! Whoever says no valid hello is refused before he is anyone.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::net::TcpStream;

use crate::scene::{DATA, HELLO, SHORT, assert_serves, attack, coordinator, framed, hello_frame};
use crate::support::{PATIENCE, soon};

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

/// Bad input, row 5.
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

/// Bad input, row 6.
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

/// Bad input, row 8.
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
