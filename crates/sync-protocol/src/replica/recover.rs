//! A replica from its stored rows.

use std::collections::BTreeMap;

use sync_core::{
    HybridClock, Incarnation, Reason, Receipt, Resolvers, Row, Seq, Stamp, Writer,
    planted::{self, Planted},
};

use super::decide::Decisions;
use super::level::Climbs;
use super::reach::Reaches;
use super::trace::Traces;
use super::{Delivered, Link, Outbox, OwnVotes, Replica, Waiting};
use crate::config::ReplicaConfig;
use crate::free::Free;
use crate::gate::Gate;
use crate::keyspace::Keyspace;
use crate::receipts::Receipts;
use crate::rows::{self, RowError, Stored};

/// Takes rows in ascending order, then opens the replica.
#[derive(Debug)]
pub struct ReplicaRecovery {
    replica: Replica,
    /// A write was refused because its stamp was too far ahead.
    is_ahead: bool,
}

impl ReplicaRecovery {
    /// A replica without any rows yet. `incarnation` must be drawn at random for every start, so that
    /// a copied or restored disk cannot give one id to two writes.
    pub fn new(config: ReplicaConfig, resolvers: Resolvers, incarnation: Incarnation) -> Self {
        let reuses = planted::is(Planted::WriteIdsReused);
        let run = if reuses {
            Incarnation::from_random(1)
        } else {
            incarnation
        };
        let me = Writer::new(config.agent.clone(), run);
        let mut space = Keyspace::new(&config.swarm);
        let replica = Replica {
            clock: HybridClock::new(Stamp::default(), config.limits.drift_max),
            me: space.intern(&me),
            seq: Seq::default(),
            space,
            outbox: Outbox::default(),
            cursor: None,
            whole: None,
            link: Link::default(),
            head: None,
            traces: Traces::default(),
            in_step_at: None,
            receipts: Receipts::default(),
            fates: BTreeMap::new(),
            delivered: Delivered::default(),
            reentering: false,
            repairs: BTreeMap::new(),
            repair: None,
            waiting: Waiting::default(),
            decisions: Decisions::default(),
            climbs: Climbs::default(),
            reaches: Reaches::default(),
            votes: OwnVotes::default(),
            lazy_rows: Vec::new(),
            gate: Gate::default(),
            free: Free::keeping(config.keep_free),
            failed: None,
            config,
            resolvers,
        };
        Self {
            replica,
            is_ahead: false,
        }
    }

    /// Takes one row back.
    pub fn row(&mut self, row: &Row) -> Result<(), RowError> {
        let replica = &mut self.replica;
        let refuse = |reason: &str| Err(RowError::unreadable(row, reason));
        match rows::read(row)? {
            Stored::Meta(meta) => {
                // The hub believes no agent about another's writes: they would wait for ever.
                meta.owner.check(&replica.owner())?;
                if let Some(cursor) = meta.cursor {
                    replica.note_cursor(cursor);
                }
                replica.reentering = meta.reentering;
                replica.clock =
                    HybridClock::new(meta.high_water(), replica.config.limits.drift_max);
            }
            Stored::Header(segment) => replica.space.restore_header(segment),
            Stored::Write(key, id, write) => {
                if !replica.space.restore_write(&key, id, write) {
                    return refuse("the key's header does not know this write");
                }
            }
            Stored::Outbox(..) if planted::is(Planted::OutboxForgotten) => {}
            Stored::Outbox(run, seq, waiting) => {
                replica.outbox.restore((run, seq), waiting);
            }
            Stored::Fate(noted) => {
                replica.fates.insert(noted.write().clone(), noted);
            }
            Stored::Delivered(told) => replica.delivered = told,
            Stored::Receipt(receipt) => {
                self.is_ahead |= matches!(receipt.reason, Reason::FutureStamp { .. });
                replica.receipts.restore(receipt);
            }
            Stored::Policies(policies) => replica.take_policies(policies),
            Stored::Repair(segment) => {
                let undone = segment.entry.context().clone();
                replica.repairs.insert(segment.key, undone);
            }
            Stored::OwnVote(vote) => replica.votes.restore(vote),
            Stored::Known(..)
            | Stored::Run(_)
            | Stored::Member(_)
            | Stored::Adopted(_)
            | Stored::Lifetime(..)
            | Stored::Grave(..)
            | Stored::Memory(..)
            | Stored::Cleared(..)
            | Stored::Poll(_)
            | Stored::Vote(..)
            | Stored::Decision(_)
            | Stored::Answered(_)
            | Stored::LongestLease(_)
            | Stored::Journal(_)
            | Stored::Past
            | Stored::Outdated => {
                return refuse("only hubs keep such rows");
            }
        }
        Ok(())
    }

    /// Opens the replica. Fates that nobody has dealt with are reported again.
    pub fn open(self) -> Replica {
        let mut replica = self.replica;
        if self.is_ahead {
            // The clock was put right between two runs, and the mark is of the time before.
            replica.clock.distrust();
        }
        let longest = replica.config.limits.vote_deadline_max;
        replica.votes.open(longest);
        if planted::is(Planted::WriteIdsReused) {
            let keys = replica.space.iter_after(None);
            let last = keys.filter_map(|(_, s)| s.entry().context().last_of(&replica.me));
            replica.seq = last.max().unwrap_or_default();
        }
        let mut ops = Vec::new();
        replica.regroup_receipts(&mut ops);
        replica.lazy_rows.extend(ops);
        let waiting: Vec<Receipt> = replica.receipts.iter().cloned().collect();
        for receipt in waiting {
            replica.gate.push(super::ReplicaOutput::Receipt(receipt));
        }
        replica
    }
}
