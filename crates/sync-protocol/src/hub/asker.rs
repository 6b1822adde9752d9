//! Who asks a hub for something, and who waits for the answer.

use sync_core::SessionId;

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyTo {
    Local(u64),
    Remote(SessionId, u64),
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
        match self {
            Self::Caller(ReplyTo::Remote(session, _)) => Some(session),
            _ => None,
        }
    }

    /// Whether the program that runs the hub waits for it.
    pub(super) fn is_local(self) -> bool {
        matches!(self, Self::Caller(ReplyTo::Local(_)))
    }
}
