//! Connections: who is there, and the one place where messages are told apart.

use sync_core::{
    AgentId, Allowed, Body, Hello, Incarnation, Message, Now, Revision, Role, SessionId, Standing,
    Writer,
};

use super::asker::STORE_FAILED;
use super::listing::Hidden;
use super::rights::NO_REPLICA;
use super::round::Owes;
use super::{Hub, Member, ReplyTo};

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) agent: AgentId,
    pub(super) role: Role,
    /// Its cursor was found valid, or it has sent all it holds. Nothing is pushed before.
    pub(super) settled: bool,
    /// The revision that this peer will have once it has read all it was sent; none while it pages.
    pub(super) sent: Option<Revision>,
    /// What is urgent was sent ahead of the pages that this peer catches up by.
    pub(super) was_ahead: bool,
    /// About how many bytes of writes the pages have brought by which it catches up from a position.
    pub(super) caught_up: Option<u64>,
    /// The last delta request that was answered. One that comes late must not unsettle what a later
    /// one has settled.
    pub(super) last_request: u64,
    /// The offer under way and its next frame.
    pub(super) offer: (u64, u32),
    /// Counts what was sent in pieces.
    pub(super) deliveries: u64,
    /// Questions of sweeps that it has not answered.
    pub(super) owes: Owes,
    /// What it may do; none if everything.
    pub(super) allowed: Option<Allowed>,
    /// Where its last listing goes on, if it may not know that.
    pub(super) listed: Option<Hidden>,
}

impl Hub {
    /// A peer was admitted by the transport.
    pub fn handle_connected(&mut self, now: Now, session: SessionId, hello: &Hello) {
        if self.failed.is_some() {
            return self.disconnect(session, STORE_FAILED);
        }
        // A coordinator refuses it; what came of one that does not would be taken for the hub's own.
        if let Err(error) = AgentId::of_peer(hello.agent.as_str()) {
            return self.disconnect(session, &error.to_string());
        }
        let peer = Session {
            agent: hello.agent.clone(),
            role: hello.role,
            settled: false,
            sent: None,
            was_ahead: false,
            caught_up: None,
            last_request: 0,
            offer: (0, 0),
            deliveries: 0,
            owes: Owes::default(),
            allowed: self.allowed(&hello.agent),
            listed: None,
        };
        if hello.role == Role::Member && !peer.may_hold_a_replica() {
            return self.send_away(session, NO_REPLICA);
        }
        self.sessions.insert(session, peer);
        if hello.role == Role::Member {
            self.register(&hello.agent);
            let member = self.roster.entry(hello.agent.clone()).or_default();
            let before = member.acked;
            *member = Member {
                session: Some(session),
                acked: None,
            };
            self.note_not_held(&hello.agent, before);
            // What was asked through an earlier connection will not be answered through this one.
            self.rounds_lost_session(now);
            self.tend_votes(now);
            self.send_polls(now, session);
        }
    }

    /// A connection is gone.
    pub fn handle_disconnected(&mut self, now: Now, session: SessionId) {
        self.forget_session(session);
        self.rounds_lost_session(now);
    }

    /// A message arrived. One that breaks the protocol closes its connection and changes nothing.
    pub fn handle_message(&mut self, now: Now, session: SessionId, message: Message) {
        let Some(role) = self.sessions.get(&session).map(|s| s.role) else {
            return;
        };
        let Message { body, segments, .. } = message;
        if let Body::Request { request, ask } = body {
            return self.ask(now, ReplyTo::Remote(session, request), ask);
        }
        if role != Role::Member {
            return self.disconnect(session, "a client may only ask");
        }
        let result = self.handle_member_message(now, session, body, segments);
        if let Err(reason) = result {
            self.disconnect(session, &reason);
        }
    }

    fn handle_member_message(
        &mut self,
        now: Now,
        session: SessionId,
        body: Body,
        segments: Vec<bytes::Bytes>,
    ) -> Result<(), String> {
        match body {
            Body::DeltaRequest {
                request,
                cursor,
                resume,
                policies,
            } => {
                self.tell_policies(session, policies);
                self.handle_delta_request(session, request, cursor, resume);
                Ok(())
            }
            Body::Push {
                incarnation,
                after,
                upto,
                seqs,
            } => {
                let push = super::push::Push {
                    incarnation,
                    after,
                    upto,
                    seqs: seqs.0,
                    segments,
                };
                self.handle_push(now, session, &push)
            }
            Body::StateResponse {
                round,
                part,
                index,
                frames,
            } => {
                let frame = super::round::ResponseFrame {
                    round,
                    part,
                    index,
                    frames,
                };
                self.handle_state_response(now, session, frame, &segments)
            }
            Body::Swept { round, part, next } => {
                let page = super::round::SweptPage { round, part, next };
                self.handle_swept(now, session, page, &segments)
            }
            Body::Ack { epoch, revision } => {
                if epoch == self.epoch() {
                    self.handle_ack(now, session, revision);
                }
                Ok(())
            }
            Body::Offer { offer, index, last } => {
                let frame = super::reentry::OfferFrame { offer, index, last };
                self.handle_offer(now, session, frame, &segments)
            }
            Body::Ahead { epoch, .. } => self.handle_ahead(now, session, epoch, &segments),
            Body::Vote {
                proposal,
                about,
                ballot,
            } => self.handle_vote(now, session, (proposal, about), ballot),
            other => self.handle_member_note(now, session, other),
        }
    }

    /// What a member asks about or confirms.
    fn handle_member_note(
        &mut self,
        now: Now,
        session: SessionId,
        body: Body,
    ) -> Result<(), String> {
        match body {
            Body::RepairRequest { key } => self.handle_repair_request(session, &key),
            Body::ReceiptsTaken { writes } => self.handle_receipts_taken(session, &writes),
            Body::Ping { nonce } => self.handle_ping(now, session, nonce),
            Body::PolicyRequest => self.send_policies(session),
            Body::Undecided { proposals } => {
                return self.handle_undecided(now, session, &proposals);
            }
            other => return Err(format!("a member may not send {other:?}")),
        }
        Ok(())
    }

    pub(super) fn forget_session(&mut self, session: SessionId) {
        self.watches.forget_session(session);
        self.votes.forget_session(session);
        self.past.line.forget_session(session);
        self.holds.forget_session(session);
        self.chores.clearings.forget_session(session);
        if let Some(gone) = self.sessions.remove(&session)
            && let Some(member) = self.roster.get_mut(&gone.agent)
            && member.session == Some(session)
        {
            member.session = None;
        }
    }

    /// Whether what a connection brings may be taken for what it is: it holds nothing that this hub
    /// should know and does not.
    pub(super) fn has_settled(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|s| s.settled)
    }

    /// The writer that a session's own pushes of `incarnation` come from.
    pub(super) fn session_writer(
        &mut self,
        session: SessionId,
        incarnation: Incarnation,
    ) -> Option<Writer> {
        let agent = self.sessions.get(&session)?.agent.clone();
        Some(self.space.intern(&Writer::new(agent, incarnation)))
    }

    fn handle_ack(&mut self, now: Now, session: SessionId, revision: Revision) {
        let Some(agent) = self.sessions.get(&session).map(|s| s.agent.clone()) else {
            return;
        };
        if let Some(member) = self.roster.get_mut(&agent) {
            let before = member.acked;
            member.acked = before.max(Some(revision));
            self.note_held(&agent, before, revision);
        }
        self.rounds_confirmed(now, &agent, revision);
    }

    fn handle_ping(&mut self, now: Now, session: SessionId, nonce: u64) {
        let standing = self.standing(session);
        self.send(session, Body::Pong { nonce, standing });
        // A receipt that was lost on the way is due again.
        self.send_receipts(session);
        self.send_polls(now, session);
    }

    /// Where the hub is, for one peer.
    pub(super) fn standing(&self, session: SessionId) -> Standing {
        let agent = self.sessions.get(&session).map(|peer| &peer.agent);
        Standing {
            epoch: self.epoch(),
            revision: self.revision,
            digest: self.digest(),
            policies: self.resolvers.policies().fingerprint(),
            receipts: agent.map_or(0, |agent| self.receipts_of(agent)),
        }
    }
}
