//! Whether a commit with expectations may happen.

use std::collections::BTreeSet;

use sync_core::codec::List;
use sync_core::{
    Assignment, Current, Expectation, Key, MergeRule, Now, Payload, PayloadKind, RequestError,
    Seen, Value, Version,
    planted::{self, Planted},
};

use super::super::commit::KEYS_PER_COMMIT;
use super::Hub;
use crate::compose;
use crate::keyspace::KeyState;

/// Bytes of values that a refusal tells, about: the answer is kept until it is known to have arrived.
const TOLD_BYTES_MAX: usize = 16 * 1024;

impl Hub {
    /// What the keys are to hold, encoded; none for those that are to be deleted. Nothing that would fail
    /// may be left for later: an error changes nothing.
    pub(super) fn check_commit(
        &self,
        now: Now,
        expect: &[Expectation],
        assign: &[Assignment],
    ) -> Result<Vec<Option<Payload>>, RequestError> {
        let keys = expect.len() + assign.len();
        if keys > KEYS_PER_COMMIT {
            let (keys, limit) = (keys as u64, KEYS_PER_COMMIT as u64);
            return Err(RequestError::TooManyKeys { keys, limit });
        }
        let mut named = BTreeSet::new();
        let mut payloads = Vec::with_capacity(assign.len());
        for Assignment { key, value } in assign {
            if !named.insert(key) {
                let reason = format!("{key:?} is to be changed twice in one commit: name it once");
                return Err(RequestError::Invalid { reason });
            }
            payloads.push(self.check_assigned(key, value.as_ref())?);
        }
        self.check_expected(now, expect)?;
        let held = |key: &Key| {
            let of = |e: &Expectation| matches!(e, Expectation::Claim { key: k, .. } if k == key);
            expect.iter().any(of)
        };
        for Assignment { key, value } in assign {
            // A claim's holder may end it with what it was for.
            if !(value.is_none() && held(key)) {
                self.check_unclaimed(now, key)?;
            }
            self.check_rule(key, "compare-and-set")?;
        }
        if payloads.iter().any(Option::is_some) {
            self.check_space()?;
        }
        let keys = assign.iter().map(|assignment| &assignment.key);
        self.check_quota(keys.zip(payloads.iter().map(Option::as_ref)))?;
        Ok(payloads)
    }

    fn check_assigned(
        &self,
        key: &Key,
        value: Option<&Value>,
    ) -> Result<Option<Payload>, RequestError> {
        let Some(value) = value else {
            return Ok(None);
        };
        value.check_depth()?;
        let payload = Payload::decreed(value);
        let limit = compose::value_bytes_max(key, &self.config.limits, self.policies());
        compose::check_size(&payload, limit)?;
        Ok(Some(payload))
    }

    fn check_expected(&self, now: Now, expect: &[Expectation]) -> Result<(), RequestError> {
        let mut current = Vec::new();
        let mut room = TOLD_BYTES_MAX;
        for expectation in expect {
            match expectation {
                Expectation::Claim { key, token } => self.check_token(now, key, *token)?,
                Expectation::Version { key, version, at } => {
                    if let Some(at) = at {
                        self.check_lineage(*at)?;
                    }
                    let is_met = self.version_of(key).unwrap_or_default() == *version;
                    if !is_met && !planted::is(Planted::ExpectationIgnored) {
                        current.push(self.current(key, *version, &mut room));
                    }
                }
            }
        }
        if current.is_empty() {
            return Ok(());
        }
        let current = List(current);
        Err(RequestError::Conflict { current })
    }

    /// A version that was read in a future that this hub has lost, or from another hub, says nothing.
    fn check_lineage(&self, at: Seen) -> Result<(), RequestError> {
        let valid = self.lineage.check_seen(at, self.revision);
        valid.map_err(|_| RequestError::EpochMismatch {
            epoch: self.epoch(),
        })
    }

    fn current(&self, key: &Key, expected: Version, room: &mut usize) -> Current {
        let state = self.space.get(key);
        let live = state.filter(|state| state.entry().is_live());
        let bytes = live.map_or(0, KeyState::weight);
        let fits = bytes <= *room;
        *room -= if fits { bytes } else { 0 };
        let shown = live.filter(|_| fits).map(|state| self.read(key, state));
        Current {
            key: key.clone(),
            expected,
            version: live.map(KeyState::version).unwrap_or_default(),
            revision: state.map(KeyState::revision).unwrap_or_default(),
            value: shown.and_then(|shown| shown.value),
            omitted_bytes: (!fits).then_some(bytes as u64),
        }
    }

    /// A key under another rule is written by replicas, which no decision here would stop. One whose
    /// plain values nothing but their writers made lww becomes the hub's with this.
    pub(super) fn check_rule(&self, key: &Key, doing: &str) -> Result<(), RequestError> {
        let refuse = |reason: String| Err(RequestError::Operation { reason });
        let policy = self.policies().of(key).and_then(|policy| policy.rule);
        if let Some(rule) = policy.filter(|rule| *rule != MergeRule::Authority) {
            return refuse(format!(
                "{doing} does not fit {key:?}, which its policy puts under the rule {rule}: use another key, or set the rule authority"
            ));
        }
        let Some(entry) = self.space.get(key).map(KeyState::entry) else {
            return Ok(());
        };
        let becomes = |kind: PayloadKind| {
            matches!(
                kind,
                PayloadKind::Put | PayloadKind::Absent | PayloadKind::Decreed | PayloadKind::Claim
            )
        };
        if entry.kinds().all(becomes) {
            return Ok(());
        }
        let rule = self.resolvers.of_entry(key, entry, |_| true);
        let rule = rule.map_or(MergeRule::Lww, sync_core::Resolver::rule);
        refuse(format!(
            "{doing} does not fit {key:?}, which is under the rule {rule}: use another key, or delete this one first"
        ))
    }
}
