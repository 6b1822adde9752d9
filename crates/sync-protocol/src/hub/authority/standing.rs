//! What became of a request whose answer was lost with the hub's disk: what stands says which request it
//! was written for, wherever it comes back from.

use sync_core::codec::List;
use sync_core::{
    AgentId, Assignment, Attempt, AttemptId, AuthorityAnswer, AuthorityAsk, CommitOutcome, Payload,
    PayloadKind, RequestError, Revision, Value, Write, WriteId,
};

use super::Hub;
use crate::keyspace::KeyState;

/// The kind of refusal that a commit of several keys would meet after a part of it was changed.
const CHANGED_SINCE: &str = "conflict";

impl Hub {
    /// The answer to a request that there is none for on this disk, if something stands that was written
    /// for it.
    pub(super) fn stands(
        &self,
        asker: &AgentId,
        attempt: AttemptId,
        ask: &AuthorityAsk,
    ) -> Option<Result<AuthorityAnswer, RequestError>> {
        match ask {
            AuthorityAsk::Commit { assign, .. } => self.stands_of(asker, attempt, assign),
            AuthorityAsk::Claim { key, .. } => {
                let lease = self.granted(asker, attempt, key)?;
                Some(Ok(AuthorityAnswer::Claimed(lease)))
            }
            AuthorityAsk::Renew { .. } | AuthorityAsk::Release { .. } => None,
        }
    }

    /// Of several keys some may have changed since: at which version they were then nobody knows any more.
    fn stands_of(
        &self,
        asker: &AgentId,
        attempt: AttemptId,
        assign: &[Assignment],
    ) -> Option<Result<AuthorityAnswer, RequestError>> {
        let found = |assigned: &Assignment| {
            let value = assigned.value.as_ref()?;
            let state = self.space.get(&assigned.key);
            state.filter(|state| is_written_for(state, asker, attempt, value))
        };
        let mut revision = Revision::default();
        let mut versions = Vec::with_capacity(assign.len());
        let mut changed = 0_usize;
        for assigned in assign {
            let state = found(assigned);
            revision = revision.max(state.map(KeyState::revision).unwrap_or_default());
            match state {
                Some(state) => versions.push((assigned.key.clone(), Some(state.version()))),
                None if assigned.value.is_none() => versions.push((assigned.key.clone(), None)),
                None => changed += 1,
            }
        }
        if revision == Revision::default() {
            return None;
        }
        if changed > 0 {
            let refused = CHANGED_SINCE.to_owned();
            return Some(Err(RequestError::Uncertain { refused }));
        }
        Some(Ok(AuthorityAnswer::Committed(CommitOutcome {
            epoch: self.epoch(),
            revision,
            versions: List(versions),
        })))
    }
}

/// Whether what a key shows was written for that request. Looks at what the hub has decided only, of which
/// a key holds one write. Under a name that was used before for something else it is another request.
fn is_written_for(state: &KeyState, asker: &AgentId, attempt: AttemptId, value: &Value) -> bool {
    let entry = state.entry();
    let decided = entry.kinds().any(|kind| kind == PayloadKind::Decreed);
    let mut writes = entry.writes();
    let is_it = |(id, write): (&WriteId, &Write)| {
        let named = write.attempt() == Some(attempt) && id.writer.agent() == asker;
        named && write.payload == Payload::decreed(value)
    };
    decided && writes.any(is_it)
}

/// A refusal of what another run of the hub may have done: that it did not, this one cannot say.
pub(super) fn in_doubt(attempt: Attempt, error: RequestError) -> RequestError {
    let of_state = matches!(
        error,
        RequestError::Conflict { .. }
            | RequestError::EpochMismatch { .. }
            | RequestError::Claimed { .. }
            | RequestError::ClaimsPaused { .. }
            | RequestError::StaleToken { .. }
            | RequestError::ForeignToken { .. }
            | RequestError::Operation { .. }
            | RequestError::NoSpace { .. }
    );
    if !(attempt.again && of_state) {
        return error;
    }
    let refused = error.kind().to_owned();
    RequestError::Uncertain { refused }
}
