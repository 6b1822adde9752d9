//! Asking a swarm to agree: from a hub's own process, as an agent, or from afar without a replica.

mod draft;
mod voter;

use std::sync::Arc;
use std::time::Duration;

use sync_core::{
    Answer, Ask, Decision, Key, Proposal, ProposalId, Reply, RequestError, SyncReport,
};
use sync_protocol::Limits;
use tokio::time::{Instant, sleep};

pub use self::draft::ProposalDraft;
pub use self::voter::{Voter, voter_fn};
use crate::hub::unexpected;
use crate::span::after;
use crate::watch::Asker;

/// How long to wait before asking again what could not be asked.
const PAUSE: Duration = Duration::from_millis(200);

/// A question that failed only after this long had reached a hub: what cannot be reached fails sooner.
const HEARD_AFTER: Duration = Duration::from_secs(10);

/// What a decision has led to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Agreement {
    /// The decision.
    pub decision: Decision,
    /// How far what was approved has come: the round that followed, or why there was none. Either way it
    /// is committed, and agents that were not reached get it when they come back. None if nothing was
    /// committed.
    pub synced: Option<Result<SyncReport, RequestError>>,
}

/// Has the agents of a swarm vote. Cheap to clone.
///
/// Who is to vote is the roster when the hub hears of the proposal, connected or not. A hub that is lost
/// meanwhile is asked again, under the same id: a proposal is voted on once, however often it is made.
#[derive(Clone)]
pub struct ConsensusManager {
    asker: Arc<dyn Asker>,
    /// How long a round may take, and how long its answer and a decision may be on their way.
    patience: Duration,
}

impl std::fmt::Debug for ConsensusManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsensusManager").finish_non_exhaustive()
    }
}

impl ConsensusManager {
    pub(crate) fn new(asker: Arc<dyn Asker>, patience: Duration) -> Self {
        Self { asker, patience }
    }

    /// Has the roster vote, and returns what it came to. A write that the draft names is committed in one
    /// step with its approval.
    ///
    /// # Errors
    /// If the draft is not valid, or the hub refuses it: then nobody was asked. If the hub stayed away
    /// until the time was over: then it may still be decided, and the same draft asks for it.
    pub async fn propose(&self, draft: ProposalDraft) -> Result<Decision, RequestError> {
        let proposal = draft.into_proposal()?;
        let wanted = Wanted::of(&proposal, self.patience);
        let ask = Ask::Propose(Box::new(proposal));
        match self.ask_again(ask, wanted).await? {
            Answer::Decided(decision) => Ok(Arc::unwrap_or_clone(decision)),
            other => Err(unexpected(&other)),
        }
    }

    /// The whole way in one call: propose, vote, commit, and a round over the key that was written, which
    /// ends once the connected agents have confirmed that they hold it.
    ///
    /// # Errors
    /// As [`ConsensusManager::propose`]. That the round has failed is no error of this:
    /// [`Agreement::synced`] says so.
    pub async fn propose_and_sync(&self, draft: ProposalDraft) -> Result<Agreement, RequestError> {
        let decision = self.propose(draft).await?;
        let synced = match &decision.committed {
            Some(committed) => Some(self.sync(&committed.key).await),
            None => None,
        };
        Ok(Agreement { decision, synced })
    }

    async fn sync(&self, key: &Key) -> Result<SyncReport, RequestError> {
        // The hub waits as long as the key's priority says.
        let ask = Ask::Sync {
            keys: vec![key.clone()].into(),
            timeout_ms: None,
        };
        let longest = Limits::default().round_deadline_max;
        let wanted = Wanted {
            proposal: None,
            limit: longest.saturating_add(self.patience),
            away_max: self.patience,
        };
        match self.ask_again(ask, wanted).await? {
            Answer::Synced(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks, and again whenever the answer was lost on its way. Both proposals and rounds may be repeated.
    async fn ask_again(&self, ask: Ask, wanted: Wanted) -> Reply {
        let until = after(wanted.limit);
        let mut away_since: Option<Instant> = None;
        // A round follows a decision: there was a connection a moment ago.
        let mut was_asked = wanted.proposal.is_none();
        loop {
            let asked = Instant::now();
            let left = until.saturating_duration_since(asked);
            let error = match self.asker.ask(ask.clone(), left).await {
                // Nobody has heard of it yet.
                Err(error @ RequestError::Unavailable { .. }) if !was_asked => return Err(error),
                // Those who have voted a moment ago come back to a hub that has just started.
                Err(error @ RequestError::NobodyConnected { .. }) if wanted.proposal.is_none() => {
                    error
                }
                Err(
                    error @ (RequestError::Unavailable { .. }
                    | RequestError::ConnectionLost { .. }
                    | RequestError::Deadline { .. }),
                ) => error,
                other => return other,
            };
            was_asked = true;
            let now = Instant::now();
            if now.duration_since(asked) >= HEARD_AFTER {
                // The hub was there meanwhile: this is another loss.
                away_since = None;
            }
            let away = now.duration_since(*away_since.get_or_insert(now));
            if now + PAUSE >= until || away >= wanted.away_max {
                return Err(wanted.given_up(error));
            }
            sleep(PAUSE).await;
        }
    }
}

/// How long an answer is waited for.
struct Wanted {
    proposal: Option<ProposalId>,
    /// In all.
    limit: Duration,
    /// Of that, from the first moment at which the hub was away.
    away_max: Duration,
}

impl Wanted {
    /// As long as the vote may take, and the decision is on its way. If the draft leaves it to the hub how
    /// long that is, a hub that is away is not waited for that long.
    fn of(proposal: &Proposal, patience: Duration) -> Self {
        let timeout = proposal.timeout_ms.map(Duration::from_millis);
        // As long as a hub lets a vote take, unless its limits say otherwise.
        let longest = Limits::default().vote_deadline_max;
        let limit = timeout.unwrap_or(longest).min(longest);
        let limit = limit.saturating_add(patience);
        Self {
            proposal: Some(proposal.id),
            limit,
            away_max: timeout.map_or(patience, |_| limit),
        }
    }

    /// The error to end with. The same proposal under the same id asks for what it came to.
    fn given_up(&self, error: RequestError) -> RequestError {
        let Some(id) = self.proposal else {
            return error;
        };
        let hint =
            format!("who proposes the same again under the id {id} is told what it comes to");
        match error {
            RequestError::ConnectionLost { reason } => RequestError::ConnectionLost {
                reason: format!("{reason}; {hint}"),
            },
            RequestError::Unavailable { .. } => RequestError::ConnectionLost {
                reason: format!("it has not come back; {hint}"),
            },
            RequestError::Deadline { limit_ms, .. } => RequestError::Deadline {
                doing: format!("the decision on the proposal {id}"),
                limit_ms,
            },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use sync_core::Epoch;

    use super::*;

    /// A hub that has just started: its agents are back only when it is asked for the third time.
    #[derive(Debug, Default)]
    struct JustStarted {
        asked: Mutex<u32>,
    }

    #[async_trait]
    impl Asker for JustStarted {
        async fn ask(&self, _ask: Ask, _timeout: Duration) -> Reply {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            if *asked < 3 {
                return Err(RequestError::NobodyConnected { roster: 2 });
            }
            Ok(Answer::Synced(report()))
        }
    }

    fn report() -> SyncReport {
        SyncReport {
            epoch: Epoch::from_random(1),
            revision: sync_core::Revision::default(),
            keys: Vec::new(),
            responded: Vec::new(),
            missing: Vec::new(),
            in_step: Vec::new(),
            conflicts: 0,
            bytes: 0,
            elapsed_ms: 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_waits_for_the_agents_of_a_hub_that_was_killed_after_the_decision() {
        let key = Key::new("k").unwrap();
        let manager = |patience| {
            let asker = Arc::new(JustStarted::default());
            ConsensusManager::new(asker, Duration::from_millis(patience))
        };
        let synced = manager(1_000).sync(&key).await;
        assert_eq!(synced.unwrap(), report());
        // Not for ever.
        let given_up = manager(100).sync(&key).await.unwrap_err();
        assert_eq!(given_up.kind(), "nobody-connected");
    }
}
