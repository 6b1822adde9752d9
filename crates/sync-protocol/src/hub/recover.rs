//! A hub from its stored rows.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{
    Activity, Epoch, HybridClock, Resolvers, Revision, Row, Stamp, Traffic,
    planted::{self, Planted},
};

use super::authority::{Attempts, Claims};
use super::chores::Chores;
use super::expiry::Expiries;
use super::graves::Graves;
use super::held::Holds;
use super::memory::Memory;
use super::merging::Merges;
use super::past::Past;
use super::periodic::Periodic;
use super::round::Rounds;
use super::voting::Votes;
use super::watch::Watches;
use super::{Hub, Lineage, Member};
use crate::config::HubConfig;
use crate::free::Free;
use crate::gate::Gate;
use crate::keyspace::Keyspace;
use crate::millis::millis;
use crate::rows::{self, Owner, RowError, Stored};

/// Rows of an earlier format that go each time a hub opens: not a batch that keeps a disk busy.
const OUTDATED_PER_OPEN: usize = 1_000;

/// Takes rows in ascending order, then opens the hub.
#[derive(Debug)]
pub struct HubRecovery {
    hub: Hub,
}

impl HubRecovery {
    /// A hub without any rows yet.
    pub fn new(config: HubConfig, resolvers: Resolvers) -> Self {
        let hub = Hub {
            clock: HybridClock::new(Stamp::default(), config.limits.drift_max),
            lineage: Lineage::default(),
            writer: Hub::hub_writer(Epoch::from_random(0)),
            space: Keyspace::new(&config.swarm),
            revision: Revision::default(),
            met: Revision::default(),
            index: BTreeSet::new(),
            known: BTreeMap::new(),
            roster: BTreeMap::new(),
            sessions: BTreeMap::new(),
            rounds: Rounds::default(),
            periodic: Periodic::default(),
            receipts: BTreeMap::new(),
            adopted: BTreeMap::new(),
            id_alarms: 0,
            graves: Graves::default(),
            table_is_new: false,
            expiries: Expiries::default(),
            chores: Chores::default(),
            claims: Claims::default(),
            attempts: Attempts::default(),
            merges: Merges::default(),
            watches: Watches::default(),
            memory: Memory::default(),
            votes: Votes::default(),
            past: Past::default(),
            reloading: Vec::new(),
            holds: Holds::default(),
            unsaved: Vec::new(),
            stored: false,
            rights: None,
            gate: Gate::default(),
            traffic: Traffic::default(),
            store_bytes: None,
            free: Free::keeping(config.keep_free),
            activity: Activity::default(),
            failed: None,
            config,
            resolvers,
        };
        Self { hub }
    }

    /// Takes one row back.
    pub fn row(&mut self, row: &Row) -> Result<(), RowError> {
        let hub = &mut self.hub;
        match rows::read(row)? {
            Stored::Meta(meta) => {
                meta.owner.check(&Owner::Hub)?;
                hub.revision = meta.revision;
                hub.clock = HybridClock::new(meta.high_water(), hub.config.limits.drift_max);
            }
            Stored::Header(segment) => {
                hub.index
                    .insert((segment.revision, Some(segment.key.clone())));
                hub.space.restore_header(segment);
            }
            Stored::Write(key, id, write) => {
                if !hub.space.restore_write(&key, id, write) {
                    let reason = "the key's header does not know this write";
                    return Err(RowError::unreadable(row, reason));
                }
            }
            Stored::Known(writer, seq) => {
                let writer = hub.space.intern(&writer);
                hub.known.insert(writer, seq);
            }
            Stored::Run(run) => hub.lineage.restore(run),
            Stored::Member(agent) => {
                hub.roster.insert(agent, Member::default());
            }
            Stored::Receipt(receipt) => hub.restore_receipt(receipt),
            Stored::Grave(key, grave, forgotten) => {
                hub.graves.restore(key, grave, forgotten);
            }
            Stored::Lifetime(key, lifetime) => hub.expiries.restore(key, lifetime),
            Stored::Adopted(segment) => {
                let (_, dead) = segment.entry.into_parts();
                hub.adopted.insert(segment.key, dead);
            }
            Stored::Cleared(namespace, number) => hub.memory.restore_cleared(namespace, number),
            Stored::Memory(namespace, key, number, payload) => {
                hub.memory.restore(namespace, key, number, payload);
            }
            Stored::Poll(opened) => hub.votes.restore(opened),
            Stored::Vote(vote) => {
                if !hub.votes.restore_vote(vote) {
                    let reason = "it is a vote on what is not voted on";
                    return Err(RowError::unreadable(row, reason));
                }
            }
            Stored::Decision(remembered) => hub.votes.restore_decision(remembered),
            Stored::Answered(answered) => hub.attempts.restore(answered, row.value.len()),
            Stored::LongestLease(lease_ms) => hub.claims.restore(lease_ms),
            Stored::Journal(journal) => hub.past.journal.restore(journal),
            Stored::Outdated if hub.unsaved.len() < OUTDATED_PER_OPEN => {
                hub.unsaved.push(rows::delete_outdated(row));
            }
            Stored::Past | Stored::Outdated => {}
            Stored::Outbox(..)
            | Stored::Repair(_)
            | Stored::Fate(_)
            | Stored::Delivered(_)
            | Stored::Policies(_)
            | Stored::OwnVote(_) => {
                return Err(RowError::unreadable(row, "only agents keep such rows"));
            }
        }
        Ok(())
    }

    /// Whether a row, and so all after it, is one that a hub reads only when it is asked for: the driver
    /// need not go on. Taking such a row changes nothing.
    pub fn is_past(row: &Row) -> bool {
        rows::is_past(row)
    }

    /// Opens a fresh run. `epoch` must be drawn at random.
    ///
    /// The run is on record before anything speaks of it; for a swarm that nobody has written to or
    /// joined yet that is with its first batch, so that asking about a name leaves no trace of it.
    pub fn open(self, epoch: Epoch) -> Hub {
        let mut hub = self.hub;
        let fresh = hub.lineage.is_empty();
        let first = hub.revision.next();
        let lineage_max = hub.config.limits.lineage_max;
        if fresh || !planted::is(Planted::EpochKept) {
            let (run, dropped) = hub.lineage.open(epoch, first, lineage_max);
            hub.unsaved.push(rows::put_run(&run));
            hub.unsaved.extend(dropped.iter().map(rows::delete_run));
        }
        hub.writer = Hub::hub_writer(hub.epoch());
        hub.periodic = Periodic::of(&hub.config.schedule, &hub.config.swarm, epoch);
        let rows = hub.regroup_receipts();
        hub.unsaved.extend(rows);
        // The table may have changed while the hub was down.
        hub.table_is_new = !fresh;
        hub.attempts.open();
        let journal_max = hub.config.limits.journal_max;
        hub.past.journal.open(hub.revision, journal_max);
        hub.past.thinning.open(epoch, hub.revision);
        if fresh && hub.config.disk_lost {
            let longest_ms = millis(hub.config.limits.lease_max);
            hub.claims.restore(longest_ms);
            hub.unsaved.push(rows::put_longest_lease(longest_ms));
        }
        if !fresh {
            hub.claims.open();
            hub.persist(Vec::new());
        }
        hub
    }
}
