//! Reading what peers propose and vote: as it is written, but no text reserves more than there is.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError;
use bincode::{BorrowDecode, Decode};

use super::{Ballot, Effect, Proposal, ProposalId, Share, Vote};
use crate::codec::Text;
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

macro_rules! read_as {
    ($of:ty, $as:ty) => {
        impl<C> Decode<C> for $of {
            fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
                <$as>::decode(decoder).map(Self::from)
            }
        }

        impl<'de, C> BorrowDecode<'de, C> for $of {
            fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, DecodeError> {
                <$as>::borrow_decode(decoder).map(Self::from)
            }
        }
    };
}

read_as!(Ballot, ReadBallot);
read_as!(Proposal, ReadProposal);
