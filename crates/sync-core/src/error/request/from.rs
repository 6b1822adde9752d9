//! What is refused before it is asked is refused in the same way.

use super::RequestError;
use crate::error::{IdError, ValueError};

impl From<ValueError> for RequestError {
    fn from(error: ValueError) -> Self {
        match error {
            ValueError::TooLarge { bytes, limit } => Self::TooLarge {
                bytes: bytes as u64,
                limit: limit as u64,
            },
            other => Self::Invalid {
                reason: other.to_string(),
            },
        }
    }
}

impl From<IdError> for RequestError {
    fn from(error: IdError) -> Self {
        Self::Invalid {
            reason: error.to_string(),
        }
    }
}

impl From<std::convert::Infallible> for RequestError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<crate::resolver::OperationError> for RequestError {
    fn from(error: crate::resolver::OperationError) -> Self {
        Self::Operation {
            reason: error.to_string(),
        }
    }
}
