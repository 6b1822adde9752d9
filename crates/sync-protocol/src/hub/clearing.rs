//! Clearing a whole swarm, a commit's worth of keys at a time. One clearing is under way; whoever asks
//! meanwhile shares the next one, so that what is kept for them does not grow with how many ask.

use std::collections::BTreeSet;

use sync_core::{AgentId, Answer, Key, Now, RequestError, SessionId};

use super::chores::KEYS_PER_CHORE;
use super::commit::Commit;
use super::{Hub, ReplyTo};

/// Callers that wait until the swarm is cleared.
const CALLERS_MAX: usize = 1_024;

/// Of one connection: more would be a flood that reads no answers.
const CALLERS_PER_PEER: usize = 16;

/// Keys looked at for one commit. Most of them may hold nothing any more: some milliseconds.
const KEYS_LOOKED_AT: usize = 100 * KEYS_PER_CHORE;

/// The swarm's clearings.
#[derive(Debug, Default)]
pub(super) struct Clearings {
    running: Option<Clearing>,
    next: Option<Clearing>,
}

/// The swarm is being cleared, in the order of its keys.
#[derive(Debug, Default)]
struct Clearing {
    callers: Vec<Caller>,
    /// Who was the first of them.
    by: Option<AgentId>,
    after: Option<Key>,
    /// Keys that somebody has written since it was last asked for: what came stays, and with it all of its
    /// key.
    spared: BTreeSet<Key>,
    cleared: u64,
}

/// Who asked for it.
#[derive(Debug)]
struct Caller {
    to: ReplyTo,
    /// Keys that the clearing before has cleared since.
    meanwhile: u64,
}

impl Clearings {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_none() && self.next.is_none()
    }

    /// One that is under way cleared nothing of what came since it was asked for; the next one clears
    /// everything that is there when it was asked for the last time.
    fn ask(&mut self, to: ReplyTo, name: AgentId) -> Result<(), RequestError> {
        if !self.has_room(to) {
            let reason = format!(
                "{CALLERS_MAX} callers wait until the swarm is cleared, or {CALLERS_PER_PEER} of this connection, the limits: ask again later"
            );
            return Err(RequestError::Invalid { reason });
        }
        // The other way around for each: what is cleared from here on.
        let before = self.running.as_ref().map_or(0, |running| running.cleared);
        let next = self.next.get_or_insert_default();
        next.spared.clear();
        next.by.get_or_insert(name);
        next.callers.push(Caller {
            to,
            meanwhile: before,
        });
        Ok(())
    }

    fn has_room(&self, to: ReplyTo) -> bool {
        let both = [&self.running, &self.next].into_iter().flatten();
        let callers: Vec<_> = both
            .flat_map(|c| &c.callers)
            .map(|c| c.to.session())
            .collect();
        let own = callers.iter().filter(|session| **session == to.session());
        let own_is_full = to.session().is_some() && own.count() >= CALLERS_PER_PEER;
        !own_is_full && callers.len() < CALLERS_MAX
    }

    /// The one to go on with.
    fn take(&mut self) -> Option<Clearing> {
        self.running.take().or_else(|| self.next.take())
    }

    /// One has ended.
    fn ended(&mut self, cleared: u64) {
        for caller in self.next.iter_mut().flat_map(|next| &mut next.callers) {
            caller.meanwhile = cleared.saturating_sub(caller.meanwhile);
        }
    }

    /// Somebody has written these keys: whoever asked before did not mean that.
    pub(super) fn spare<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key> + Clone) {
        for clearing in [&mut self.running, &mut self.next].into_iter().flatten() {
            let left = |key: &&Key| clearing.after.as_ref().is_none_or(|after| after < *key);
            let keys = keys.clone().into_iter();
            let spared: Vec<Key> = keys.filter(left).cloned().collect();
            clearing.spared.extend(spared);
        }
    }

    /// The connection is gone; what was asked for through it goes on.
    pub(super) fn forget_session(&mut self, session: SessionId) {
        let gone = |caller: &Caller| caller.to.session() == Some(session);
        for clearing in [&mut self.running, &mut self.next].into_iter().flatten() {
            clearing.callers.retain(|caller| !gone(caller));
        }
    }

    /// Who waits for it; nobody afterwards.
    pub(super) fn abandon(&mut self) -> Vec<ReplyTo> {
        let all = [self.running.take(), self.next.take()];
        let callers = all.into_iter().flatten().flat_map(|c| c.callers);
        callers.map(|caller| caller.to).collect()
    }
}

impl Hub {
    /// Covers everything that is held now. What is written meanwhile stays, with all that its key holds.
    pub(super) fn clear_all(&mut self, now: Now, to: ReplyTo) {
        match self.chores.clearings.ask(to, self.name_of(to)) {
            Ok(()) => self.begin_given(now),
            Err(error) => self.reply(to, Err(error)),
        }
    }

    /// False if there was nothing to do.
    pub(super) fn go_on_clearing(&mut self, now: Now) -> bool {
        let Some(mut clearing) = self.chores.clearings.take() else {
            return false;
        };
        let (keys, looked_up_to) = self.still_held(&clearing);
        let mut commit = Commit::clearing(clearing.by.clone());
        for key in &keys {
            self.cover_all(&mut commit, key);
        }
        clearing.cleared += keys.len() as u64;
        self.finish(commit, now);
        let Some(last) = looked_up_to else {
            self.chores.clearings.ended(clearing.cleared);
            for Caller { to, meanwhile } in clearing.callers {
                self.reply(to, Ok(Answer::Cleared(meanwhile + clearing.cleared)));
            }
            return true;
        };
        clearing.after = Some(last);
        self.chores.clearings.running = Some(clearing);
        true
    }

    /// The next keys that nobody has written since the clearing was asked for, and the last one that was
    /// looked at; none if no more is left.
    fn still_held(&self, clearing: &Clearing) -> (Vec<Key>, Option<Key>) {
        let mut held = Vec::new();
        let rest = self.space.iter_after(clearing.after.as_ref());
        for (looked_at, (key, state)) in (1..).zip(rest) {
            if state.entry().is_live() && !clearing.spared.contains(key) {
                held.push(key.clone());
            }
            if held.len() == KEYS_PER_CHORE || looked_at == KEYS_LOOKED_AT {
                return (held, Some(key.clone()));
            }
        }
        (held, None)
    }
}
