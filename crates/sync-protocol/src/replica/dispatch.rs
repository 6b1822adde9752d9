//! The one place where messages from the hub are told apart.

use std::sync::Arc;

use bytes::Bytes;
use sync_core::codec::List;
use sync_core::{Body, Message, Now, Piece};

use super::Replica;
use super::apply::UpdateFrame;
use super::repair::RepairFrame;

impl Replica {
    /// A message arrived. One that breaks the protocol closes the connection and changes nothing.
    pub fn handle_message(&mut self, now: Now, message: Message) {
        if !self.link.is_up() || self.failed.is_some() {
            return;
        }
        let Message { body, segments, .. } = message;
        if let Err(reason) = self.handle_body(now, body, &segments) {
            self.protocol_error(&reason);
        }
    }

    /// What carries state; the rest is told apart below.
    fn handle_body(&mut self, now: Now, body: Body, segments: &[Bytes]) -> Result<(), String> {
        match body {
            Body::DeltaReply { request, outcome } => {
                self.handle_delta_reply(now, request, outcome, segments)
            }
            Body::StateUpdate {
                epoch,
                from,
                to,
                index,
                frames,
            } => {
                let frame = UpdateFrame {
                    epoch,
                    from,
                    to,
                    index,
                    frames,
                };
                self.handle_update(now, frame, segments)
            }
            Body::RepairReply {
                key,
                revision,
                index,
                frames,
            } => {
                let frame = RepairFrame {
                    key,
                    revision,
                    index,
                    frames,
                };
                self.handle_repair_reply(now, frame, segments)
            }
            Body::Ahead { epoch, revision } => self.handle_ahead(now, epoch, revision, segments),
            other => self.handle_pieces(now, other, segments),
        }
    }

    /// What comes in pieces counts once the last one is here.
    fn handle_pieces(&mut self, now: Now, body: Body, segments: &[Bytes]) -> Result<(), String> {
        match body {
            Body::Receipts {
                delivery,
                index,
                frames,
                standing,
            } => {
                let piece = Piece {
                    of: delivery,
                    index,
                    count: frames,
                };
                let receipts = self
                    .link
                    .receipts
                    .take("a list of receipts", piece, segments);
                if let Some(List(receipts)) = receipts.map_err(|e| e.to_string())? {
                    self.handle_receipts(now, receipts, &standing);
                }
                Ok(())
            }
            Body::Reply {
                request,
                delivery,
                index,
                frames,
            } => {
                let piece = Piece {
                    of: delivery,
                    index,
                    count: frames,
                };
                let reply = self.link.reply.take("an answer", piece, segments);
                if let Some(reply) = reply.map_err(|e| e.to_string())? {
                    self.handle_reply(now, request, reply);
                }
                Ok(())
            }
            other => self.handle_note(now, other),
        }
    }

    fn handle_note(&mut self, now: Now, body: Body) -> Result<(), String> {
        match body {
            Body::Committed {
                incarnation,
                upto,
                refused,
                standing,
            } => {
                self.rely_on(&standing);
                self.note_landed(incarnation, upto, &standing);
                self.handle_committed(now, incarnation, upto, &refused, &standing);
            }
            Body::Gap { incarnation, known } => self.handle_gap(now, incarnation, known),
            Body::StateRequest { round, part, keys } => {
                self.handle_state_request(round, part, &keys);
            }
            Body::Sweep {
                round,
                part,
                digest,
                scope,
                after,
            } => self.handle_sweep((round, part), digest, &scope, after.as_ref()),
            Body::OfferAck { offer, index } => self.handle_offer_ack(now, offer, index),
            Body::Pong { nonce, standing } => self.handle_pong(now, nonce, &standing),
            Body::Proposal { poll } => self.handle_proposal(now, Arc::unwrap_or_clone(poll)),
            Body::VoteReply {
                proposal,
                about,
                outcome,
            } => self.handle_vote_reply((proposal, about), outcome),
            Body::Decided { proposal, verdict } => self.handle_decided(now, proposal, verdict),
            Body::Ended { proposals } => self.handle_ended(now, &proposals),
            Body::Policies { policies } => return self.handle_policies(policies.0),
            other => return Err(format!("the hub sent what only agents send: {other:?}")),
        }
        Ok(())
    }
}
