//! Reading what peers propose and vote: as it is written, but no text reserves more than there is.

use bincode::Decode;

use super::{Ballot, Effect, Proposal, ProposalId, Share, Vote};
use crate::codec::{Text, read_as};
use crate::value::Value;

#[derive(Decode)]
struct ReadBallot {
    vote: Vote,
    reason: Option<Text>,
}

impl From<ReadBallot> for Ballot {
    fn from(read: ReadBallot) -> Self {
        Self {
            vote: read.vote,
            reason: read.reason.map(|text| text.0),
        }
    }
}

#[derive(Decode)]
struct ReadProposal {
    id: ProposalId,
    subject: Value,
    effect: Option<Effect>,
    algorithm: Option<Text>,
    threshold: Option<Share>,
    timeout_ms: Option<u64>,
}

impl From<ReadProposal> for Proposal {
    fn from(read: ReadProposal) -> Self {
        Self {
            id: read.id,
            subject: read.subject,
            effect: read.effect,
            algorithm: read.algorithm.map(|text| text.0),
            threshold: read.threshold,
            timeout_ms: read.timeout_ms,
        }
    }
}

read_as!(Ballot, ReadBallot);
read_as!(Proposal, ReadProposal);
