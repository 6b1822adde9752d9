//! Requests that the hub alone decides.

use std::time::Duration;

use swarm_sync::{IdError, Key, Token, Value, Version};

use super::fields::Fields;
use super::{Refused, Request};

/// What is to be decided.
#[derive(Debug)]
pub(in super::super) enum AuthorityRequest {
    Cas {
        key: Key,
        expected: Version,
        /// None deletes it.
        value: Option<Value>,
        /// A key that must be claimed, with the token.
        claim: Option<(Key, Token)>,
        timeout: Option<Duration>,
    },
    Claim {
        key: Key,
        lease: Duration,
    },
    Renew {
        key: Key,
        token: Token,
        lease: Duration,
    },
    Release {
        key: Key,
        token: Token,
    },
}

impl Fields {
    pub(super) fn cas(&mut self) -> Result<Request, Refused> {
        let value = if self.flag("delete")? {
            None
        } else {
            Some(self.value("value")?)
        };
        let claim = match self.optional_text("claim")? {
            None => None,
            Some(key) => Some((super::key_of(&key)?, self.token()?)),
        };
        Ok(Request::Authority(AuthorityRequest::Cas {
            key: self.key()?,
            expected: Version::new(self.number("expected")?),
            value,
            claim,
            timeout: self.timeout()?,
        }))
    }

    pub(super) fn claim(&mut self) -> Result<Request, Refused> {
        Ok(Request::Authority(AuthorityRequest::Claim {
            key: self.key()?,
            lease: self.lease()?,
        }))
    }

    pub(super) fn renew(&mut self) -> Result<Request, Refused> {
        Ok(Request::Authority(AuthorityRequest::Renew {
            key: self.key()?,
            token: self.token()?,
            lease: self.lease()?,
        }))
    }

    pub(super) fn release(&mut self) -> Result<Request, Refused> {
        Ok(Request::Authority(AuthorityRequest::Release {
            key: self.key()?,
            token: self.token()?,
        }))
    }

    fn lease(&mut self) -> Result<Duration, Refused> {
        self.number("lease_ms").map(Duration::from_millis)
    }

    fn token(&mut self) -> Result<Token, Refused> {
        let token = self.text("token")?;
        token
            .parse()
            .map_err(|e: IdError| Refused::bad(e.to_string()))
    }
}
