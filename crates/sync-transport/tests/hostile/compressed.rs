//! Messages that say they are compressed: bombs, rubbish, and what was not agreed on.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use sync_core::transport::{Compressions, CoordinatorEvent, Hello, Link, Welcome};
use sync_transport::{CoordinatorOptions, LinkOptions, TcpCoordinator, TcpLink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zstd::bulk::compress;

use crate::scene::{DATA, assert_serves, coordinator, ended, framed, hello_offering};
use crate::support::{PATIENCE, event, hello, soon};

const PACKED: u8 = 8;
const PACKED_WITH: u8 = 9;
const DICTIONARY: u8 = 10;

/// What this program offers, as the wire numbers it.
const BOTH: u32 = 3;

/// Says a hello that offers `compressions`, and `more`; returns why it was disconnected.
async fn attack(coordinator: &TcpCoordinator, compressions: u32, more: &[u8]) -> String {
    let mut stream = soon(TcpStream::connect(coordinator.local_addr()))
        .await
        .unwrap();
    let said = hello_offering(compressions, (1, 1), "team", "bad");
    soon(stream.write_all(&said)).await.unwrap();
    let CoordinatorEvent::Connected { session, .. } = event(coordinator).await else {
        panic!("a valid hello was not admitted");
    };
    let _ = soon(stream.write_all(more)).await;
    let reason = ended(coordinator, session).await;
    // It is told, too.
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains(&reason), "{reason}: {answer}");
    reason
}

/// What, of which kind, with which body, and words of the refusal.
type Case = (&'static str, u8, Vec<u8>, &'static str);

fn bombs_and_rubbish() -> Vec<Case> {
    let packed = |plain: &[u8]| compress(plain, 3).unwrap();
    let mut noise = vec![0; 2_000];
    SmallRng::seed_from_u64(0xbad).fill(&mut noise[..]);
    let over_the_limit = [packed(&noise), packed(&vec![0; 1 << 16])].concat();
    let mut cut = packed(&noise.repeat(2));
    cut.truncate(1_000);
    // A frame that says it holds 2^62 bytes, and none follow.
    let claims = [
        &[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..],
        &(1u64 << 62).to_le_bytes(),
    ]
    .concat();
    let window = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 1, 0, 0];
    let mut cases = vec![
        (
            "a bomb",
            PACKED,
            packed(&vec![0; 1 << 30]),
            "does not read as",
        ),
        (
            "over the ratio",
            PACKED,
            packed(&vec![0; 60_000]),
            "does not read as",
        ),
        (
            "over the limit",
            PACKED,
            over_the_limit,
            "65536 bytes or less",
        ),
        ("a claim", PACKED, claims, "does not read"),
        ("a window of everything", PACKED, window, "does not read"),
        ("cut short", PACKED, cut, "does not read"),
        ("nothing", PACKED, vec![], "does not read"),
        ("random bytes", PACKED, noise.clone(), "does not read"),
        ("no dictionary", PACKED_WITH, noise.clone(), "not given"),
        ("a dictionary", DICTIONARY, noise, "only a hub gives"),
    ];
    cases.extend(by_length());
    cases
}

/// What is judged by its length alone.
fn by_length() -> [Case; 4] {
    let of = |length| vec![0; length];
    let (gives, over) = ("only a hub gives", "over the limit");
    [
        ("a long one", DICTIONARY, of(1 << 15), gives),
        ("a longer one", DICTIONARY, of((1 << 15) + 1), over),
        ("a long message", PACKED, of((1 << 16) + 1), over),
        ("not so small", PACKED_WITH, of(4_097), over),
    ]
}

/// Bad input, row 4.
#[tokio::test]
async fn bombs_and_rubbish_end_their_own_session_only() {
    let coordinator = coordinator(PATIENCE, PATIENCE).await;
    for (name, kind, body, words) in bombs_and_rubbish() {
        let reason = attack(&coordinator, BOTH, &framed(kind, &body)).await;
        assert!(reason.contains(words), "{name}: {reason}");
        assert_serves(&coordinator).await;
    }
}

#[tokio::test]
async fn what_was_not_agreed_on_is_refused_before_it_is_read() {
    let coordinator = coordinator(PATIENCE, PATIENCE).await;
    let body = compress(&[7; 5_000], 3).unwrap();
    for (offered, kind) in [(0, PACKED), (0, PACKED_WITH), (1, PACKED_WITH), (2, PACKED)] {
        // Only the beginning: nobody waits for the rest.
        let begun = &framed(kind, &body)[..5];
        let reason = attack(&coordinator, offered, begun).await;
        assert!(reason.contains("not agreed on"), "{offered}: {reason}");
        assert_serves(&coordinator).await;
    }
    let silent = CoordinatorOptions {
        compression: false,
        ..CoordinatorOptions::default()
    };
    let silent = TcpCoordinator::bind("127.0.0.1:0", silent).await.unwrap();
    let reason = attack(&silent, u32::MAX, &framed(PACKED, &body)).await;
    assert!(reason.contains("not agreed on"), "{reason}");
}

#[tokio::test]
async fn a_message_that_another_program_compressed_is_read() {
    let coordinator = coordinator(PATIENCE, PATIENCE).await;
    let text = "a document ".repeat(500);
    let body = compress(text.as_bytes(), 19).unwrap();
    let mut stream = TcpStream::connect(coordinator.local_addr()).await.unwrap();
    // Offers what this hub has never heard of, too.
    let said = hello_offering(u32::MAX, (1, 1), "team", "other");
    let all = [said, framed(DATA, b"first"), framed(PACKED, &body)].concat();
    stream.write_all(&all).await.unwrap();
    let CoordinatorEvent::Connected { session, .. } = event(&coordinator).await else {
        panic!("not admitted");
    };
    for expected in ["first", text.as_str()] {
        let frame = expected.to_owned().into();
        assert_eq!(
            event(&coordinator).await,
            CoordinatorEvent::Received { session, frame }
        );
    }
}

/// A hub is no more to be trusted than an agent.
async fn hub_that_says(compressions: Compressions, frames: Vec<u8>) -> TcpLink {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let welcome = Welcome {
            protocol: 1,
            silence_ms_max: 20_000,
            frame_bytes_max: 1 << 16,
            compressions,
        };
        let body = bincode::encode_to_vec(welcome, bincode::config::standard()).unwrap();
        let _ = stream.write_all(&[framed(2, &body), frames].concat()).await;
        // Held open, so that the agent is the one who ends it.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    TcpLink::new(address, LinkOptions::default())
}

/// Bad input, row 4.
#[tokio::test]
async fn an_agent_takes_no_bomb_from_a_hub() {
    let both = Compressions::ZSTD.and(Compressions::DICTIONARY);
    let raw = b"not trained, but bytes that may repeat".to_vec();
    let mut broken = 0xec30_a437_u32.to_le_bytes().to_vec();
    broken.extend([255; 200]);
    let twice = framed(DICTIONARY, &raw).repeat(2);
    let bomb = framed(PACKED, &compress(&vec![0; 1 << 24], 3).unwrap());
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a bomb", bomb, "does not read"),
        (
            "a broken dictionary",
            framed(DICTIONARY, &broken),
            "that does not read",
        ),
        ("a dictionary twice", twice, "a second dictionary"),
        ("no dictionary", framed(PACKED_WITH, &raw), "not given"),
        (
            "a long one",
            framed(DICTIONARY, &vec![0; (1 << 15) + 1]),
            "over the limit",
        ),
    ];
    for (name, frames, words) in cases {
        let link = hub_that_says(both, frames).await;
        let mut connection = soon(link.connect(&hello("good"))).await.unwrap();
        let error = soon(connection.receiver.recv(1))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_hub_may_not_choose_what_was_not_offered() {
    let link = hub_that_says(Compressions::ZSTD, Vec::new()).await;
    let silent = LinkOptions {
        compression: false,
        ..LinkOptions::default()
    };
    let refused = soon(TcpLink::new(link.describe(), silent).connect(&hello("good"))).await;
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("was not offered: zstd where there was none"),
        "{error}"
    );
}

#[tokio::test]
async fn what_the_caller_says_it_can_read_is_no_matter() {
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", CoordinatorOptions::default())
        .await
        .unwrap();
    let link = TcpLink::new(coordinator.local_addr(), LinkOptions::default());
    let both = Compressions::ZSTD.and(Compressions::DICTIONARY);
    let said = Hello {
        compressions: Compressions::NONE,
        ..hello("good")
    };
    let connection = soon(link.connect(&said)).await.unwrap();
    assert_eq!(connection.welcome.compressions, both);
}
