//! A commit on its way to the agents: each segment encoded once, each agent sent what it lacks.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sync_core::segment::encode_parts;
use sync_core::{
    Body, Context, Entry, Key, Message, Revision, Role, SessionId,
    planted::{self, Planted},
};

use super::Hub;
use super::commit::Commit;
use crate::keyspace::{KeyState, Keyspace};

/// The segments of a commit, each encoded once, when it is first asked for.
#[derive(Debug)]
pub(super) struct Encoded<'a> {
    commit: &'a Commit,
    page: usize,
    segments: BTreeMap<&'a Key, Vec<Bytes>>,
}

impl<'a> Encoded<'a> {
    /// Nothing is encoded yet.
    pub(super) fn new(commit: &'a Commit, page: usize) -> Self {
        Self {
            commit,
            page,
            segments: BTreeMap::new(),
        }
    }

    /// What the segments are of.
    pub(super) fn commit(&self) -> &'a Commit {
        self.commit
    }

    /// What the commit adds to a key, in parts of a page each. A key without a delta goes with its
    /// numbers only.
    pub(super) fn of(&mut self, space: &Keyspace, key: &'a Key) -> &[Bytes] {
        let (commit, page) = (self.commit, self.page);
        self.segments.entry(key).or_insert_with(|| {
            let Some(state) = space.get(key) else {
                return Vec::new();
            };
            let Some(delta) = Hub::commit_delta(commit, key) else {
                return vec![numbers(key, state)];
            };
            let flawed = flawed(delta, state.entry().context());
            let delta = flawed.as_ref().unwrap_or(delta);
            let parts = delta.parts(None, page).into_iter();
            let (version, revision) = (state.version(), state.revision());
            parts
                .map(|part| encode_parts(key, version, revision, &part.entry))
                .collect()
        })
    }
}

/// A key's version and revision, with nothing new.
fn numbers(key: &Key, state: &KeyState) -> Bytes {
    encode_parts(key, state.version(), state.revision(), &Entry::new())
}

/// A delta as it must not be, where that is planted.
fn flawed(delta: &Entry, whole: &Context) -> Option<Entry> {
    let writes = || {
        delta
            .writes()
            .map(|(id, write)| (id.clone(), write.clone()))
    };
    if planted::is(Planted::DeltaWithWholeContext) {
        return Entry::from_parts(writes(), whole.clone());
    }
    let own = || delta.writes().map(|(id, write)| write.span(id)).collect();
    planted::is(Planted::DeltaWithoutCovers)
        .then(|| Entry::from_parts(writes(), own()))
        .flatten()
}

impl Hub {
    /// Sends the commit `from < revision <= self.revision` to every peer that is up to `from`. The
    /// others page and will find it there.
    pub(super) fn fan_out<'a>(
        &mut self,
        from: Revision,
        changed: &'a BTreeSet<Key>,
        encoded: &mut Encoded<'a>,
    ) {
        let commit = encoded.commit();
        let mut full: Option<Vec<Vec<Bytes>>> = None;
        let members = self.sessions.iter().filter(|(_, s)| s.role == Role::Member);
        let in_step: Vec<SessionId> = members
            .filter(|(_, s)| s.sent == Some(from))
            .map(|(id, _)| *id)
            .collect();
        self.count_fan_out(in_step.len(), changed, commit);
        for session in in_step {
            let is_echo = |key: &Key| Self::is_echo(commit, key, session);
            let frames = if commit.is_from(session) && changed.iter().any(is_echo) {
                self.frames(changed, encoded, is_echo)
            } else {
                full.get_or_insert_with(|| self.frames(changed, encoded, |_| false))
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

    /// The segments of `keys` in frames of a page each, without what the receiver has brought itself.
    fn frames<'a>(
        &self,
        keys: &'a BTreeSet<Key>,
        encoded: &mut Encoded<'a>,
        is_echo: impl Fn(&Key) -> bool,
    ) -> Vec<Vec<Bytes>> {
        let mut packer = Packer::new(self.config.limits.page_bytes);
        for key in keys {
            if !is_echo(key) {
                let segments = encoded.of(&self.space, key).iter().cloned();
                segments.for_each(|segment| packer.push(segment));
            } else if let Some(state) = self.space.get(key) {
                packer.push(numbers(key, state));
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
