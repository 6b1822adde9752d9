//! Requests that the hub alone decides.

use std::time::Duration;

use serde_json::Value as Json;
use swarm_sync::{Expected, IdError, Key, Token, Value, Version};

use super::Refused;
use super::fields::Fields;
use crate::position::parse_expected;

/// What the hub is to decide, and how long that may take.
#[derive(Debug)]
pub(in super::super) struct AuthorityRequest {
    pub(in super::super) what: Decide,
    pub(in super::super) timeout: Option<Duration>,
}

/// What is to be decided.
#[derive(Debug)]
pub(in super::super) enum Decide {
    Cas {
        key: Key,
        /// None if the claim is all that is expected.
        expected: Option<Expected>,
        /// None deletes it.
        value: Option<Value>,
        /// A key that must be claimed, with the token.
        claim: Option<(Key, Token)>,
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
    pub(super) fn authority(&mut self) -> Result<AuthorityRequest, Refused> {
        let what = match self.op.as_str() {
            "claim" => Decide::Claim {
                key: self.key()?,
                lease: self.lease()?,
            },
            "renew" => Decide::Renew {
                key: self.key()?,
                token: self.token()?,
                lease: self.lease()?,
            },
            "release" => Decide::Release {
                key: self.key()?,
                token: self.token()?,
            },
            _ => self.cas()?,
        };
        let timeout = self.timeout()?;
        Ok(AuthorityRequest { what, timeout })
    }

    fn cas(&mut self) -> Result<Decide, Refused> {
        self.check_whole()?;
        let value = if self.flag("delete")? {
            None
        } else {
            Some(self.value("value")?)
        };
        let claim = match self.optional_text("claim")? {
            None => None,
            Some(key) => Some((super::key_of(&key)?, self.token()?)),
        };
        let key = self.key()?;
        let expected = self.expected(claim.is_some())?;
        Ok(Decide::Cas {
            key,
            expected,
            value,
            claim,
        })
    }

    /// Says all at once if several things are missing.
    fn check_whole(&self) -> Result<(), Refused> {
        let needed: [(&[&str], &str); 3] = [
            (&["key"], "\"key\""),
            (&["value", "delete"], "\"value\", or \"delete\":true"),
            (
                &["expected", "claim"],
                "\"expected\", or \"claim\" with its \"token\"",
            ),
        ];
        let is_missing = |names: &&[&str]| names.iter().all(|name| self.peek(name).is_none());
        let missing = needed.iter().filter(|(names, _)| is_missing(names));
        let missing: Vec<&str> = missing.map(|(_, words)| *words).collect();
        if missing.len() < 2 {
            return Ok(());
        }
        let missing = missing.join("; ");
        Err(Refused::bad(format!("`cas` needs more: {missing}")))
    }

    /// The version expected, bound to where it was read or not, which may be left out under a claim.
    fn expected(&mut self, claimed: bool) -> Result<Option<Expected>, Refused> {
        let needed = "the version that the key is at, 0 if it must not exist, or the \"expected\" of a read; it may be left out only with \"claim\" and its \"token\"";
        match self.take("expected") {
            None if claimed => Ok(None),
            // Text is bound to a position: a bare version is a number.
            Some(Json::String(text)) => match parse_expected(&text) {
                Ok(expected) if expected.position().is_some() => Ok(Some(expected)),
                Ok(_) => Err(self.mistyped("expected", needed)),
                Err(needed) => Err(self.mistyped("expected", &needed)),
            },
            given => {
                let version = given.and_then(|version| version.as_u64());
                let version = version.ok_or_else(|| self.mistyped("expected", needed))?;
                Ok(Some(Version::new(version).into()))
            }
        }
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
