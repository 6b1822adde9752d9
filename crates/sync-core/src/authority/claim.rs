//! A claim as it is stored: a value that everybody can read, and the token that proves it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cursor::Seen;
use crate::error::IdError;
use crate::id::{AgentId, Epoch, Revision, start_of};
use crate::value::Value;

/// What proves a claim: the commit that granted it. Whoever was granted the key later has a greater
/// revision, so that the token fences off who was too slow. Written `EPOCH:REVISION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Token(Seen);

impl Token {
    /// That of the claim granted by this commit.
    pub fn new(epoch: Epoch, revision: Revision) -> Self {
        Self(Seen { epoch, revision })
    }

    /// The commit that granted the claim.
    pub fn granted(&self) -> Seen {
        self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.epoch, self.0.revision.get())
    }
}

impl FromStr for Token {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let none = || IdError::Token {
            text: start_of(text),
        };
        let (epoch, revision) = text.split_once(':').ok_or_else(none)?;
        let revision = revision.parse().map_err(|_| none())?;
        let epoch = epoch.parse().map_err(|_| none())?;
        Ok(Self::new(epoch, Revision::new(revision)))
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Who has a key for itself, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a claim is")]
pub struct Claim {
    /// Who.
    pub holder: AgentId,
    /// What proves it.
    pub token: Token,
    /// For how long, in milliseconds, from when it was granted or last renewed.
    pub lease_ms: u64,
}

impl Claim {
    /// As the value that readers of the key see.
    pub fn value(&self) -> Value {
        let lease_ms = i64::try_from(self.lease_ms).unwrap_or(i64::MAX);
        let parts = [
            ("holder", Value::from(self.holder.as_str())),
            ("lease_ms", Value::Int(lease_ms)),
            ("token", Value::Text(self.token.to_string())),
        ];
        let named = parts.map(|(name, value)| (name.to_owned(), value));
        Value::Map(BTreeMap::from(named))
    }

    /// Back from that value; none if it is another one.
    pub fn from_value(value: &Value) -> Option<Self> {
        let Value::Map(parts) = value else {
            return None;
        };
        let [holder, lease_ms, token] = ["holder", "lease_ms", "token"].map(|name| parts.get(name));
        let (Some(Value::Text(holder)), Some(Value::Int(lease_ms)), Some(Value::Text(token))) =
            (holder, lease_ms, token)
        else {
            return None;
        };
        let claim = Self {
            holder: AgentId::new(holder).ok()?,
            token: token.parse().ok()?,
            lease_ms: u64::try_from(*lease_ms).ok()?,
        };
        // One form of each claim: what is not exactly that has other bytes than its copies.
        (claim.value() == *value).then_some(claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim {
            holder: AgentId::new("agent-1").unwrap(),
            token: Token::new(Epoch::from_random(7), Revision::new(12)),
            lease_ms: 30_000,
        }
    }

    #[test]
    fn claims_and_tokens_read_back() {
        assert_eq!(Claim::from_value(&claim().value()), Some(claim()));
        let text = claim().token.to_string();
        assert_eq!(text, "0000000000000007:12");
        assert_eq!(text.parse::<Token>().unwrap(), claim().token);
    }

    #[test]
    fn other_values_are_no_claims() {
        let with = |name: &str, value: Value| {
            let Value::Map(mut parts) = claim().value() else {
                unreachable!("a claim is a map");
            };
            parts.insert(name.to_owned(), value);
            Value::Map(parts)
        };
        let others = [
            Value::Null,
            with("more", Value::Null),
            with("holder", Value::from("")),
            with("lease_ms", Value::Int(-1)),
            with("token", Value::from("7:12")),
            with("token", Value::from("x")),
        ];
        for other in others {
            assert_eq!(Claim::from_value(&other), None, "{other}");
        }
    }

    #[test]
    fn a_text_that_is_no_token_says_so() {
        for text in ["", ":", "7", "x:1", "7:", "7:-1", "7:1:1"] {
            let error = text.parse::<Token>().unwrap_err().to_string();
            assert!(error.contains("EPOCH:REVISION"), "{error}");
        }
    }
}
