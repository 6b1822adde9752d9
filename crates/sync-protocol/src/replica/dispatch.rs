//! The one place where messages from the hub are told apart.

use bytes::Bytes;
use sync_core::{Body, Cursor, Message, Now};

use super::Replica;
use super::apply::UpdateFrame;
use super::repair::RepairFrame;

impl Replica {
    /// A message arrived. One that breaks the protocol closes the connection and changes nothing.
    pub fn handle_message(&mut self, now: Now, message: Message) {
        if !self.link.is_up() || self.failed.is_some() {
            return;
        }
        let Message { body, segments } = message;
        if let Err(reason) = self.handle_body(now, body, &segments) {
            self.protocol_error(&reason);
        }
    }

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
            Body::Committed { incarnation, upto } => {
                self.handle_committed(now, incarnation, upto);
                Ok(())
            }
            Body::Gap { incarnation, known } => {
                self.handle_gap(now, incarnation, known);
                Ok(())
            }
            Body::StateRequest { round, part, keys } => {
                self.handle_state_request(round, part, &keys);
                Ok(())
            }
            Body::OfferAck { index } => {
                self.handle_offer_ack(now, index);
                Ok(())
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
            Body::Receipts { receipts } => {
                self.handle_receipts(now, receipts.0);
                Ok(())
            }
            Body::Pong { nonce, epoch, head } => {
                self.handle_pong(
                    now,
                    nonce,
                    Cursor {
                        epoch,
                        revision: head,
                        head,
                    },
                );
                Ok(())
            }
            Body::Reply { request, answer } => {
                self.handle_reply(request, answer);
                Ok(())
            }
            other => Err(format!("the hub sent what only agents send: {other:?}")),
        }
    }
}
