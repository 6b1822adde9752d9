//! Where own writes are: here, at the hub, or ended, and why.

use std::collections::BTreeMap;

use sync_core::{
    Durability, Epoch, Incarnation, Key, Pattern, Reason, Receipt, Revision, Seen, Seq,
};
use sync_core::{Standing, WriteId};

use super::Replica;
use super::fate::is_unjudged;
use super::outbox::Outbox;
use crate::keyspace::KeyState;

/// Own writes whose keys are remembered, and positions at which some of them got to the hub: a program
/// asks about what it has just written. A few dozen bytes each.
const TRACED_MAX: usize = 4_096;

/// Patterns whose summaries are told apart; of more, each may count any write.
const SUMMED_MAX: usize = 64;

/// Where a write is, as far as its agent's replica knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// Here, and it waits for the hub.
    Local {
        /// What it survives.
        durability: Durability,
    },
    /// The hub has committed it.
    AtHub {
        /// In this run of the hub or before.
        epoch: Epoch,
        /// At this revision or before.
        revision: Revision,
    },
    /// The hub has committed it, and other agents have confirmed to hold it, each at its own store's level.
    OnReplicas {
        /// How many.
        replicas: u32,
        /// At this revision or before.
        revision: Revision,
    },
    /// It lost against a concurrent write.
    Superseded(Box<Receipt>),
    /// A function has made one value out of it and others.
    Merged(Box<Receipt>),
    /// It was not admitted, or nobody knows any more why it ended.
    Refused(Box<Receipt>),
    /// It is no longer visible: somebody who was shown it has replaced or deleted it, its lifetime has
    /// ended, or a later addition of this agent to the same counter includes it.
    Overwritten,
    /// Nothing is known: it is not of this run of the agent, older than its last 4,096, its receipt was
    /// dealt with, there is no such write, it may be one of those of which a summary tells nothing but how
    /// many they are, or the hub that had it has lost its disk, and what became of it is not told yet.
    Unknown,
}

/// What is remembered of own writes of this run.
#[derive(Debug, Default)]
pub(super) struct Traces {
    keys: BTreeMap<Seq, Key>,
    /// Up to a number, where the hub was when it had all of them.
    landed: BTreeMap<Seq, Seen>,
    /// Up to there the hub has told what became of all of them.
    told: Option<Revision>,
    /// By the pattern of the policy: the last write there was when a summary came. It may count each of them.
    summed: BTreeMap<Option<Pattern>, Seq>,
}

impl Traces {
    pub(super) fn wrote(&mut self, seq: Seq, key: &Key) {
        self.keys.insert(seq, key.clone());
        if self.keys.len() > TRACED_MAX {
            self.keys.pop_first();
        }
    }

    fn landed(&mut self, upto: Seq, standing: &Standing) {
        self.landed.entry(upto).or_insert(Seen {
            epoch: standing.epoch,
            revision: standing.revision,
        });
        if self.landed.len() > TRACED_MAX {
            self.landed.pop_first();
        }
    }

    /// The hub has told every receipt that is due up to there. Its revisions go on ascending when it starts
    /// again; where one that lost its log begins anew the positions are forgotten.
    pub(super) fn told_upto(&mut self, revision: Revision) {
        self.told = self.told.max(Some(revision));
    }

    /// Whether the hub may have more to tell of a write that it has taken in: that it had lost already.
    fn may_be_told_of(&self, seq: Seq) -> bool {
        let at = self.position(seq);
        at.is_some_and(|at| self.told.is_none_or(|told| told < at.revision))
    }

    /// Of some of the writes there are only a number is told.
    pub(super) fn summed_up(&mut self, summary: &Receipt, last: Seq) {
        let Reason::Dropped { pattern, .. } = &summary.reason else {
            return;
        };
        let is_one_more = !self.summed.contains_key(pattern);
        if is_one_more && self.summed.len() >= SUMMED_MAX {
            self.summed = BTreeMap::from([(None, last)]);
            return;
        }
        self.summed.insert(pattern.clone(), last);
    }

    /// Whether a write of this key, or of one that is not remembered, may be told of by a number only.
    fn may_be_summed(&self, seq: Seq, key: Option<&Key>) -> bool {
        self.summed.iter().any(|(pattern, upto)| {
            let pattern = pattern.as_ref().zip(key);
            seq <= *upto && pattern.is_none_or(|(pattern, key)| pattern.matches(key.as_str()))
        })
    }

    /// Of the first position that is known at which the hub had it.
    fn position(&self, seq: Seq) -> Option<Seen> {
        self.landed.range(seq..).next().map(|(_, seen)| *seen)
    }

    /// Its fate was told, and dealt with.
    pub(super) fn forget(&mut self, seq: Seq) {
        self.keys.remove(&seq);
    }

    /// The hub that had them is not this one.
    pub(super) fn forget_positions(&mut self) {
        self.landed.clear();
        self.told = None;
    }
}

impl Replica {
    /// The hub has everything of a run up to there.
    pub(super) fn note_landed(&mut self, run: Incarnation, upto: Seq, standing: &Standing) {
        if run == self.me.incarnation() {
            self.traces.landed(upto, standing);
        }
    }

    /// The number of an own write, if it is one of this run.
    fn own_seq(&self, write: &WriteId) -> Option<Seq> {
        let (run, seq) = Outbox::key_of(&self.me, write)?;
        (run == self.me.incarnation()).then_some(seq)
    }

    /// Whether the receipt of a write that the hub has may be on its way.
    pub(super) fn may_be_told_of(&self, write: &WriteId) -> bool {
        let seq = self.own_seq(write);
        seq.is_some_and(|seq| self.traces.may_be_told_of(seq))
    }

    /// Whether a write of this run that is not visible may have lost, and only a number be told of it.
    pub(super) fn may_be_summed(&self, write: &WriteId) -> bool {
        self.own_seq(write).is_some_and(|seq| {
            let key = self.traces.keys.get(&seq);
            let is_live = key.is_some_and(|key| self.is_live(key, write));
            !is_live && self.traces.may_be_summed(seq, key)
        })
    }

    fn is_live(&self, key: &Key, write: &WriteId) -> bool {
        let entry = self.space.get(key).map(KeyState::entry);
        entry.is_some_and(|entry| entry.write(write).is_some())
    }

    /// Where a write is.
    pub fn fate(&self, write: &WriteId) -> Fate {
        if let Some(receipt) = self.receipts.get(write) {
            return told(receipt);
        }
        let Some((run, seq)) = Outbox::key_of(&self.me, write) else {
            return Fate::Unknown;
        };
        if self.outbox.waits(run, seq) {
            let durability = self.config.durability;
            return Fate::Local { durability };
        }
        let own = self.own_seq(write);
        let Some(key) = own.and_then(|seq| self.traces.keys.get(&seq)) else {
            return Fate::Unknown;
        };
        if is_unjudged(&self.fates, write) {
            return Fate::Unknown;
        }
        let live = self.is_live(key, write);
        // What was removed may still be told of.
        if !live && !self.fates.contains_key(write) {
            let counted = self.traces.may_be_summed(seq, Some(key));
            return if counted {
                Fate::Unknown
            } else {
                Fate::Overwritten
            };
        }
        self.position_of(write)
            .map_or(Fate::Unknown, |seen| Fate::AtHub {
                epoch: seen.epoch,
                revision: seen.revision,
            })
    }

    /// Whether an own write is not visible any more, and what became of it is still to be told. That is known
    /// after a restart, too.
    pub fn is_yet_to_be_told(&self, write: &WriteId) -> bool {
        self.fates.contains_key(write)
    }

    /// Where the hub had a write of this run at the latest; once it has it, as far as is known.
    pub(super) fn position_of(&self, write: &WriteId) -> Option<Seen> {
        let noted = self.own_seq(write);
        let noted = noted.and_then(|seq| self.traces.position(seq));
        noted.or_else(|| self.head_met())
    }

    /// The furthest place of the hub that this replica has met.
    pub(super) fn head_met(&self) -> Option<Seen> {
        self.cursor.map(|c| Seen {
            epoch: c.epoch,
            revision: c.head.max(c.revision),
        })
    }

    /// Where what is read here comes from, for whoever wants it to be of the same log later; none if that is
    /// not known. While all is exchanged anew with a hub, versions of an earlier one may still be shown.
    pub fn position(&self) -> Option<Seen> {
        self.head_met().filter(|_| !self.reentering)
    }

    /// Revisions between what is held and the last head of the hub that was heard of.
    pub(super) fn behind(&self) -> Option<u64> {
        let heard = self.head?;
        let held = self.cursor.map_or(Some(0), |cursor| {
            (cursor.epoch == heard.epoch).then(|| cursor.revision.get())
        });
        Some(heard.revision.get().saturating_sub(held?))
    }

    /// The hub has said where it is.
    pub(super) fn note_head(&mut self, standing: &Standing) {
        let heard = Seen {
            epoch: standing.epoch,
            revision: standing.revision,
        };
        let older = |held: &Seen| held.epoch == heard.epoch && held.revision > heard.revision;
        if !self.head.as_ref().is_some_and(older) {
            self.head = Some(heard);
        }
    }
}

/// The fate that a receipt tells.
pub(super) fn told(receipt: &Receipt) -> Fate {
    let told = Box::new(receipt.clone());
    match receipt.reason {
        Reason::Superseded { .. } => Fate::Superseded(told),
        Reason::Merged { .. } => Fate::Merged(told),
        Reason::Dropped { .. } => Fate::Unknown,
        _ => Fate::Refused(told),
    }
}
