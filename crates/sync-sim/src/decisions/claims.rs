//! Claims by the hub's clock: who has a key, until when, and who must not have it.

use std::collections::BTreeSet;

use sync_core::{AgentId, AuthorityAsk, Claim, Expectation, Key, Payload, Token, Value, WriteId};

use super::{LEASE_MS_MAX, Made};
use crate::tables::is_claimed;
use crate::world::World;

/// A claim.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    token: Token,
    write: WriteId,
    since_us: u64,
    /// Not before, and not after.
    end_us: u64,
    late_us: u64,
    /// Whether the decision that is being noted may have ended it.
    given_back: bool,
}

impl World {
    /// The claim that a key of the hub holds.
    fn claim_at_hub(&self, key: &Key) -> Option<(WriteId, Claim)> {
        let entry = self.at_hub(key);
        let claims = entry.writes().filter_map(|(id, write)| {
            let claim = write.payload.as_claim()?;
            Some((write.stamp, id.clone(), claim))
        });
        // After a rollback there may be two; then the newest shows.
        let shown = claims.max_by_key(|(stamp, id, _)| (*stamp, id.clone()));
        shown.map(|(_, id, claim)| (id, claim))
    }

    /// The token under which a key is held, as far as anybody outside can know.
    pub(super) fn held_before(&self, key: &Key) -> Option<Token> {
        let held = self.decisions.held.get(key);
        held.filter(|held| held.late_us > self.now_us)
            .map(|held| held.token)
    }

    fn claim_keys(&self) -> Vec<Key> {
        let keys = self.plan.keys.iter().filter(|key| is_claimed(key));
        keys.cloned().collect()
    }

    /// A lease begins anew with its renewal, which need not be a commit. Its holder alone can have it renewed.
    pub(super) fn note_renewed(&mut self, ask: &AuthorityAsk, asker: &AgentId) {
        let AuthorityAsk::Renew {
            key,
            token,
            lease_ms,
        } = ask
        else {
            return;
        };
        let claim = self.claim_at_hub(key).map(|(_, claim)| claim);
        if claim.is_some_and(|claim| claim.holder != *asker) {
            return self.stats.hit("another's claim is not renewed");
        }
        if self.held_before(key) == Some(*token)
            && let Some(held) = self.decisions.held.get_mut(key)
        {
            let end_us = self.now_us + lease_ms * 1_000;
            if held.end_us > self.now_us {
                (held.end_us, held.late_us) = (end_us, end_us);
            } else {
                // It is over already, or is renewed.
                held.late_us = held.late_us.max(end_us);
            }
        }
    }

    /// What a decision has made of claims.
    pub(super) fn note_claims(&mut self, ask: &AuthorityAsk, made: &mut Made) {
        match ask {
            AuthorityAsk::Claim { key, lease_ms } => self.note_granted(key, *lease_ms, made),
            AuthorityAsk::Renew { key, token, .. } => {
                if let Some((write, claim)) = self.claim_at_hub(key)
                    && let Some(held) = self.decisions.held.get_mut(key)
                {
                    held.write = write;
                    self.require(claim.token == *token, || {
                        format!("renewed {token} as {claim:?}")
                    });
                }
            }
            AuthorityAsk::Release { key, token } => self.may_end(key, *token),
            AuthorityAsk::Commit { expect, .. } => {
                for expectation in expect.iter() {
                    if let Expectation::Claim { key, token } = expectation {
                        self.may_end(key, *token);
                    }
                }
            }
        }
    }

    fn note_granted(&mut self, key: &Key, lease_ms: u64, made: &mut Made) {
        let Some((write, claim)) = self.claim_at_hub(key) else {
            return self.require(false, || format!("{key} was claimed, and is not"));
        };
        let token = claim.token;
        let granted = token.granted();
        let named = (granted.epoch, granted.revision) == (made.epoch, made.revision);
        let mine = claim.holder == made.name.0 && claim.lease_ms == lease_ms;
        let before = self.decisions.held.get(key).cloned();
        self.require(named && mine && before.is_none(), || {
            format!("{key} was {before:?}, is {claim:?} of {made:?}")
        });
        let (now_us, paused_us) = (self.now_us, self.decisions.paused_until_us);
        self.require(paused_us <= now_us, || {
            format!("{claim:?} was granted before {paused_us}")
        });
        let held = Held {
            token,
            write,
            since_us: now_us,
            end_us: now_us + lease_ms * 1_000,
            late_us: now_us + lease_ms * 1_000,
            given_back: false,
        };
        self.decisions.held.insert(key.clone(), held);
        self.decisions.tokens.push((key.clone(), token));
        made.granted = Some((key.clone(), token));
    }

    fn may_end(&mut self, key: &Key, token: Token) {
        let held = self.decisions.held.get_mut(key);
        if let Some(held) = held.filter(|held| held.token == token) {
            held.given_back = true;
        }
    }

    /// After anything at the hub: a claim ends with its time, by its holder, or cleared by somebody.
    /// Returns whether time has ended some.
    pub(crate) fn check_claims(&mut self, is_timer: bool) -> bool {
        let mut ended = false;
        if self.hub.machine.is_none() {
            return ended;
        }
        for key in self.claim_keys() {
            let held = self.decisions.held.get(&key).cloned();
            let found = self.claim_at_hub(&key);
            let (Some(held), same) = (&held, found.as_ref().map(|(_, claim)| claim.token)) else {
                if let Some((write, claim)) = found {
                    self.take_back(&key, write, &claim);
                }
                continue;
            };
            if same == Some(held.token) {
                self.go_on_holding(&key, found);
                continue;
            }
            ended |= is_timer;
            self.note_ended(&key, held, is_timer);
            self.decisions.held.remove(&key);
            if let Some((write, claim)) = found {
                self.take_back(&key, write, &claim);
            }
        }
        ended
    }

    /// The claim is still there. One who holds what a hub has lost may have brought its renewal: that one's
    /// lease begins where it comes.
    fn go_on_holding(&mut self, key: &Key, found: Option<(WriteId, Claim)>) {
        let (now_us, is_lost) = (self.now_us, self.rollbacks > 0);
        let (Some(held), Some((write, claim))) = (self.decisions.held.get_mut(key), found) else {
            return;
        };
        held.given_back = false;
        if is_lost && held.write != write {
            held.write = write;
            held.late_us = held.late_us.max(now_us + claim.lease_ms * 1_000);
        }
    }

    fn note_ended(&mut self, key: &Key, held: &Held, is_timer: bool) {
        let over = is_timer && held.end_us <= self.now_us;
        let cleared = self.ghost.cleared.contains_key(&held.write);
        let due = over || held.given_back || cleared || self.rollbacks > 0;
        let now_us = self.now_us;
        self.require(due, || format!("{key} ended at {now_us}: {held:?}"));
        if is_timer {
            self.stats.hit("lease ended");
            self.hub.expired.insert(key.clone(), !cleared);
        }
        self.note_deleted(&BTreeSet::from([held.write.clone()]));
    }

    /// A claim that nobody was granted just now: a hub that has lost it hears of it.
    fn take_back(&mut self, key: &Key, write: WriteId, claim: &Claim) {
        let known = self.ghost.ops.contains_key(&write) && self.rollbacks > 0;
        self.require(known, || format!("nobody has claimed {key}: {claim:?}"));
        self.stats.hit("claim comes back");
        self.begin_lease(key, write, claim);
    }

    fn begin_lease(&mut self, key: &Key, write: WriteId, claim: &Claim) {
        let held = Held {
            token: claim.token,
            write,
            since_us: self.now_us,
            end_us: self.now_us + claim.lease_ms * 1_000,
            late_us: self.now_us + claim.lease_ms * 1_000,
            given_back: false,
        };
        self.decisions.held.insert(key.clone(), held);
    }

    /// A hub starts: every lease that it knows of begins anew, and it grants nothing until they are over.
    pub(crate) fn recover_claims(&mut self) {
        self.decisions.held.clear();
        self.decisions.paused_until_us = 0;
        if std::mem::take(&mut self.hub.is_recovered) {
            // Any claim may have been granted and lost.
            self.decisions.paused_until_us = self.now_us + LEASE_MS_MAX * 1_000;
        }
        for key in self.claim_keys() {
            if let Some((write, claim)) = self.claim_at_hub(&key) {
                self.begin_lease(&key, write, &claim);
                let until = self.now_us + claim.lease_ms * 1_000;
                let paused = self.decisions.paused_until_us.max(until);
                self.decisions.paused_until_us = paused;
                self.stats.hit("claim outlives its hub");
            }
        }
    }

    /// A hub that has started looks at its clock for the first time, which a pause may have put off. It
    /// counts the leases that it has found from here, unless a decision made it look before.
    pub(crate) fn begin_leases(&mut self) {
        let (started_us, now_us) = (self.hub.started_us, self.now_us);
        let found = self.decisions.held.values_mut();
        for held in found.filter(|held| held.since_us == started_us) {
            let end_us = now_us + (held.end_us - held.since_us);
            held.late_us = held.late_us.max(end_us);
        }
    }

    /// A token is said to be stale that was good from question to answer.
    pub(super) fn check_stale(&mut self, index: usize) {
        let call = &self.decisions.calls[index];
        let tokens = match &call.ask {
            AuthorityAsk::Renew { key, token, .. } | AuthorityAsk::Release { key, token } => {
                vec![(key.clone(), *token)]
            }
            AuthorityAsk::Commit { expect, .. } => {
                let named = expect.iter().filter_map(|expectation| match expectation {
                    Expectation::Claim { key, token } => Some((key.clone(), *token)),
                    Expectation::Version { .. } => None,
                });
                named.collect()
            }
            AuthorityAsk::Claim { .. } => Vec::new(),
        };
        let good = |(key, token): &(Key, Token)| {
            let held = self.decisions.held.get(key).filter(|h| h.token == *token);
            held.is_some_and(|h| h.since_us <= call.asked_us && h.end_us > self.now_us)
        };
        let good = !tokens.is_empty() && tokens.iter().all(good);
        self.require(!good, || format!("{tokens:?} are good, and were refused"));
    }

    /// Whether a value is a claim that a key was granted.
    pub(crate) fn is_claim(&self, key: &Key, value: &Value) -> bool {
        let claim = Claim::from_value(value);
        let payload = claim.map(|claim| Payload::claim(&claim));
        payload.is_some_and(|payload| self.ghost.written.contains(&(key.clone(), payload)))
    }

    /// Whether keys are claimed.
    pub(crate) fn has_claims(&self) -> bool {
        self.claim_keys()
            .iter()
            .any(|key| self.claim_at_hub(key).is_some())
    }
}
