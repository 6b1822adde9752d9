//! What a node that is restored from a backup is told beside what it had: that it is not the one that went
//! on since.
//!
//! An agent draws a fresh incarnation at every start, and a cursor is checked against the lineage, so that
//! its rows need nothing more. A hub has granted claims since that nobody here knows of.

use std::time::Duration;

use sync_core::{Epoch, Revision, Row, RowOp};

use crate::hub::Run;
use crate::millis::millis;
use crate::rows::{self, Owner, RowError, Stored};

/// Takes the rows of one swarm, in ascending order.
#[derive(Debug, Default)]
pub struct Restoration {
    owner: Option<Owner>,
    revision: Revision,
    ordinal: u64,
}

impl Restoration {
    /// Takes one row. It is restored as it is.
    ///
    /// # Errors
    ///
    /// [`RowError`] if it does not read as what its key says.
    pub fn row(&mut self, row: &Row) -> Result<(), RowError> {
        match rows::read(row)? {
            Stored::Meta(meta) => {
                self.owner = Some(meta.owner);
                self.revision = meta.revision;
            }
            Stored::Run(run) => self.ordinal = self.ordinal.max(run.ordinal + 1),
            _ => {}
        }
        Ok(())
    }

    /// Whose they are.
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// The rows beside them. `drawn` must be random: it is a run that ends what the hub was when the copy
    /// was made, and that nobody has a position of. No claim is granted before `lease_max` is over.
    pub fn finish(&self, drawn: Epoch, lease_max: Duration) -> Vec<RowOp> {
        if self.owner != Some(Owner::Hub) {
            return Vec::new();
        }
        let run = Run {
            ordinal: self.ordinal,
            first: self.revision.next(),
            epoch: drawn,
        };
        vec![
            rows::put_run(&run),
            rows::put_longest_lease(millis(lease_max)),
        ]
    }
}
