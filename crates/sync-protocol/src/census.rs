//! What the rows of a stopped node say of it: whose they are, and how far it had got. Nothing is opened.

use sync_core::{Cursor, Epoch, Revision, Row};

use crate::hub::Run;
use crate::rows::{self, Owner, Stored};

/// Counts the rows of one swarm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Census {
    /// Whose they are; none if the row that says so is not there.
    pub owner: Option<Owner>,
    /// A hub's last revision.
    pub revision: Revision,
    /// A hub's last run; none at an agent.
    pub epoch: Option<Epoch>,
    /// An agent's position in the log of its hub.
    pub cursor: Option<Cursor>,
    /// Keys that anything is known of, deleted ones included.
    pub keys: u64,
    /// Live writes of them.
    pub writes: u64,
    /// Names on a hub's roster.
    pub members: u64,
    /// An agent's own writes that no hub has confirmed.
    pub waiting: u64,
    /// Receipts that were not taken.
    pub receipts: u64,
    /// Values of a hub's memory.
    pub memory: u64,
    /// Rows that do not read as what their keys say, with the first of them.
    pub unreadable: u64,
    /// Which it is, and what does not fit.
    pub first_unreadable: Option<String>,
    /// Of the last run, to know a later one.
    ordinal: Option<u64>,
}

impl Census {
    /// Takes one row.
    pub fn row(&mut self, row: &Row) {
        let stored = match rows::read(row) {
            Ok(stored) => stored,
            Err(error) => {
                self.unreadable += 1;
                self.first_unreadable
                    .get_or_insert_with(|| error.to_string());
                return;
            }
        };
        match stored {
            Stored::Meta(meta) => {
                self.owner = Some(meta.owner);
                self.revision = meta.revision;
                self.cursor = meta.cursor;
            }
            Stored::Run(run) => self.run(run),
            Stored::Header(_) => self.keys += 1,
            Stored::Write(..) => self.writes += 1,
            Stored::Member(_) => self.members += 1,
            Stored::Outbox(..) => self.waiting += 1,
            Stored::Receipt(_) => self.receipts += 1,
            Stored::Memory(..) => self.memory += 1,
            _ => {}
        }
    }

    fn run(&mut self, run: Run) {
        if self.ordinal.is_none_or(|known| run.ordinal >= known) {
            self.ordinal = Some(run.ordinal);
            self.epoch = Some(run.epoch);
        }
    }
}
