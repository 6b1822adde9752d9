//! Answers on their way: to a caller in this process whole, to a peer in pieces that each fit a frame.

use bytes::Bytes;
use sync_core::{Body, Message, Reply, RequestError, SessionId, pieces};

use super::{Hub, HubOutput, ReplyTo};

impl Hub {
    pub(super) fn reply(&mut self, to: ReplyTo, answer: Reply) {
        match to {
            ReplyTo::Local(request) => self.gate.push(HubOutput::Answer { request, answer }),
            ReplyTo::Remote(session, request) => self.send_reply(session, request, &answer),
        }
    }

    /// An answer that is too large for the asker is an answer, too: it stays connected.
    pub(super) fn send_reply(&mut self, session: SessionId, request: u64, reply: &Reply) {
        let cut = self.cut_reply(reply);
        self.send_cut_reply(session, request, cut);
    }

    /// The same answer to several: encoded once, however many have asked from afar.
    pub(super) fn reply_all(&mut self, waiting: Vec<ReplyTo>, answer: &Reply) {
        let mut cut: Option<Vec<Bytes>> = None;
        for to in waiting {
            match to {
                ReplyTo::Local(_) => self.reply(to, answer.clone()),
                ReplyTo::Remote(session, request) => {
                    let cut = cut.get_or_insert_with(|| self.cut_reply(answer)).clone();
                    self.send_cut_reply(session, request, cut);
                }
            }
        }
    }

    fn cut_reply(&self, reply: &Reply) -> Vec<Bytes> {
        let page = self.config.limits.page_bytes;
        let too_large = |bytes: usize| {
            let (bytes, limit) = (bytes as u64, pieces::WHOLE_BYTES_MAX as u64);
            pieces::cut(
                &Reply::Err(RequestError::AnswerTooLarge { bytes, limit }),
                page,
            )
        };
        let cut = pieces::cut(reply, page).or_else(too_large);
        cut.unwrap_or_default()
    }

    fn send_cut_reply(&mut self, session: SessionId, request: u64, cut: Vec<Bytes>) {
        self.send_pieces(session, cut, |delivery, index, frames| Body::Reply {
            request,
            delivery,
            index,
            frames,
        });
    }

    /// Sends what was cut, each piece in a message of its own.
    pub(super) fn send_pieces(
        &mut self,
        session: SessionId,
        cut: Vec<Bytes>,
        body: impl Fn(u64, u32, u32) -> Body,
    ) {
        let Some(peer) = self.sessions.get_mut(&session) else {
            return;
        };
        peer.deliveries += 1;
        let delivery = peer.deliveries;
        let frames = u32::try_from(cut.len()).unwrap_or(u32::MAX);
        for (index, piece) in (0..frames).zip(cut) {
            self.send(
                session,
                Message::with(body(delivery, index, frames), vec![piece]),
            );
        }
    }
}
