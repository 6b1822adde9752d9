//! Votes of this agent: kept, sent, confirmed.

use std::time::Duration;

use sync_core::{Ballot, Now, ProposalId, RequestError};

use super::{Replica, RequestId};

impl Replica {
    pub(super) fn vote(
        &mut self,
        _now: Now,
        request: RequestId,
        _proposal: ProposalId,
        _ballot: Ballot,
        _timeout: Duration,
    ) {
        let reason = "votes are not built".to_owned();
        self.answer(request, Err(RequestError::Invalid { reason }));
    }
}
