//! A commit on its way to the agents: each segment encoded once, each agent sent what it lacks.

use std::collections::BTreeSet;

use bytes::Bytes;
use sync_core::segment::encode_parts;
use sync_core::{Body, Entry, Key, Message, Revision, Role, SessionId};

use super::Hub;
use super::commit::Commit;

impl Hub {
    /// Sends the commit `from < revision <= self.revision` to every peer that is up to `from`. The
    /// others page and will find it there.
    pub(super) fn fan_out(&mut self, from: Revision, changed: &BTreeSet<Key>, commit: &Commit) {
        let mut full: Option<Vec<Vec<Bytes>>> = None;
        let members = self.sessions.iter().filter(|(_, s)| s.role == Role::Member);
        let in_step: Vec<SessionId> = members
            .filter(|(_, s)| s.sent == Some(from))
            .map(|(id, _)| *id)
            .collect();
        for session in in_step {
            let echo = changed
                .iter()
                .any(|key| Self::is_echo(commit, key, session));
            let frames = if echo {
                self.frames(changed, |key| {
                    (!Self::is_echo(commit, key, session))
                        .then(|| Self::commit_delta(commit, key))
                        .flatten()
                })
            } else {
                full.get_or_insert_with(|| self.frames(changed, |k| Self::commit_delta(commit, k)))
                    .clone()
            };
            self.send_update(session, from, frames);
        }
    }

    fn send_update(&mut self, session: SessionId, from: Revision, frames: Vec<Vec<Bytes>>) {
        let (epoch, to) = (self.epoch(), self.revision);
        let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
        for (index, segments) in (0..count).zip(frames) {
            let body = Body::StateUpdate {
                epoch,
                from,
                to,
                index,
                frames: count,
            };
            self.send(session, Message::with(body, segments));
        }
        if let Some(peer) = self.sessions.get_mut(&session) {
            peer.sent = Some(to);
        }
    }

    /// The segments of `keys` in frames of a page each. A key without a delta goes with its numbers
    /// only.
    fn frames<'a>(
        &self,
        keys: &BTreeSet<Key>,
        delta: impl Fn(&Key) -> Option<&'a Entry>,
    ) -> Vec<Vec<Bytes>> {
        let page = self.config.limits.page_bytes;
        let mut packer = Packer::new(page);
        for key in keys {
            let Some(state) = self.space.get(key) else {
                continue;
            };
            let (version, revision) = (state.version(), state.revision());
            match delta(key) {
                None => packer.push(encode_parts(key, version, revision, &Entry::new())),
                Some(delta) => {
                    for part in delta.parts(None, page) {
                        packer.push(encode_parts(key, version, revision, &part.entry));
                    }
                }
            }
        }
        packer.finish()
    }
}

/// Packs segments into frames of about one page.
#[derive(Debug)]
pub(crate) struct Packer {
    page: usize,
    room: usize,
    frames: Vec<Vec<Bytes>>,
}

impl Packer {
    pub(crate) fn new(page: usize) -> Self {
        Self {
            page,
            room: page,
            frames: vec![Vec::new()],
        }
    }

    pub(crate) fn push(&mut self, segment: Bytes) {
        let full = segment.len() > self.room;
        if full && self.frames.last().is_some_and(|f| !f.is_empty()) {
            self.frames.push(Vec::new());
            self.room = self.page;
        }
        self.room = self.room.saturating_sub(segment.len());
        if let Some(frame) = self.frames.last_mut() {
            frame.push(segment);
        }
    }

    /// At least one frame, possibly empty.
    pub(crate) fn finish(self) -> Vec<Vec<Bytes>> {
        self.frames
    }
}
