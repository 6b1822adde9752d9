//! Which rule a key is under: what its policy says, else what its live writes are, else what its first
//! operation is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::entry::Entry;
use crate::id::{Key, WriteId};
use crate::payload::PayloadKind;
use crate::policy::Policies;
use crate::resolver::{MergeRule, OnConcurrent, Operation, OperationError, Resolver};

/// The resolvers a swarm uses, and the policies that choose among them.
#[derive(Debug, Clone)]
pub struct Resolvers {
    by_rule: BTreeMap<(MergeRule, OnConcurrent), Arc<dyn Resolver>>,
    default_rule: MergeRule,
    policies: Arc<Policies>,
}

impl Resolvers {
    /// The rule of a key that is first written with a plain `set` is `default_rule`, which must be
    /// among `resolvers`.
    pub fn new(
        default_rule: MergeRule,
        resolvers: impl IntoIterator<Item = Arc<dyn Resolver>>,
    ) -> Option<Self> {
        let named = |r: Arc<dyn Resolver>| ((r.rule(), r.on_concurrent()), r);
        let by_rule: BTreeMap<_, _> = resolvers.into_iter().map(named).collect();
        let default = (default_rule, default_rule.on_concurrent());
        by_rule.contains_key(&default).then(|| Self {
            by_rule,
            default_rule,
            policies: Arc::default(),
        })
    }

    /// The same under other policies.
    #[must_use]
    pub fn with_policies(mut self, policies: Arc<Policies>) -> Self {
        self.policies = policies;
        self
    }

    /// The policies.
    pub fn policies(&self) -> &Arc<Policies> {
        &self.policies
    }

    /// The resolver of that rule.
    pub fn get(&self, rule: MergeRule, on_concurrent: OnConcurrent) -> Option<&dyn Resolver> {
        self.by_rule.get(&(rule, on_concurrent)).map(AsRef::as_ref)
    }

    /// The rule of a key from its live writes: that of the first for which `counts` holds. A key
    /// without live writes has none; its next operation chooses. A policy that does not fit what is
    /// there waits until the key is free of it.
    pub fn of_entry(
        &self,
        key: &Key,
        entry: &Entry,
        mut counts: impl FnMut(&WriteId) -> bool,
    ) -> Option<&dyn Resolver> {
        let (_, write) = entry.writes().find(|(id, _)| counts(id))?;
        self.of_held(key, write.payload.kind())
    }

    /// The rule of a key from its live writes, if it is the same whichever of them counts: nearly
    /// always. O(1), where [`Resolvers::of_entry`] may have to search.
    pub fn of_all(&self, key: &Key, entry: &Entry) -> Option<&dyn Resolver> {
        let mut rules = entry.kinds().map(|kind| self.of_held(key, kind));
        let first = rules.next()??;
        let name = |r: &dyn Resolver| (r.rule(), r.on_concurrent());
        let agree = rules.all(|rule| rule.is_some_and(|r| name(r) == name(first)));
        agree.then_some(first)
    }

    /// The rule of a key that holds a write of `kind`.
    fn of_held(&self, key: &Key, kind: PayloadKind) -> Option<&dyn Resolver> {
        self.of_policy(key)
            .filter(|r| r.holds(kind))
            .or_else(|| self.holding(kind))
    }

    /// The rule that a first write of `kind` gives to a key, or finds there by policy.
    pub fn of_kind(&self, key: &Key, kind: PayloadKind) -> Option<&dyn Resolver> {
        self.of_policy(key).or_else(|| self.holding(kind))
    }

    /// The rule that a first operation gives to a key, or finds there by policy; `None` for one that
    /// only removes.
    pub fn of_operation(&self, key: &Key, operation: &Operation) -> Option<&dyn Resolver> {
        self.of_policy(key).or_else(|| match operation {
            Operation::Put(_) => self.get(self.default_rule, self.default_rule.on_concurrent()),
            Operation::Delete | Operation::Remove(_) | Operation::UnsetField(_) => None,
            _ => self.holding(operation.kind()?),
        })
    }

    /// Why an operation was refused, told to whoever asked for it: to delete what the key holds makes no
    /// room for what its policy leaves none for.
    pub fn refusal(
        &self,
        key: &Key,
        operation: &Operation,
        error: OperationError,
    ) -> OperationError {
        let policy = self.of_policy(key);
        let forbids = policy.filter(|r| operation.kind().is_some_and(|kind| !r.holds(kind)));
        match (error, forbids) {
            (OperationError::Rule { operation, .. }, Some(policy)) => OperationError::Policy {
                operation,
                rule: policy.rule(),
            },
            (error, _) => error,
        }
    }

    fn of_policy(&self, key: &Key) -> Option<&dyn Resolver> {
        let policy = self.policies.of(key)?;
        let rule = policy.rule?;
        self.get(rule, policy.on_concurrent())
    }

    /// The rule that holds writes of `kind`: the default one if it can, else the first that can.
    pub fn holding(&self, kind: PayloadKind) -> Option<&dyn Resolver> {
        let default = self.get(self.default_rule, self.default_rule.on_concurrent());
        let able = self.by_rule.values().map(AsRef::as_ref);
        default.into_iter().chain(able).find(|r| r.holds(kind))
    }
}
