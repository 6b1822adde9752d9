//! What is to happen, and what must hold for it.

use sync_core::{
    Assignment, AuthorityAsk, Expectation, Key, RequestError, Seen, StateVersion, Token, Value,
    Version,
};

/// The version that a key is expected to be at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    version: Version,
    at: Option<Seen>,
}

impl Expected {
    /// The key must not hold a value.
    pub const ABSENT: Self = Self {
        version: Version::new(0),
        at: None,
    };

    /// The version, and the commit of the hub's at which it was read: should the hub have lost that
    /// commit with its disk, the version says nothing, and the request is refused.
    pub fn read_at(version: Version, at: Seen) -> Self {
        Self {
            version,
            at: Some(at),
        }
    }

    /// What was read, at the position it was read at: none if that is not known. A key that held no value
    /// must not exist.
    pub fn of_read(state: Option<&StateVersion>, at: Option<Seen>) -> Self {
        let version = state.and_then(|state| state.version).unwrap_or_default();
        Self { version, at }
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Where it was read; none if it is not bound to that.
    pub fn position(&self) -> Option<Seen> {
        self.at
    }
}

impl From<Version> for Expected {
    fn from(version: Version) -> Self {
        Self { version, at: None }
    }
}

/// What [`Agent::version`](crate::Agent::version) and its like return: none if there is no value.
impl From<Option<Version>> for Expected {
    fn from(version: Option<Version>) -> Self {
        version.map_or(Self::ABSENT, Self::from)
    }
}

/// A commit with expectations: all of it happens, or nothing.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    expect: Vec<Expectation>,
    assign: Vec<Assignment>,
    metadata: Option<Value>,
}

impl Transaction {
    /// Expects nothing and does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key must be at this version, [`Expected::ABSENT`] if it must not exist.
    #[must_use]
    pub fn expect(mut self, key: Key, expected: impl Into<Expected>) -> Self {
        let Expected { version, at } = expected.into();
        self.expect.push(Expectation::Version { key, version, at });
        self
    }

    /// The claim that was granted with this token must not have ended.
    #[must_use]
    pub fn expect_claim(mut self, key: Key, token: Token) -> Self {
        self.expect.push(Expectation::Claim { key, token });
        self
    }

    /// Sets a key.
    #[must_use]
    pub fn set(mut self, key: Key, value: impl Into<Value>) -> Self {
        let value = Some(value.into());
        self.assign.push(Assignment { key, value });
        self
    }

    /// Deletes a key. Of a claim that is expected: releases it.
    #[must_use]
    pub fn delete(mut self, key: Key) -> Self {
        self.assign.push(Assignment { key, value: None });
        self
    }

    /// Hangs a map on what is written.
    #[must_use]
    pub fn metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }

    pub(super) fn into_ask(self) -> Result<AuthorityAsk, RequestError> {
        // The hub is not asked with what the way to it would not take or read.
        for value in self.assign.iter().filter_map(|a| a.value.as_ref()) {
            value.check_depth()?;
        }
        Ok(AuthorityAsk::Commit {
            expect: self.expect.into(),
            assign: self.assign.into(),
            metadata: self.metadata,
        })
    }
}
