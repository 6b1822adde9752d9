//! The merge rules of Swarm Sync.
//!
//! | rule | what an operation covers | how live writes read | what concurrent writes lose |
//! |---|---|---|---|
//! | [`Lww`] | the one value that was shown | greatest stamp | all but one; a receipt each |
//! | [`Counter`] | the same incarnation's contribution | their sum | nothing |
//! | [`Set`] | add: the same incarnation's add of that element; remove: the adds shown | the elements | nothing; an add wins over a remove that did not see it |
//!
//! A rule never joins: the join is one for all rules and lives in `sync-core`. A rule of your own
//! implements [`sync_core::Resolver`].
//!
//! ```
//! use sync_core::{Entry, Key, MergeRule, Operation};
//!
//! let key = Key::new("hits").unwrap();
//! let rules = sync_resolve::standard();
//! let rule = rules.of_operation(&key, &Operation::Add(1)).unwrap();
//! assert_eq!(rule.rule(), MergeRule::Counter);
//! assert_eq!(rule.fold(&Entry::new()), None);
//! ```

pub mod crdt;
mod lww;
mod merge;

use std::sync::Arc;

use sync_core::{MergeRule, Resolver, Resolvers};

pub use crdt::{Counter, Set};
pub use lww::Lww;
pub use merge::{Merge, Merges};

/// Every rule of this crate; a plain `set` on a fresh key is last-writer-wins.
#[expect(
    clippy::missing_panics_doc,
    reason = "the default rule is among those given"
)]
pub fn standard() -> Resolvers {
    let all: [Arc<dyn Resolver>; 3] = [Arc::new(Lww), Arc::new(Counter), Arc::new(Set)];
    Resolvers::new(MergeRule::Lww, all).expect("the default rule is among those given")
}
