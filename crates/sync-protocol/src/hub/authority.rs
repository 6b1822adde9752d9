//! What this hub alone decides: commits with expectations, and claims. Asked again as the same attempt
//! it gives the same answer, which is durable with what it says.

mod attempts;
mod check;
mod claims;
mod pause;
mod standing;

use sync_core::{
    Answer, Assignment, Attempt, AttemptId, AuthorityAnswer, AuthorityAsk, CommitOutcome, Context,
    DigestKey, Entry, Expectation, Key, Lease, Metadata, Note, Now, Payload, RequestError, Role,
    Seen, SessionId, Value, Write, Writer, codec,
    planted::{self, Planted},
};

use super::commit::Commit;
use super::free::is_refused_for_now;
use super::{Hub, ReplyTo};
use crate::compose;
use crate::keyspace::KeyState;

pub(crate) use self::attempts::Answered;
pub(super) use self::attempts::Attempts;
pub(super) use self::claims::Claims;

/// In whose name something is decided, and for which of their requests.
#[derive(Debug)]
struct Asked {
    writer: Writer,
    attempt: AttemptId,
}

impl Hub {
    pub(super) fn ask_authority(
        &mut self,
        now: Now,
        to: ReplyTo,
        attempt: Attempt,
        ask: AuthorityAsk,
    ) {
        if let Some(session) = self.unsettled(to) {
            // What it has met of a lost future comes first, and with it how the keys really stand.
            return self.disconnect(
                session,
                "it asked for a decision before its cursor was settled",
            );
        }
        self.begin_claims(now);
        let asker = self.name_of(to);
        let about = DigestKey::of(&self.config.swarm).request(&codec::to_bytes(&ask));
        let known = self.attempts.find(&asker, attempt, about);
        if let Some(reply) = known.filter(|_| !planted::is(Planted::DecidedAgain)) {
            return self.reply(to, reply);
        }
        let mut commit = Commit::asked_by(asker.clone());
        // To begin a lease anew twice is to begin it once.
        let repeats = !matches!(ask, AuthorityAsk::Renew { .. });
        let reply = match self.stands(&asker, attempt.id(), &ask) {
            Some(reply) => reply,
            None => self
                .decide_ask(&mut commit, now, to, attempt.id(), ask)
                .map_err(|error| standing::in_doubt(attempt, error)),
        };
        let reply = reply.map(Answer::Authority);
        if repeats && !is_refused_for_now(&reply) {
            commit.with_rows(self.attempts.note(asker, attempt, about, &reply));
        }
        self.finish(commit, now);
        self.reply(to, reply);
    }

    /// An agent that has not said yet how far it is.
    fn unsettled(&self, to: ReplyTo) -> Option<SessionId> {
        let peer = self.peer(to)?;
        let is_unsettled = peer.role == Role::Member && !peer.settled;
        to.session().filter(|_| is_unsettled)
    }

    /// An error leaves everything as it was.
    fn decide_ask(
        &mut self,
        commit: &mut Commit,
        now: Now,
        to: ReplyTo,
        attempt: AttemptId,
        ask: AuthorityAsk,
    ) -> Result<AuthorityAnswer, RequestError> {
        let writer = self.authority_for(to);
        let asked = Asked { writer, attempt };
        match ask {
            AuthorityAsk::Commit {
                expect,
                assign,
                metadata,
            } => self.commit_if(commit, now, &asked, (&expect, &assign), metadata),
            AuthorityAsk::Claim { key, lease_ms } => self.grant(commit, now, &asked, key, lease_ms),
            AuthorityAsk::Renew {
                key,
                token,
                lease_ms,
            } => {
                let lease = Lease {
                    key,
                    token,
                    lease_ms,
                };
                self.renew(commit, now, &asked, lease)
            }
            AuthorityAsk::Release { key, token } => {
                self.check_holder(now, &asked, &key, token)?;
                self.cover_all(commit, &key);
                Ok(AuthorityAnswer::Released)
            }
        }
    }

    fn commit_if(
        &mut self,
        commit: &mut Commit,
        now: Now,
        asked: &Asked,
        (expect, assign): (&[Expectation], &[Assignment]),
        metadata: Option<Value>,
    ) -> Result<AuthorityAnswer, RequestError> {
        let metadata = compose::metadata(metadata)?;
        let payloads = self.check_commit(now, expect, assign)?;
        for (Assignment { key, .. }, payload) in assign.iter().zip(payloads) {
            let Some(payload) = payload.or_else(|| self.deletion(key)) else {
                self.cover_all(commit, key);
                continue;
            };
            let metadata = metadata.clone();
            self.decree(commit, now, asked, key, payload, metadata);
        }
        Ok(AuthorityAnswer::Committed(
            self.commit_outcome(commit, assign),
        ))
    }

    /// What deletes a key: a write, as any delete is under last writer wins, so that what is older and
    /// has not seen it loses against it. None where it can do without: nothing is there, or a policy
    /// lets no plain write in, which a grave would be kept for.
    fn deletion(&self, key: &Key) -> Option<Payload> {
        let policy = self.policies().of(key).and_then(|policy| policy.rule);
        (self.is_live(key) && policy.is_none()).then(Payload::absent)
    }

    /// What a commit that is complete but for its number will have come to.
    fn commit_outcome(&self, commit: &Commit, assign: &[Assignment]) -> CommitOutcome {
        let versions = assign.iter().map(|Assignment { key, value }| {
            let before = self.space.get(key).map(KeyState::version);
            let after = before.unwrap_or_default().next();
            (key.clone(), value.as_ref().map(|_| after))
        });
        let changes = assign.iter().any(|a| commit.grows(&a.key));
        CommitOutcome {
            epoch: self.epoch(),
            revision: if changes {
                self.next_revision()
            } else {
                self.revision
            },
            versions: versions.collect(),
        }
    }

    /// What the next commit builds on.
    pub(super) fn here(&self) -> Seen {
        Seen {
            epoch: self.epoch(),
            revision: self.revision,
        }
    }

    /// Puts a value in place of all that a key holds.
    fn decree(
        &mut self,
        commit: &mut Commit,
        now: Now,
        asked: &Asked,
        key: &Key,
        payload: Payload,
        metadata: Option<Metadata>,
    ) {
        let Asked { writer, attempt } = asked;
        let note = Note {
            metadata,
            seen: Some(self.here()),
            attempt: Some(*attempt),
        };
        let empty = Entry::new();
        let entry = self.space.get(key).map_or(&empty, |state| state.entry());
        let floor = entry.writes().map(|(_, write)| write.stamp).max();
        let id = self.next_id(writer);
        let write = Write {
            prev: entry.context().last_of(writer).unwrap_or_default(),
            over: self.decided_over(key, entry),
            stamp: self.clock.tick(now, floor),
            payload,
            note: Some(Box::new(note)),
        };
        let delta = Entry::of_write(id.clone(), write);
        self.admit_own(commit, now, key, &id, delta);
    }

    /// What whoever decides on a key knows of: what is there, what that took the place of, and the delete
    /// that was last. Not the rest of the context: what lost a conflict nobody has replaced, and its author,
    /// should the hub's disk be lost with the receipt, finds by this that it did.
    fn decided_over(&self, key: &Key, entry: &Entry) -> Context {
        let mut over = Context::new();
        for (id, write) in entry.writes() {
            over.union(&write.over);
            over.insert(write.span(id));
        }
        if let Some(delete) = self.graves.of_all(key) {
            over.insert_id(delete);
        }
        over
    }

    /// Its asker's name, in this run of the hub: should a hub's disk be lost with what it decided, what
    /// comes back of it is told to whoever asked for it.
    fn authority_for(&mut self, to: ReplyTo) -> Writer {
        self.writer_named(self.name_of(to))
    }
}
