//! Answering a round: nothing for keys that are the same, else what the hub lacks.

use sync_core::segment::encode_parts;
use sync_core::{Body, Digest, Key, Message, RoundId};

use super::Replica;
use crate::hub::Packer;

impl Replica {
    pub(super) fn handle_state_request(
        &mut self,
        round: RoundId,
        part: u32,
        keys: &[(Key, Digest)],
    ) {
        let page = self.config.limits.page_bytes;
        let mut packer = Packer::new(page);
        for (key, digest) in keys {
            if self.space.entry_digest(key) == *digest {
                continue;
            }
            let mut pending = self.outbox.of_key(key).peekable();
            if pending.peek().is_some() {
                // The hub holds everything else that this replica ever had of the key.
                for item in pending {
                    packer.push(item.segment.clone());
                }
            } else if self.is_in_step() {
                // Same position, nothing pending, other content: the hub should see all of it.
                let Some(state) = self.space.get(key) else {
                    continue;
                };
                for part in self.settled_part(key, state.entry()).parts(None, page) {
                    packer.push(encode_parts(
                        key,
                        state.version(),
                        state.revision(),
                        &part.entry,
                    ));
                }
            }
        }
        let answers = packer.finish();
        let frames = u32::try_from(answers.len()).unwrap_or(u32::MAX);
        for (index, segments) in (0..frames).zip(answers) {
            let body = Body::StateResponse {
                round,
                part,
                index,
                frames,
            };
            self.send(Message::with(body, segments));
        }
    }

    /// Nothing is known to be missing here.
    fn is_in_step(&self) -> bool {
        self.link.settled && !self.link.is_pulling() && self.link.partial.is_none()
    }
}
