//! The merge rules of Swarm Sync.
//!
//! | rule | what an operation covers | how live writes read | what concurrent writes lose |
//! |---|---|---|---|
//! | [`Lww`] | the one value that was shown | greatest stamp | all but one; a receipt each |
//! | [`Causal::Lww`] | the same | the same | the same |
//! | [`Causal::Keep`] | every value that was shown: all | the newest, the others beside it | nothing; a write wins over a delete that did not see it |
//! | [`Causal::Custom`] | the same | the same | nothing silently; a receipt each says into what they were merged |
//! | [`Counter`] | the same incarnation's contribution | their sum | nothing |
//! | [`Set`] | add: the same incarnation's add of that element; remove: the adds shown | the elements | nothing; an add wins over a remove that did not see it |
//! | [`Map`] | the one value of that field that was shown | greatest stamp per field | as under [`Lww`], per field |
//! | [`Custom`] | as [`Causal::Custom`] | the same | the same |
//! | [`Authority`] | nothing: only the hub changes the key | one value | there are none |
//!
//! A register is [`Lww`]: one value, replaced whole. There is no second rule for it.
//!
//! The functions that make one value of concurrent ones may wait for somebody; only the hub's driver calls
//! them, so they are in `swarm-sync`.
//!
//! A rule never joins: the join is one for all rules and lives in `sync-core`. A rule of your own
//! implements [`sync_core::Resolver`], and `sync_core::testing::resolver_suite` says whether it keeps the
//! laws.
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

mod authority;
mod causal;
pub mod consensus;
pub mod crdt;
mod custom;
mod lww;
mod map;

use std::sync::Arc;

use sync_core::{MergeRule, Resolver, Resolvers};

pub use authority::Authority;
pub use causal::Causal;
pub use consensus::{Quorum, Weighted, algorithms};
pub use crdt::{Counter, Set};
pub use custom::Custom;
pub use lww::Lww;
pub use map::Map;

/// Every rule of this crate; a plain `set` on a fresh key is last-writer-wins.
#[expect(
    clippy::missing_panics_doc,
    reason = "the default rule is among those given"
)]
pub fn standard() -> Resolvers {
    let all: [Arc<dyn Resolver>; 9] = [
        Arc::new(Lww),
        Arc::new(Counter),
        Arc::new(Set),
        Arc::new(Causal::Lww),
        Arc::new(Causal::Keep),
        Arc::new(Causal::Custom),
        Arc::new(Map),
        Arc::new(Custom),
        Arc::new(Authority),
    ];
    Resolvers::new(MergeRule::Lww, all).expect("the default rule is among those given")
}
