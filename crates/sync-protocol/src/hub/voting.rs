//! Votes at the hub: who may vote, what was voted, what it came to.

use sync_core::{Ballot, Now, Proposal, ProposalId, RequestError, SessionId};

use super::{Hub, ReplyTo};

impl Hub {
    pub(super) fn propose(&mut self, _now: Now, to: ReplyTo, _proposal: Proposal) {
        let reason = "votes are not built".to_owned();
        self.reply(to, Err(RequestError::Invalid { reason }));
    }

    pub(super) fn handle_vote(
        &mut self,
        _now: Now,
        _session: SessionId,
        _proposal: ProposalId,
        _ballot: Ballot,
    ) {
    }
}
