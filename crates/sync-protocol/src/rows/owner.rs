//! Whose rows a store holds.

use bincode::{Decode, Encode};
use sync_core::{AgentId, Row};
use thiserror::Error;

/// Stored rows that are not this node's. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RowError {
    /// A row does not read as what its key says.
    #[error("the stored row {row} cannot be read: {reason}")]
    Unreadable {
        /// The row's key, escaped.
        row: String,
        /// What does not fit.
        reason: String,
    },
    /// The rows are another node's.
    #[error(
        "the stored state belongs to {held}, not to {opened}; use another directory, or start the node it belongs to"
    )]
    Owner {
        /// Whose they are.
        held: Owner,
        /// Who was to read them.
        opened: Owner,
    },
}

impl RowError {
    /// A row that does not read as what its key says.
    pub(crate) fn unreadable(row: &Row, reason: impl Into<String>) -> Self {
        Self::Unreadable {
            row: row.key.escape_ascii().to_string(),
            reason: reason.into(),
        }
    }
}

/// Whose rows they are: a directory opened by the wrong node would lock the right one out.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::exhaustive_enums, reason = "there are two kinds of nodes")]
pub enum Owner {
    /// The hub of the swarm.
    Hub,
    /// An agent.
    Agent(AgentId),
}

impl Owner {
    /// Refuses rows of another node.
    pub(crate) fn check(&self, opened: &Self) -> Result<(), RowError> {
        if self == opened {
            return Ok(());
        }
        let (held, opened) = (self.clone(), opened.clone());
        Err(RowError::Owner { held, opened })
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hub => f.write_str("a hub"),
            Self::Agent(agent) => write!(f, "the agent {agent}"),
        }
    }
}
