//! What hostile peers do, over bare sockets: each for ever, connecting again when it was cut off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::{Ask, Body, Operation, Pattern, Since, Value, codec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use crate::scene::{FRAME_BYTES_MAX, LARGE, key};

const HELLO: u8 = 1;
const WELCOME: u8 = 2;
const PING: u8 = 4;
const DATA: u8 = 6;
const PACKED: u8 = 8;

/// What they say they can read: zstd.
const COMPRESSIONS: u8 = 1;

/// Bytes written at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// As what a peer connects.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer {
    Member = 0,
    Client = 1,
}

/// What one of them does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plan {
    /// Says this much of a hello, and waits to be cut off.
    Stranger(usize),
    /// Says hello, and nothing more.
    Nothing,
    /// Valid messages of a dozen bytes; reads the answers.
    Pings,
    /// The transport's own pings; reads the answers.
    SignsOfLife,
    /// Messages that are none.
    Garbage,
    /// The largest message but one, in a 256th of its bytes, and no message either.
    Zeros,
    /// The same in a hundred bytes.
    Bombs,
    /// Asks for the large value; reads nothing.
    Gets,
    /// Asks where the hub stands; reads nothing.
    Statuses,
    /// Writes values that take thirty times as much once they are read; reads the answers.
    Swelling,
    /// Watches everything from the start; reads nothing.
    Watches,
    /// The largest frame but for its last byte.
    AlmostAFrame(Peer),
}

/// What one of them did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) connections: AtomicU64,
    /// Hellos that the hub has welcomed. Without one, a flood is but one more stranger's.
    pub(crate) welcomes: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl Plan {
    pub(crate) async fn run(self, address: SocketAddr, number: usize, done: Arc<Done>) {
        loop {
            // Whatever goes wrong, the hub has the right to it; it is tried again.
            let Ok(stream) = TcpStream::connect(address).await else {
                tokio::task::yield_now().await;
                continue;
            };
            done.connections.fetch_add(1, Ordering::Relaxed);
            let _ = self.attack(stream, number, &done).await;
        }
    }

    async fn attack(self, stream: TcpStream, number: usize, done: &Done) -> std::io::Result<()> {
        let peer = match self {
            Self::Gets | Self::Statuses | Self::Swelling | Self::Watches => Peer::Client,
            Self::AlmostAFrame(peer) => peer,
            _ => Peer::Member,
        };
        let mut hello = hello(peer, number);
        if let Self::Stranger(bytes) = self {
            hello.truncate(bytes);
        }
        let (mut read, mut write) = stream.into_split();
        write.write_all(&hello).await?;
        if let Self::Stranger(_) = self {
            let mut scrap = [0; 4096];
            while read.read(&mut scrap).await? > 0 {}
            return Ok(());
        }
        if !is_welcomed(&mut read).await? {
            return Ok(());
        }
        done.welcomes.fetch_add(1, Ordering::Relaxed);
        let mut chunk = self.chunk();
        if chunk.is_empty() {
            // Until the hub has enough; it is not answered, and what it says is not looked at.
            let mut scrap = [0; 4096];
            while read.read(&mut scrap).await? > 0 {}
            return Ok(());
        }
        if let Self::AlmostAFrame(_) = self {
            chunk.pop();
            write.write_all(&chunk).await?;
            done.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            let mut scrap = [0; 4096];
            while read.read(&mut scrap).await? > 0 {}
            return Ok(());
        }
        let flood = async {
            loop {
                write.write_all(&chunk).await?;
                done.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }
        };
        let answers = async {
            let mut scrap = vec![0; CHUNK_BYTES];
            while self.reads() {
                if read.read(&mut scrap).await? == 0 {
                    return Ok(());
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            ended = flood => ended,
            ended = answers => ended,
        }
    }

    /// Whether the hub should let it in.
    pub(crate) fn says_hello(self) -> bool {
        !matches!(self, Self::Stranger(_))
    }

    fn reads(self) -> bool {
        !matches!(self, Self::Gets | Self::Statuses | Self::Watches)
    }

    /// What is written over and over.
    fn chunk(self) -> Vec<u8> {
        let message = |body: Body| framed(DATA, &codec::encode(&body.into()).to_bytes());
        let ask = |ask: Ask| message(Body::Request { request: 1, ask });
        let one = match self {
            Self::Stranger(_) | Self::Nothing => return Vec::new(),
            Self::Pings => message(Body::Ping { nonce: 1 }),
            Self::SignsOfLife => framed(PING, &[]),
            Self::Garbage => framed(DATA, &[0xff; 3]),
            Self::Zeros => framed(PACKED, &zeros(FRAME_BYTES_MAX / 256)),
            Self::Bombs => framed(PACKED, &zeros(100)),
            Self::Gets => ask(Ask::Get(key(LARGE))),
            Self::Statuses => ask(Ask::Status),
            Self::Swelling => ask(swelling()),
            Self::Watches => ask(Ask::Watch {
                pattern: Pattern::new("*").expect("a pattern"),
                from: Some(Since::START),
                wait_ms: 60_000,
            }),
            Self::AlmostAFrame(_) => return framed(DATA, &vec![0; FRAME_BYTES_MAX]),
        };
        one.repeat((CHUNK_BYTES / one.len()).max(1))
    }
}

/// One byte on the wire for each element.
fn swelling() -> Ask {
    Ask::Write {
        key: key("swelling"),
        operation: Operation::Put(Value::List(vec![Value::Null; 60_000])),
        metadata: None,
    }
}

/// Takes the hub's answer to a hello, and nothing that comes after it.
async fn is_welcomed(read: &mut OwnedReadHalf) -> std::io::Result<bool> {
    let length = read.read_u32_le().await?;
    let mut answer = vec![0; length as usize];
    read.read_exact(&mut answer).await?;
    Ok(answer.first() == Some(&WELCOME))
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).expect("it is a frame");
    [&length.to_le_bytes()[..], &[kind], body].concat()
}

/// As the wire carries it. Every number in it takes one byte.
fn hello(peer: Peer, number: usize) -> Vec<u8> {
    let name = format!("hostile-{number:03}");
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    let (versions, run) = ([1, 1], [1]);
    let body = [
        &versions[..],
        &text("team"),
        &text(&name),
        &run,
        &[peer as u8, COMPRESSIONS],
    ]
    .concat();
    framed(HELLO, &[b"SwSy", &body[..]].concat())
}

/// A megabyte less a block of zeros as zstd, brought to `bytes` by a frame that is skipped.
fn zeros(bytes: usize) -> Vec<u8> {
    const BLOCK_BYTES: u32 = 128 << 10;
    // The mark, no flags, a window of a megabyte.
    let mut packed = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 10 << 3];
    for last in [0, 0, 0, 0, 0, 0, 1] {
        // One byte, to be repeated.
        let block = last | 1 << 1 | BLOCK_BYTES << 3;
        packed.extend_from_slice(&block.to_le_bytes()[..3]);
        packed.push(0);
    }
    let skipped = u32::try_from(bytes - packed.len() - 8).expect("short");
    packed.extend_from_slice(&0x184d_2a50_u32.to_le_bytes());
    packed.extend_from_slice(&skipped.to_le_bytes());
    packed.resize(bytes, 0);
    packed
}
