//! A whole entry for an agent that has to undo a refused write.

use sync_core::segment::encode_parts;
use sync_core::{Body, Entry, Key, Message, Revision, SessionId, Version};

use super::Hub;
use super::fanout::Packer;

impl Hub {
    pub(super) fn handle_repair_request(&mut self, session: SessionId, key: &Key) {
        let page = self.config.limits.page_bytes;
        let mut packer = Packer::new(page);
        match self.space.get(key) {
            Some(state) => {
                for part in state.entry().parts(None, page) {
                    packer.push(encode_parts(
                        key,
                        state.version(),
                        state.revision(),
                        &part.entry,
                    ));
                }
            }
            None => {
                let (version, revision) = (Version::default(), Revision::default());
                packer.push(encode_parts(key, version, revision, &Entry::new()));
            }
        }
        let frames = packer.finish();
        let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
        let revision = self.revision;
        for (index, segments) in (0..count).zip(frames) {
            let body = Body::RepairReply {
                key: key.clone(),
                revision,
                index,
                frames: count,
            };
            self.send(session, Message::with(body, segments));
        }
    }
}
