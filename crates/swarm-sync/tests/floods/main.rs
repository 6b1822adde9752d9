//! Peers that flood, stall and lie: the hub goes on acknowledging an honest agent's writes in time,
//! and its memory stays under the ceiling that `docs/protocol.md` states.
//!
//! - `scene`: a hub in a thread of its own, an honest agent, what is measured
//! - `attacks`: what hostile peers do, over bare sockets
//!
//! A binary of its own, because it measures the memory of its process.

mod attacks;
mod scene;

use attacks::{Peer, Plan};
use scene::{PEERS, under};

/// Bad input, row 8.
#[test]
fn strangers_who_say_nothing_or_half_a_hello() {
    let silent = (0..100).map(|_| Plan::Stranger(0));
    let half = (0..100).map(|_| Plan::Stranger(9));
    under("silent strangers", silent.chain(half));
}

/// Bad input, row 14.
#[test]
fn tiny_frames() {
    let pings = (0..PEERS / 3).map(|_| Plan::Pings);
    let signs = (0..PEERS / 3).map(|_| Plan::SignsOfLife);
    let garbage = (0..PEERS / 3).map(|_| Plan::Garbage);
    under("tiny frames", pings.chain(signs).chain(garbage));
}

/// Bad input, row 9.
#[test]
fn much_is_asked_for_and_nothing_read() {
    under("large answers", (0..PEERS).map(|_| Plan::Gets));
}

/// Bad input, row 9.
#[test]
fn requests_whose_answers_nobody_reads() {
    under("status requests", (0..PEERS).map(|_| Plan::Statuses));
}

#[test]
fn watched_values_that_take_more_memory_than_bytes() {
    let swelling = (0..PEERS / 2).map(|_| Plan::Swelling);
    let watches = (0..PEERS / 2).map(|_| Plan::Watches);
    under("watched values", swelling.chain(watches));
}

/// Bad input, row 8.
#[test]
fn connections_whose_other_end_is_gone() {
    let half = under("half-open", (0..PEERS).map(|_| Plan::Nothing));
    half.only_the_honest_remain();
}

/// Bad input, row 2.
#[test]
fn large_frames_that_never_end() {
    let members = (0..PEERS / 2).map(|_| Plan::AlmostAFrame(Peer::Member));
    let clients = (0..PEERS / 2).map(|_| Plan::AlmostAFrame(Peer::Client));
    under("unfinished frames", members.chain(clients));
}

/// Bad input, row 4.
#[test]
#[cfg(feature = "zstd")]
fn compressed_messages_that_grow() {
    let zeros = (0..PEERS / 2).map(|_| Plan::Zeros);
    let bombs = (0..PEERS / 2).map(|_| Plan::Bombs);
    under("compressed messages", zeros.chain(bombs));
}
