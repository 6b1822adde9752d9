//! Requests that the hub answers: reads, writes for peers without a replica, clear, rounds, status.

use std::time::Duration;

use sync_core::transport::{PROTOCOL_MAX, PROTOCOL_MIN};
use sync_core::{
    About, Ack, Answer, Ask, Durability, Entry, HubStatus, Key, MemberStatus, Now, Operation,
    RequestError, StateVersion, Value, Version, WriteId, Writer,
};

use super::commit::Commit;
use super::held::Held;
use super::search::check_pattern;
use super::{Hub, ReplyTo};
use crate::compose::{self, Author};
use crate::free::takes_away;
use crate::keyspace::KeyState;
use crate::millis::millis;
use crate::receipts::Receipts;
use crate::view::{self, Freshness};

impl Hub {
    pub(super) fn ask(&mut self, now: Now, to: ReplyTo, ask: Ask) {
        if let Some(reason) = &self.failed {
            let stopped = to.stopped(reason);
            return self.reply(to, Err(stopped));
        }
        if let Some(refused) = self.forbidden(to, &ask) {
            return self.reply(to, refused);
        }
        let answer = match ask {
            Ask::Sync { keys, timeout_ms } => {
                let timeout = timeout_ms.map(Duration::from_millis);
                return self.start_batch(now, to, keys.0, timeout);
            }
            Ask::Version(key) => Ok(Answer::Version(self.version_of(&key))),
            Ask::Get(key) => Ok(Answer::State(self.state_of(&key).map(Box::new))),
            Ask::Keys { pattern, after } => {
                check_pattern(&pattern).map(|()| self.list_keys(to, &pattern, after.as_ref()))
            }
            Ask::Delta(since) => self.delta_values(since).map(Answer::Delta),
            Ask::Write {
                key,
                operation,
                metadata,
            } => self
                .write_here(now, to, &key, &operation, metadata)
                .map(Answer::Written),
            Ask::Clear(Some(key)) => Ok(Answer::Cleared(self.clear(now, to, &key))),
            Ask::Clear(None) => return self.clear_all(now, to),
            Ask::Status => {
                let status = self.status_for(to, self.status(now));
                Ok(Answer::Status(Box::new(status)))
            }
            Ask::Policies => Ok(Answer::Policies(self.policies().to_list())),
            Ask::ReloadPolicies => return self.load_policies(to),
            Ask::Watch {
                pattern,
                from,
                wait_ms,
            } => return self.watch(now, to, pattern, from, Duration::from_millis(wait_ms)),
            Ask::Propose(proposal) => return self.propose(now, to, *proposal),
            Ask::Memory(ask) => return self.ask_memory(to, ask),
            Ask::Authority { attempt, ask } => return self.ask_authority(now, to, attempt, ask),
            Ask::Past(ask) => return self.ask_past(now, to, ask),
            Ask::Held {
                epoch,
                revision,
                replicas,
                wait_ms,
            } => {
                let wait = Duration::from_millis(wait_ms);
                let held = Held {
                    epoch,
                    revision,
                    replicas,
                    wait,
                };
                return self.ask_held(now, to, held);
            }
            Ask::Receipts { agent, after } => Ok(self.list_receipts(&agent, after.as_ref())),
            Ask::TakeReceipts(writes) => self.take_receipts(to, &writes).map(Answer::Taken),
            Ask::Unregister(agent) => return self.unregister(to, agent),
            Ask::About => Ok(Answer::About(self.about(now))),
        };
        self.reply(to, answer);
    }

    /// The version of a key that holds a value.
    pub(super) fn version_of(&self, key: &Key) -> Option<Version> {
        self.space
            .get(key)
            .filter(|s| s.entry().is_live())
            .map(KeyState::version)
    }

    fn state_of(&self, key: &Key) -> Option<StateVersion> {
        let state = self.space.get(key).filter(|s| s.entry().is_live())?;
        Some(self.read(key, state))
    }

    pub(super) fn read(&self, key: &Key, state: &KeyState) -> StateVersion {
        let rule = self.resolvers.of_entry(key, state.entry(), |_| true);
        let mut read = view::state_version(key, state, rule, false, Freshness::AT_HUB);
        read.metadata.expired = self.expiries.is_over(key);
        let several = !read.siblings.is_empty();
        let failure = self.merges.failure(key).filter(|_| several);
        read.metadata.unmerged = failure.map(str::to_owned);
        read
    }

    /// A write by the hub itself, for a peer without a replica. It has seen all there is, so it
    /// conflicts with nothing yet.
    fn write_here(
        &mut self,
        now: Now,
        to: ReplyTo,
        key: &Key,
        operation: &Operation,
        metadata: Option<Value>,
    ) -> Result<Ack, RequestError> {
        if !takes_away(operation) {
            self.check_space()?;
        }
        let writer = self.writer_for(to);
        let mut commit = Commit::asked_by(self.name_of(to));
        let write_id = self.admit_here(&mut commit, now, writer, key, operation, metadata)?;
        if write_id.is_some() {
            self.finish(commit, now);
        }
        Ok(Ack {
            write_id,
            durability: Durability::Hub,
            revision: Some(self.revision),
            epoch: Some(self.epoch()),
        })
    }

    /// Puts a write of `writer`, whose writes the hub numbers, into a commit; none if the operation has
    /// nothing to do. An error leaves everything as it was.
    pub(super) fn admit_here(
        &mut self,
        commit: &mut Commit,
        now: Now,
        writer: Writer,
        key: &Key,
        operation: &Operation,
        metadata: Option<Value>,
    ) -> Result<Option<WriteId>, RequestError> {
        let limit = compose::value_bytes_max(key, &self.config.limits, self.policies());
        compose::check_operation(operation, limit)?;
        let metadata = compose::metadata(metadata)?;
        let empty = Entry::new();
        let entry = self.space.get(key).map_or(&empty, |state| state.entry());
        let rule = self.resolvers.of_entry(key, entry, |_| true);
        let Some(rule) = rule.or_else(|| self.resolvers.of_operation(key, operation)) else {
            return Ok(None);
        };
        let author = Author {
            writer: &writer,
            seq: self.next_id(&writer).seq,
            seen: Some(self.here()),
            metadata,
        };
        let made = compose::compose(rule, operation, entry, author, &mut self.clock, now);
        let made = made.map_err(|error| self.resolvers.refusal(key, operation, error))?;
        let Some((id, delta)) = made else {
            return Ok(None);
        };
        self.check_quota_of(key, &delta)?;
        self.admit_own(commit, now, key, &id, delta);
        Ok(Some(id))
    }

    /// Covers one key; returns whether it held a value. Versions go on counting underneath, so a key that
    /// returns is newer than every reader remembers.
    fn clear(&mut self, now: Now, to: ReplyTo, key: &Key) -> u64 {
        let held = self.space.get(key).is_some_and(|s| s.entry().is_live());
        let mut commit = Commit::clearing(Some(self.name_of(to)));
        self.cover_all(&mut commit, key);
        self.finish(commit, now);
        u64::from(held)
    }

    /// Its own clock, not that of its stamps, which runs ahead with whoever is ahead.
    fn about(&self, now: Now) -> About {
        About {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL_MAX,
            wall_ms: now.wall_ms,
            drift_ms_max: millis(self.config.limits.drift_max),
        }
    }

    fn status(&self, now: Now) -> HubStatus {
        let members = self.roster.iter().map(|(agent, member)| MemberStatus {
            agent: agent.clone(),
            connected: member.session.is_some(),
            acked: member.acked,
            lag: self.lag_of(member),
            receipts: self.receipts_of(agent),
            receipts_dropped: self.receipts.get(agent).map_or(0, Receipts::dropped),
        });
        HubStatus {
            swarm: self.config.swarm.clone(),
            epoch: self.epoch(),
            revision: self.revision,
            digest: self.digest(),
            keys: self.space.live_keys(),
            members: members.collect(),
            id_alarms: self.id_alarms,
            periodic: self.periodic.status(now),
            consensus: self.vote_statistics(),
            traffic: self.traffic,
            activity: self.activity.clone(),
            store_bytes: self.store_bytes,
            state_bytes: self.space.weight(),
            free_bytes: self.free.bytes(),
            takes_writes: !self.free.is_short(),
        }
    }
}
