//! A receipt as one flat JSON object, under names that no reason changes.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Reason, Receipt};

impl Reason {
    /// A stable word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Superseded { .. } => "superseded",
            Self::Merged { .. } => "merged",
            Self::RuleMismatch { .. } => "rule-mismatch",
            Self::FutureStamp { .. } => "future-stamp",
            Self::TooLarge { .. } => "too-large",
            Self::Dropped { .. } => "dropped",
            Self::Unknown => "unknown",
            Self::Forbidden => "forbidden",
            Self::QuotaExceeded { .. } => "quota-exceeded",
        }
    }
}

impl Serialize for Receipt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("write", &self.write)?;
        object.serialize_entry("key", &self.key)?;
        if let Some(field) = self.discarded.field_name() {
            object.serialize_entry("field", field)?;
        }
        object.serialize_entry("value", &self.discarded.value())?;
        object.serialize_entry("stamp", &self.stamp)?;
        object.serialize_entry("reason", self.reason.kind())?;
        object.serialize_entry("winner", &self.winner())?;
        object.serialize_entry("winner_stamp", &self.winner_stamp())?;
        object.serialize_entry("winning_value", &self.winning_value())?;
        object.serialize_entry("rule", &self.rule())?;
        object.serialize_entry("why", &self.why())?;
        object.serialize_entry("revision", &self.revision)?;
        match &self.reason {
            Reason::Merged { by, .. } => object.serialize_entry("by", by)?,
            Reason::FutureStamp { ahead_ms, limit_ms } => {
                object.serialize_entry("ahead_ms", ahead_ms)?;
                object.serialize_entry("limit_ms", limit_ms)?;
            }
            Reason::TooLarge { bytes, limit } => {
                object.serialize_entry("bytes", bytes)?;
                object.serialize_entry("limit", limit)?;
            }
            Reason::QuotaExceeded { quota, limit } => {
                object.serialize_entry("quota", quota)?;
                object.serialize_entry("limit", limit)?;
            }
            Reason::Dropped {
                count,
                pattern,
                first,
            } => {
                object.serialize_entry("count", count)?;
                object.serialize_entry("pattern", pattern)?;
                object.serialize_entry("first", first)?;
            }
            Reason::Superseded { .. }
            | Reason::RuleMismatch { .. }
            | Reason::Unknown
            | Reason::Forbidden => {}
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::id::{AgentId, Incarnation, Key, Revision, Seq, WriteId, Writer};
    use crate::payload::Payload;
    use crate::resolver::MergeRule;
    use crate::stamp::Stamp;
    use crate::value::Value;

    use super::*;

    #[test]
    fn a_receipt_is_one_flat_object() {
        let id = |agent: &str| {
            let agent = AgentId::new(agent).unwrap();
            let writer = Writer::new(agent, Incarnation::from_random(1));
            WriteId::new(writer, Seq::new(2))
        };
        let receipt = Receipt {
            write: id("a"),
            key: Key::new("k").unwrap(),
            stamp: Stamp::at_millis(5),
            discarded: Payload::field("f", &Value::from("mine")).unwrap(),
            reason: Reason::Merged {
                by: "max".to_owned(),
                into: id("b"),
                into_stamp: Stamp::at_millis(6),
                into_value: "theirs".into(),
                rule: MergeRule::Custom,
            },
            revision: Revision::new(7),
        };
        let expected = json!({
            "write": "a/0000000000000001/2",
            "key": "k",
            "field": "f",
            "value": "mine",
            "stamp": "5.0",
            "reason": "merged",
            "winner": "b/0000000000000001/2",
            "winner_stamp": "6.0",
            "winning_value": "theirs",
            "rule": "custom",
            "why": receipt.why(),
            "revision": 7,
            "by": "max",
        });
        assert_eq!(json!(receipt), expected);
    }
}
