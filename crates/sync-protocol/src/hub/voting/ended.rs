//! Ends of votes that an agent was not there to hear of.

use sync_core::codec::List;
use sync_core::consensus::ENDINGS_MAX;
use sync_core::{Body, Digest, Now, ProposalId, SessionId, Verdict};

use crate::hub::Hub;

impl Hub {
    /// A member was told of these and does not know how they ended: one answer for all that are not open.
    pub(in crate::hub) fn handle_undecided(
        &mut self,
        now: Now,
        session: SessionId,
        proposals: &[(ProposalId, Digest)],
    ) -> Result<(), String> {
        let asked = proposals.len();
        if asked > ENDINGS_MAX {
            return Err(format!(
                "a message asks what {asked} proposals came to; the limit is {ENDINGS_MAX}"
            ));
        }
        self.tend_votes(now);
        let ended = proposals.iter().filter(|of| !self.is_open(**of));
        let ended: List<_> = ended.map(|of| (of.0, of.1, self.verdict_on(*of))).collect();
        if !ended.is_empty() {
            self.send(session, Body::Ended { proposals: ended });
        }
        Ok(())
    }

    fn is_open(&self, (id, about): (ProposalId, Digest)) -> bool {
        let open = self.votes.get(id);
        open.is_some_and(|open| open.opened.fingerprint == about)
    }

    fn verdict_on(&self, (id, about): (ProposalId, Digest)) -> Option<Verdict> {
        let held = self.votes.decided.get(id)?;
        (held.fingerprint == about).then_some(held.decision.verdict)
    }
}
