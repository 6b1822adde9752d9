//! Claims: a key that one holder has for itself until its lease ends.
//!
//! The claim is the key's value, so that everybody sees it and nothing can be lost of it alone. When it
//! ends is not stored: after a start every lease begins anew, so that none ends before its time, whatever
//! happened to the clocks. A hub that lost the newest of its disk does not know whom it has granted what;
//! `pause.rs` has how long it grants nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::{
    AgentId, AttemptId, AuthorityAnswer, Claim, Key, Lease, Now, Payload, PayloadKind,
    RequestError, RowOp, Token, WriteId,
    planted::{self, Planted},
};

use super::super::chores::KEYS_PER_CHORE;
use super::super::commit::Commit;
use super::pause::Pause;
use super::{Asked, Hub};
use crate::keyspace::KeyState;
use crate::millis::millis;

/// A claim that has not ended.
#[derive(Debug, Clone)]
struct Held {
    write: WriteId,
    claim: Claim,
    /// In the time of [`Now::mono`].
    end: Duration,
}

/// Which keys are claimed, and until when.
#[derive(Debug, Default)]
pub(in crate::hub) struct Claims {
    by_key: BTreeMap<Key, Held>,
    order: BTreeSet<(Duration, Key)>,
    /// Set while keys that were claimed before this run are still to be looked for.
    unbegun: bool,
    pub(super) pause: Pause,
}

impl Claims {
    /// Takes back what was stored.
    pub(in crate::hub) fn restore(&mut self, longest_ms: u64) {
        self.pause.restore(longest_ms);
    }

    /// A run begins on a disk that knows earlier ones.
    pub(in crate::hub) fn open(&mut self) {
        self.unbegun = true;
    }

    /// When something is due, in the time of [`Now::mono`].
    pub(in crate::hub) fn wake(&self) -> Option<Duration> {
        if self.unbegun {
            return Some(Duration::ZERO);
        }
        let first = self.order.first().map(|(end, _)| *end);
        [first, self.pause.wake()].into_iter().flatten().min()
    }

    fn set(&mut self, key: &Key, held: Option<Held>) {
        let end = held.as_ref().map(|held| held.end);
        let before = match held {
            Some(held) => self.by_key.insert(key.clone(), held),
            None => self.by_key.remove(key),
        };
        if let Some(before) = before {
            self.order.remove(&(before.end, key.clone()));
        }
        if let Some(end) = end {
            self.order.insert((end, key.clone()));
        }
    }

    fn due(&self, now: Now) -> Vec<Key> {
        let due = self.order.iter().take_while(|(end, _)| *end <= now.mono);
        due.take(KEYS_PER_CHORE)
            .map(|(_, key)| key.clone())
            .collect()
    }
}

impl Hub {
    /// The first time that this run knows: every claim that is there begins its lease anew.
    pub(in crate::hub) fn begin_claims(&mut self, now: Now) {
        self.claims.pause.begin(now);
        if !std::mem::take(&mut self.claims.unbegun) {
            return;
        }
        let has_claim = |state: &KeyState| {
            let mut writes = state.entry().writes();
            writes.any(|(_, write)| write.payload.kind() == PayloadKind::Claim)
        };
        let keys = self.space.iter_after(None).filter(|(_, s)| has_claim(s));
        let mut rows = Vec::new();
        for key in keys.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            rows.extend(self.note_claim(now, &key));
        }
        // One that was renewed for less since may be longer than what was remembered.
        let held = self.claims.by_key.values();
        let longest = held.map(|held| held.claim.lease_ms).max();
        rows.extend(self.wait_for_lost(now, longest.unwrap_or(0)));
        if !rows.is_empty() {
            self.persist(rows);
        }
    }

    /// Takes note of what a commit has made of a key: a claim is what its value says. O(1) but for
    /// claims. The row that changes with it.
    pub(in crate::hub) fn note_claim(&mut self, now: Now, key: &Key) -> Option<RowOp> {
        let shown = self.shown_claim(key);
        let known = self.claims.by_key.get(key);
        match (&shown, known) {
            (None, None) => return None,
            (Some((write, _)), Some(held)) if *write == held.write => return None,
            _ => {}
        }
        let part = if planted::is(Planted::ClaimEndsEarly) {
            2
        } else {
            1
        };
        let held = shown.map(|(write, claim)| Held {
            end: now.mono + Duration::from_millis(claim.lease_ms / part),
            write,
            claim,
        });
        let lease_ms = held.as_ref().map(|held| held.claim.lease_ms);
        self.claims.set(key, held);
        self.note_lease(now, lease_ms?)
    }

    fn shown_claim(&self, key: &Key) -> Option<(WriteId, Claim)> {
        let entry = self.space.get(key).map(KeyState::entry)?;
        if !entry.kinds().any(|kind| kind == PayloadKind::Claim) {
            return None;
        }
        let shown = self
            .resolvers
            .of_entry(key, entry, |_| true)?
            .shown(entry)?;
        let claim = entry.write(&shown)?.payload.as_claim()?;
        Some((shown, claim))
    }

    /// Ends what is due, one commit of it, and the pause.
    pub(in crate::hub) fn expire_claims(&mut self, now: Now) -> bool {
        self.begin_claims(now);
        self.end_pause(now);
        let due = self.claims.due(now);
        if due.is_empty() {
            return false;
        }
        let mut commit = Commit::own();
        for key in &due {
            self.cover_all(&mut commit, key);
            commit.expire(key);
        }
        self.finish(commit, now);
        true
    }

    pub(super) fn grant(
        &mut self,
        commit: &mut Commit,
        now: Now,
        asked: &Asked,
        key: Key,
        lease_ms: u64,
    ) -> Result<AuthorityAnswer, RequestError> {
        self.check_lease(lease_ms)?;
        self.check_rule(&key, "a claim")?;
        self.check_unclaimed(now, &key)?;
        let again = planted::is(Planted::ClaimGrantedTwice);
        if let Some(version) = self.version_of(&key).filter(|_| !again) {
            let reason = format!(
                "{key:?} holds a value, {version}, which is no claim: claim another key, or delete this one first"
            );
            return Err(RequestError::Operation { reason });
        }
        if let Some(remaining) = self.claims.pause.remaining(now) {
            let remaining_ms = millis(remaining);
            return Err(RequestError::ClaimsPaused { remaining_ms });
        }
        self.check_space()?;
        let lease = Lease {
            key,
            token: Token::new(self.epoch(), self.next_revision()),
            lease_ms,
        };
        let payload = claim_payload(asked, &lease);
        self.check_quota(std::iter::once((&lease.key, Some(&payload))))?;
        Ok(self.lease(commit, now, asked, lease))
    }

    /// A lease that is no longer than the one granted begins anew without a commit: only a start of the
    /// hub forgets when it began, and begins it anew itself.
    pub(super) fn renew(
        &mut self,
        commit: &mut Commit,
        now: Now,
        asked: &Asked,
        lease: Lease,
    ) -> Result<AuthorityAnswer, RequestError> {
        self.check_lease(lease.lease_ms)?;
        self.check_holder(now, asked, &lease.key, lease.token)?;
        let held = self.claims.by_key.get(&lease.key).cloned();
        let Some(mut held) = held.filter(|held| lease.lease_ms <= held.claim.lease_ms) else {
            return Ok(self.lease(commit, now, asked, lease));
        };
        held.end = now.mono + Duration::from_millis(lease.lease_ms);
        self.claims.set(&lease.key, Some(held));
        commit.with_rows(self.note_lease(now, lease.lease_ms));
        Ok(AuthorityAnswer::Claimed(lease))
    }

    fn lease(
        &mut self,
        commit: &mut Commit,
        now: Now,
        asked: &Asked,
        lease: Lease,
    ) -> AuthorityAnswer {
        let payload = claim_payload(asked, &lease);
        self.decree(commit, now, asked, &lease.key, payload, None);
        AuthorityAnswer::Claimed(lease)
    }

    fn check_lease(&self, lease_ms: u64) -> Result<(), RequestError> {
        let limit = millis(self.config.limits.lease_max);
        if (1..=limit).contains(&lease_ms) {
            return Ok(());
        }
        let remedy = if lease_ms == 0 {
            "it would end before it began"
        } else {
            "ask for a shorter one and renew it"
        };
        let reason = format!(
            "a lease of {lease_ms} ms is not between 1 ms and {limit} ms, the longest that this hub grants: {remedy}"
        );
        Err(RequestError::Invalid { reason })
    }

    /// The claim of a key that was granted to somebody for that request, if it has not ended.
    pub(super) fn granted(&self, asker: &AgentId, attempt: AttemptId, key: &Key) -> Option<Lease> {
        let held = self.claims.by_key.get(key)?;
        let write = self.space.get(key)?.entry().write(&held.write)?;
        let is_it = write.attempt() == Some(attempt) && held.write.writer.agent() == asker;
        is_it.then(|| Lease {
            key: key.clone(),
            token: held.claim.token,
            lease_ms: held.claim.lease_ms,
        })
    }

    pub(super) fn check_unclaimed(&self, now: Now, key: &Key) -> Result<(), RequestError> {
        match self.claims.by_key.get(key) {
            None => Ok(()),
            Some(_) if planted::is(Planted::ClaimGrantedTwice) => Ok(()),
            Some(held) => Err(RequestError::Claimed {
                key: key.clone(),
                holder: held.claim.holder.clone(),
                remaining_ms: millis(held.end.saturating_sub(now.mono)),
            }),
        }
    }

    /// A token is in the value of its key, and who reads it is not its holder.
    pub(super) fn check_holder(
        &self,
        now: Now,
        asked: &Asked,
        key: &Key,
        token: Token,
    ) -> Result<(), RequestError> {
        self.check_token(now, key, token)?;
        let name = asked.writer.agent();
        let holder = self.claims.by_key.get(key).map(|held| &held.claim.holder);
        match holder.filter(|holder| *holder != name) {
            None => Ok(()),
            Some(holder) => {
                let reason = format!(
                    "{key:?} is claimed by {holder}, and {name} asks: a claim is renewed and given back in the name that has it"
                );
                Err(RequestError::Operation { reason })
            }
        }
    }

    /// A claim whose time is over has ended, also before the commit that says so.
    pub(super) fn check_token(
        &self,
        now: Now,
        key: &Key,
        token: Token,
    ) -> Result<(), RequestError> {
        let held = self.claims.by_key.get(key);
        let held = held.filter(|held| held.end > now.mono);
        match held {
            Some(held) if held.claim.token == token => Ok(()),
            Some(_) if planted::is(Planted::TokenNotChecked) => Ok(()),
            _ if !self.lineage.has_run(token.granted().epoch) => {
                let key = key.clone();
                Err(RequestError::ForeignToken { key, token })
            }
            held => Err(RequestError::StaleToken {
                key: key.clone(),
                token,
                holder: held.map(|held| held.claim.holder.clone()),
            }),
        }
    }
}

fn claim_payload(asked: &Asked, lease: &Lease) -> Payload {
    Payload::claim(&Claim {
        holder: asked.writer.agent().clone(),
        token: lease.token,
        lease_ms: lease.lease_ms,
    })
}
