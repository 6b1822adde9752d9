//! Answering a round: nothing for keys that are the same, else what the hub lacks.

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
            // The hub holds everything else that this replica ever had of the key; if it does not, the
            // digests say so and everything is exchanged.
            for item in self.outbox.of_key(key) {
                packer.push(item.segment.clone());
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
}
