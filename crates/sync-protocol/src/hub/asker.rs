//! Who asks a hub for something, and who waits for the answer.

use sync_core::{AgentId, RequestError, SessionId};

use super::Hub;
use super::session::Session;

/// What peers are told of a store that failed. Which directory and which row it was, whoever runs the hub is
/// told: paths of its machine are nobody else's business.
pub(super) const STORE_FAILED: &str =
    "the hub has stopped, as its store failed; whoever runs it finds the reason in its log";

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyTo {
    Local(u64),
    Remote(SessionId, u64),
}

impl ReplyTo {
    /// The connection that it has asked through; none for the program that runs the hub.
    pub(super) fn session(self) -> Option<SessionId> {
        match self {
            Self::Remote(session, _) => Some(session),
            Self::Local(_) => None,
        }
    }

    /// Why the hub has stopped, as far as it is to be told to whoever asks.
    pub(super) fn stopped(self, reason: &str) -> RequestError {
        let told = match self {
            Self::Local(_) => reason,
            Self::Remote(..) => STORE_FAILED,
        };
        RequestError::Stopped {
            reason: told.to_owned(),
        }
    }
}

/// Who has asked for a synchronization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    Caller(ReplyTo),
    /// A plan of the schedule, by its number.
    Plan(u64),
}

impl Asker {
    pub(super) fn caller(self) -> Option<ReplyTo> {
        match self {
            Self::Caller(to) => Some(to),
            Self::Plan(_) => None,
        }
    }

    /// The connection that it has asked through.
    pub(super) fn session(self) -> Option<SessionId> {
        self.caller()?.session()
    }

    /// Whether the program that runs the hub waits for it.
    pub(super) fn is_local(self) -> bool {
        matches!(self, Self::Caller(ReplyTo::Local(_)))
    }
}

impl Hub {
    /// Under whose name something is asked: the hub's own, if the program that runs it does.
    pub(super) fn name_of(&self, to: ReplyTo) -> AgentId {
        let name = self.peer(to).map(|peer| peer.agent.clone());
        name.unwrap_or_else(|| self.writer.agent().clone())
    }

    /// The peer that has asked, while it is connected.
    pub(super) fn peer(&self, to: ReplyTo) -> Option<&Session> {
        self.sessions.get(&to.session()?)
    }
}
