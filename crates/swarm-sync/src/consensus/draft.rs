//! A proposal in the making.

use std::time::Duration;

use sync_core::{Effect, Key, Operation, Proposal, ProposalId, RequestError, Share, Value};

use crate::chance;
use crate::span::millis;

/// What is to be agreed on, and how. Its id is drawn here, so that the same draft, proposed twice, is the
/// same proposal.
///
/// ```
/// use std::time::Duration;
/// use swarm_sync::{Operation, ProposalDraft};
///
/// let draft = ProposalDraft::new("raise the limit to 100")
///     .commit("limit", Operation::Put(100.into()))
///     .algorithm("quorum")
///     .threshold(0.66)
///     .timeout(Duration::from_secs(5));
/// println!("proposal {}", draft.id());
/// ```
#[derive(Debug, Clone)]
pub struct ProposalDraft {
    proposal: Proposal,
    /// The first thing that is wrong with it: said when it is proposed.
    flaw: Option<RequestError>,
}

impl ProposalDraft {
    /// A proposal about `subject`, which those who vote are shown. Unless told otherwise the hub's default
    /// algorithm decides, with its own threshold, in the hub's default time, and nothing is written.
    pub fn new<V>(subject: V) -> Self
    where
        V: TryInto<Value>,
        V::Error: Into<RequestError>,
    {
        let (subject, flaw) = match subject.try_into() {
            Ok(subject) => (subject, None),
            Err(error) => (Value::Null, Some(error.into())),
        };
        let proposal = Proposal {
            id: ProposalId::from_random(chance::fresh()),
            subject,
            effect: None,
            algorithm: None,
            threshold: None,
            timeout_ms: None,
        };
        Self { proposal, flaw }
    }

    /// What approval writes, in one step with the decision. Proposals for the same key that are open
    /// together are decided one by one.
    #[must_use]
    pub fn commit<K>(mut self, key: K, operation: Operation) -> Self
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        match key.try_into() {
            Ok(key) => self.proposal.effect = Some(Effect { key, operation }),
            Err(error) => self.is_flawed(error.into()),
        }
        self
    }

    /// Who decides, by the name under which the hub knows the algorithm.
    #[must_use]
    pub fn algorithm(mut self, name: impl Into<String>) -> Self {
        self.proposal.algorithm = Some(name.into());
        self
    }

    /// How much approval it takes: above 0, at most 1.
    #[must_use]
    pub fn threshold(mut self, share: f64) -> Self {
        match Share::new(share) {
            Ok(share) => self.proposal.threshold = Some(share),
            Err(error) => self.is_flawed(RequestError::Invalid {
                reason: error.to_string(),
            }),
        }
        self
    }

    /// How long the vote may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.proposal.timeout_ms = Some(millis(timeout));
        self
    }

    /// Another id than the one that was drawn: that of a proposal whose decision was not heard.
    #[must_use]
    pub fn under(mut self, id: ProposalId) -> Self {
        self.proposal.id = id;
        self
    }

    /// Under which id it is proposed.
    pub fn id(&self) -> ProposalId {
        self.proposal.id
    }

    /// Refuses what is wrong with it, as proposing it would.
    pub fn check(&self) -> Result<(), RequestError> {
        self.flaw.clone().map_or(Ok(()), Err)
    }

    pub(super) fn into_proposal(self) -> Result<Proposal, RequestError> {
        match self.flaw {
            None => Ok(self.proposal),
            Some(flaw) => Err(flaw),
        }
    }

    fn is_flawed(&mut self, error: RequestError) {
        self.flaw.get_or_insert(error);
    }
}
