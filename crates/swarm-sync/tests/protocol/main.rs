//! The machines driven by hand, one promise at a time: virtual time, a disk whose completions the
//! test decides, every message encoded and decoded.
//!
//! - `stage`: a hub and agents without a driver
//! - `hand`: one side at a time
//! - `activity`: what a hub counts of its work
//! - `ahead`: urgent keys overtake what waits in line
//! - `authority`: commits with expectations
//! - `deciding`: requests that the hub alone decides, to drive tests with
//! - `decided_once`: decisions whose answers are lost
//! - `lost_answers`: decisions that the hub has lost with their answers
//! - `decided_deletes`: deletes with expectations are deletes like any other
//! - `claims`: keys that one holder has for itself
//! - `commits`: what waits for the store
//! - `rounds`: full synchronization
//! - `classes`: a round for each priority among the keys
//! - `little_room`: a disk that is nearly full
//! - `pressure`: who is ended or refused first where room runs out
//! - `periodic`: what the hub synchronizes by itself every so often
//! - `sweeps`: what such a run asks and gathers, and who it goes without
//! - `cursors`: deltas, pages, re-entry
//! - `fates`: receipts, refusals, repairs
//! - `receipts`: how many wait, and what becomes of the rest
//! - `reproposing`: what came back is written again
//! - `manners`: messages that break the protocol
//! - `rights`: what a peer may bring
//! - `rights_to_ask`: what it may ask for
//! - `bad_numbers`: versions, revisions and sequence numbers that cannot be
//! - `patterns`: what listing and watching by pattern may cost
//! - `many`: many keys that change at once
//! - `policies`: rules, bounds and durability that a table asks for
//! - `levels`: how far a write has got, and how far behind a read is
//! - `positions`: reads that wait for what somebody else was told of
//! - `lifetimes`: values that end
//! - `merges`: functions that make one value of several
//! - `offline`: many writes while cut off
//! - `old_disks`: disks of an agent that are older than what the hub knows of it, and copies
//! - `merge_calls`: when they are called
//! - `graves`: deletes that have done their work
//! - `watching`: what a watcher is told
//! - `memory`: application data beside the state
//! - `ballots`: proposals and votes to drive tests with
//! - `votes`: from the proposal to the decision
//! - `vote_fates`: who hears that an approved write has lost
//! - `vote_refusals`: what is not voted on, and whose vote does not count
//! - `vote_crashes`: votes that outlive those who take part
//! - `undecided`: what is said of votes whose time ran out
//! - `own_votes`: what an agent does with its votes
//! - `past`: what a hub remembers of its commits
//! - `past_reads`: how that is read from the store
//! - `looking_back`: questions about the past, to drive tests with
//! - `removals`: what they cover at a hub that has lost its disk
//! - `overwritten`: writes that their own agent overwrites on their way
//! - `recovered`: hubs that were recovered from damaged rows
//! - `seeds`, `rollbacks`, `tables`: schedules that the simulation has found, told by hand
//! - `ended`: writes whose end an agent knows, and that hub does not

mod activity;
mod ahead;
mod authority;
mod bad_numbers;
mod ballots;
mod claim_pauses;
mod claims;
mod classes;
mod commits;
mod counters;
mod cursors;
mod decided_deletes;
mod decided_once;
mod deciding;
mod disk;
mod ended;
mod fates;
mod graves;
mod hand;
mod levels;
mod lifetimes;
mod little_room;
mod looking_back;
mod lost_answers;
mod manners;
mod many;
mod memory;
mod merge_calls;
mod merges;
mod offline;
mod old_disks;
mod overwritten;
mod own_votes;
mod past;
mod past_authors;
mod past_log;
mod past_reads;
mod patterns;
mod periodic;
mod policies;
mod positions;
mod pressure;
mod quotas;
#[allow(dead_code, reason = "the simulation asks it for more")]
#[path = "../../../sync-sim/src/random.rs"]
mod random;
mod receipts;
mod recovered;
mod removals;
mod reproposing;
mod rights;
mod rights_to_ask;
mod rollbacks;
mod roster;
mod rounds;
mod seeds;
mod stage;
mod sweeps;
mod tables;
mod told;
mod undecided;
mod vote_crashes;
mod vote_fates;
mod vote_refusals;
mod votes;
mod watching;
mod written_to;
