//! What every [`Resolver`] must do, as laws that run on a rule of your own.
//!
//! [`check`] lets three writers and a hub do the operations that you give it, in seeded random
//! schedules: their clocks disagree, they restart, and what they write arrives late, in pieces, twice
//! or, until the end, not at all. A law that does not hold panics with its name, what was seen and the
//! seed. [`Law`] lists them.
//!
//! ```
//! use sync_core::testing::resolver_suite::{self, Law};
//! use sync_core::{
//!     Entry, Loss, MergeRule, Operation, OperationError, Payload, PayloadKind, Plan, Resolver,
//!     Value, WriteId, Writer,
//! };
//!
//! /// Shows the newest value, and lets every write replace all there is.
//! #[derive(Debug)]
//! struct Careless;
//!
//! impl Resolver for Careless {
//! #   fn rule(&self) -> MergeRule { MergeRule::Lww }
//! #   fn holds(&self, kind: PayloadKind) -> bool { kind == PayloadKind::Put }
//!     fn plan(
//!         &self,
//!         operation: &Operation,
//!         entry: &Entry,
//!         _: &Writer,
//!     ) -> Result<Option<Plan>, OperationError> {
//!         let payload = match operation {
//!             Operation::Put(value) => Some(Payload::put(value)),
//!             _ if entry.is_live() => None,
//!             _ => return Ok(None),
//!         };
//!         let floor = entry.writes().map(|(_, write)| write.stamp).max();
//!         let over = entry.context().clone();
//!         Ok(Some(Plan { payload, over, floor }))
//!     }
//!     fn shown(&self, entry: &Entry) -> Option<WriteId> {
//!         let newest = entry.writes().max_by_key(|(id, write)| (write.stamp, *id));
//!         newest.map(|(id, _)| id.clone())
//!     }
//!     fn losses(&self, entry: &Entry) -> Vec<Loss> {
//!         let winner = self.shown(entry);
//!         let others = entry.writes().filter(|(id, _)| Some(*id) != winner.as_ref());
//!         let lost = others.map(|(id, _)| Loss { loser: id.clone(), winner: winner.clone() });
//!         lost.collect()
//!     }
//! #   fn fold(&self, entry: &Entry) -> Option<Value> {
//! #       entry.write(&self.shown(entry)?)?.payload.value()
//! #   }
//! #   fn hidden(&self, entry: &Entry) -> usize { entry.live_count().saturating_sub(1) }
//! }
//!
//! let operations = [Operation::Put(Value::from("x")), Operation::Delete];
//! let broken = resolver_suite::run(&Careless, &operations, 1).unwrap_err();
//! assert_eq!(broken.law, Law::CoversWhatWasShown);
//! ```

mod law;
mod node;
mod plans;
mod schedule;
mod views;

use std::fmt;

use thiserror::Error;

use self::schedule::Schedule;
use super::numbers::Numbers;
use crate::entry::Entry;
use crate::resolver::{Operation, Resolver};

pub use self::law::Law;

/// Random schedules in one run.
pub const SCHEDULES: usize = 200;

/// Steps of a schedule, before everything is let through.
pub const STEPS: usize = 40;

/// A law that a rule breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the law does not hold: {law} (seed {seed}, schedule {schedule}, step {step}): {detail}")]
#[non_exhaustive]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// What was seen.
    pub detail: String,
    /// The seed of the run.
    pub seed: u64,
    /// In which schedule of the run.
    pub schedule: usize,
    /// After how many steps of it.
    pub step: usize,
}

/// Runs every law on `rule`. `operations` are those that its keys are to see: all that it knows, with
/// few enough different values, elements and fields that writers meet. A delete is always tried too.
///
/// # Panics
///
/// At the first law that does not hold.
#[track_caller]
pub fn check(rule: &dyn Resolver, operations: &[Operation], seed: u64) {
    if let Err(broken) = run(rule, operations, seed) {
        panic!("{rule:?}: {broken}");
    }
}

/// As [`check`], for a test that expects a law to be broken.
pub fn run(rule: &dyn Resolver, operations: &[Operation], seed: u64) -> Result<(), Broken> {
    let mut numbers = Numbers::new(seed);
    let mut wrote = false;
    for at in 0..SCHEDULES {
        let mut schedule = Schedule::new(rule, operations, Numbers::new(numbers.next()));
        for step in 0..=STEPS {
            let done = if step < STEPS {
                schedule.step()
            } else {
                schedule.heal()
            };
            done.map_err(|Fault { law, detail }| Broken {
                law,
                detail,
                seed,
                schedule: at,
                step,
            })?;
        }
        wrote |= schedule.wrote();
    }
    if wrote {
        return Ok(());
    }
    Err(Broken {
        law: Law::WritesSomething,
        detail: format!("{operations:?}"),
        seed,
        schedule: SCHEDULES,
        step: STEPS,
    })
}

/// A law that does not hold, before anybody knows where in the run.
#[derive(Debug)]
struct Fault {
    law: Law,
    detail: String,
}

type Checked = Result<(), Fault>;

fn require(law: Law, holds: bool, detail: impl FnOnce() -> String) -> Checked {
    if holds {
        return Ok(());
    }
    let detail = detail();
    Err(Fault { law, detail })
}

fn require_equal<T: PartialEq + fmt::Debug>(law: Law, what: &str, a: &T, b: &T) -> Checked {
    require(law, a == b, || format!("{what}: {a:?} and {b:?}"))
}

/// An entry's live writes, to print.
fn told(entry: &Entry) -> String {
    let writes = entry.writes();
    let told = writes.map(|(id, w)| format!("{id} at {} {:?}", w.stamp, w.payload));
    told.collect::<Vec<_>>().join("; ")
}
