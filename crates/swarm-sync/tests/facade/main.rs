//! The tokio drivers over real transports and stores: what a user of the facade relies on.
//!
//! - `support`: a hub and agents on either transport, waits with deadlines
//! - `sync`: writes, full synchronization, deltas, versions, clear
//! - `full_sync`: what a full synchronization finds, decides and tells
//! - `held`: links on which something stays on its way or is lost
//! - `links`: starting before the hub, cuts, restarts, two agents under one name
//! - `fates`: receipts, refusals, what an error leaves behind
//! - `levels`: how far a write has got, reads that wait, values proposed again
//! - `little_room`: a disk that is nearly full
//! - `large`: what does not fit a frame
//! - `past`: how a value came about
//! - `policies`: functions that merge, what agents learn, typed keys
//! - `rights`: who may do what, and when that changes
//! - `merging`: functions that block, and what the end of a hub does to them
//! - `watching`: changes as they are committed
//! - `positions`: where a watch begins and another goes on
//! - `memory`: application data beside the state
//! - `voting`: proposals, votes and decisions
//! - `algorithms`: who decides them
//! - `voting_restarts`: the same while hubs and agents are restarted
//! - `priorities`: who gives way where room runs out
//! - `rounds`: synchronization by priority and by schedule
//! - `turns`: what one swarm asks for does not hold up another
//! - `durable`: sled on both sides, across restarts
//! - `cache`: a client without a replica that keeps what it has read

mod algorithms;
mod authority;
mod backups;
mod cache;
mod durable;
mod fates;
mod full_sync;
mod held;
mod large;
mod levels;
mod links;
mod little_room;
mod memory;
mod merging;
mod past;
mod policies;
mod positions;
mod priorities;
mod rights;
mod rounds;
mod support;
mod sync;
mod turns;
mod voting;
mod voting_restarts;
mod watching;
