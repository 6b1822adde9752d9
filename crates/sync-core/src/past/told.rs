//! The past in sentences.

use std::fmt;

use super::{
    Did, Dropped, DroppedBy, LossReason, Omitted, PastCommit, PastKind, PastLoss, PastValue,
    PastWrite,
};
use crate::id::start_of;
use crate::receipt::compared;

/// A short form of a value of the past.
impl fmt::Display for PastValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, self.omitted) {
            (Some(value), _) => f.write_str(&start_of(&value.to_json().to_string())),
            (None, Some(Omitted::Bytes(bytes))) => write!(f, "a value of {bytes} bytes"),
            (None, Some(Omitted::Parts(parts))) => write!(f, "a value of {parts} parts"),
            (None, None) => f.write_str("no value"),
        }
    }
}

impl fmt::Display for PastKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
            Self::Cleared => "cleared",
            Self::Merged => "merged",
            Self::Unchanged => "unchanged",
        })
    }
}

/// What a write did, as the rest of a sentence that begins with who.
impl fmt::Display for PastWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = &self.value;
        let field = start_of(self.field.as_deref().unwrap_or_default());
        match self.did {
            Did::Set => write!(f, "set it to {value}"),
            Did::Delete => f.write_str("deleted it"),
            Did::Add => write!(f, "brought its own part of the sum to {value}"),
            Did::Insert => write!(f, "inserted {value}"),
            Did::Put => write!(f, "set its field {field:?} to {value}"),
            Did::Unset => write!(f, "removed its field {field:?}"),
            Did::Clear => f.write_str("removed all its fields"),
            Did::Claim => write!(f, "claimed it: {value}"),
        }?;
        match &self.metadata {
            Some(metadata) => write!(f, ", with {}", metadata.to_json()),
            None => Ok(()),
        }
    }
}

/// A sentence.
impl fmt::Display for PastLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, why } = self;
        write!(f, "{} ({lost}", lost.write)?;
        match why {
            LossReason::Superseded {
                winner,
                winner_stamp,
                rule,
            } => {
                let why = compared((lost.stamp, &lost.write), (*winner_stamp, winner), *rule);
                write!(
                    f,
                    ") lost against the concurrent {winner} under {rule}: {why}"
                )
            }
            LossReason::Merged { by, into } => write!(f, ") was merged by {by} into {into}"),
            LossReason::Refused { sentence } => write!(f, ") came back: {sentence}"),
        }
    }
}

/// The rest of a sentence that begins with what is not kept.
impl fmt::Display for DroppedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { commits: 0 } => f.write_str("the hub keeps no history of this key"),
            Self::Count { commits } => write!(f, "the hub keeps {commits} commits of this key"),
            Self::Age { age_ms } => {
                write!(f, "it is older than the {age_ms} ms that the hub keeps")
            }
            Self::Unrecorded => f.write_str(
                "the hub did not record it then, or under policies that kept less of this key",
            ),
        }
    }
}

/// A sentence.
impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (upto, why) = (self.upto.get(), self.why);
        write!(f, "what was up to version {upto} is not kept: {why}")
    }
}

impl PastCommit {
    /// The commit in sentences, of which the first says what it did and when.
    pub fn sentences(&self) -> Vec<String> {
        let mut told = vec![self.headline()];
        for write in self.writes.iter().skip(1) {
            told.push(format!("With it {} {write}.", write.write));
        }
        told.extend(self.lost.iter().map(|loss| format!("{loss}.")));
        match &self.replaced[..] {
            [] => {}
            [one] => told.push(format!("It replaced {one}, which its author had seen.")),
            [first, ..] => {
                let others = self.replaced.len() - 1;
                told.push(format!(
                    "It replaced {first} and {others} more, which their authors had seen."
                ));
            }
        }
        if self.unnamed > 0 {
            told.push(format!("{} more writes are not listed.", self.unnamed));
        }
        told
    }

    fn asked_by(&self) -> String {
        let by = self.by.as_ref().map(|by| format!(" by {by}"));
        by.unwrap_or_default()
    }

    fn headline(&self) -> String {
        let (version, revision) = (self.version.get(), self.revision.get());
        let at = format!("version {version}, revision {revision}");
        let under = self.rule.map(|rule| format!(" under {rule}"));
        let under = under.unwrap_or_default();
        let by = self.writes.first().map(|write| &write.write);
        match (self.kind, self.writes.first(), by) {
            (PastKind::Expired, ..) => format!("Its lifetime ended ({at})."),
            (PastKind::Cleared, ..) => format!("It was cleared{} ({at}).", self.asked_by()),
            (PastKind::Merged, Some(_), Some(by)) => {
                format!("A merge made {} of it, {by} ({at}){under}.", self.value)
            }
            (PastKind::Unchanged, ..) => format!("What it shows stayed as it was ({at}){under}."),
            (_, Some(write), Some(by)) => format!("{by} {write} ({at}){under}."),
            (PastKind::Deleted, ..) => {
                format!("What was there was deleted{} ({at}).", self.asked_by())
            }
            _ => format!("It came to {} ({at}){under}.", self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_in_short() {
        let long = crate::value::Value::from("x".repeat(99));
        assert!(PastValue::from(Some(long)).to_string().ends_with('…'));
        assert_eq!(PastValue::default().to_string(), "no value");
        let omitted = PastValue::omitted(Omitted::Bytes(7)).to_string();
        assert_eq!(omitted, "a value of 7 bytes");
    }
}
