//! The past in sentences.

use std::fmt;

use super::{
    Did, Dropped, DroppedBy, LossReason, Omitted, PastCommit, PastKind, PastLoss, PastValue,
    PastWrite,
};
use crate::id::{WriteId, start_of};
use crate::stamp::Stamp;

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
        does(f, self.did, self.field.as_deref(), &self.value)
    }
}

fn does(
    f: &mut fmt::Formatter<'_>,
    did: Did,
    field: Option<&str>,
    value: &PastValue,
) -> fmt::Result {
    let field = start_of(field.unwrap_or_default());
    match did {
        Did::Set => write!(f, "set it to {value}"),
        Did::Delete => f.write_str("deleted it"),
        Did::Add => write!(f, "brought its own part of the sum to {value}"),
        Did::Insert => write!(f, "inserted {value}"),
        Did::Put => write!(f, "set its field {field:?} to {value}"),
        Did::Unset => write!(f, "removed its field {field:?}"),
        Did::Clear => f.write_str("removed all its fields"),
        Did::Claim => write!(f, "claimed it: {value}"),
    }
}

/// A sentence.
impl fmt::Display for PastLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.write)?;
        does(f, self.did, self.field.as_deref(), &self.value)?;
        match &self.why {
            LossReason::Superseded {
                winner,
                winner_stamp,
                rule,
            } => {
                let why = comparison((*winner_stamp, winner), (self.stamp, &self.write));
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

/// By what a winner has won.
fn comparison(winner: (Stamp, &WriteId), loser: (Stamp, &WriteId)) -> String {
    let ((won, winner), (lost, loser)) = (winner, loser);
    if won > lost {
        let ms = won.millis() - lost.millis();
        return match ms {
            0 => "it is later by the count within the same millisecond".to_owned(),
            ms => format!("it was written {ms} ms later"),
        };
    }
    let (name, other) = (winner.writer.agent(), loser.writer.agent());
    if won == lost && name != other {
        return format!("both were written at the same time, and {name} comes after {other}");
    }
    if won == lost {
        return "both were written at the same time, and its number is greater".to_owned();
    }
    "by its rule, whatever the time".to_owned()
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

    fn headline(&self) -> String {
        let (version, revision) = (self.version.get(), self.revision.get());
        let at = format!("version {version}, revision {revision}");
        let under = self.rule.map(|rule| format!(" under {rule}"));
        let under = under.unwrap_or_default();
        let by = self.writes.first().map(|write| &write.write);
        match (self.kind, self.writes.first(), by) {
            (PastKind::Expired, ..) => format!("Its lifetime ended ({at})."),
            (PastKind::Cleared, ..) => format!("It was cleared ({at})."),
            (PastKind::Merged, Some(_), Some(by)) => {
                format!("A merge made {} of it, {by} ({at}){under}.", self.value)
            }
            (PastKind::Unchanged, ..) => format!("What it shows stayed as it was ({at}){under}."),
            (_, Some(write), Some(by)) => format!("{by} {write} ({at}){under}."),
            (PastKind::Deleted, ..) => format!("What was there was deleted ({at})."),
            _ => format!("It came to {} ({at}){under}.", self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AgentId, Incarnation, Seq, Writer};

    fn id(name: &str, seq: u64) -> WriteId {
        let writer = Writer::new(AgentId::new(name).unwrap(), Incarnation::from_random(1));
        WriteId::new(writer, Seq::new(seq))
    }

    #[test]
    fn a_comparison_names_what_decided() {
        let (late, early) = (Stamp::at_millis(9), Stamp::at_millis(4));
        let cases = [
            ((late, id("a", 1)), (early, id("b", 1)), "5 ms later"),
            (
                (late.next(), id("a", 1)),
                (late, id("b", 1)),
                "same millisecond",
            ),
            ((late, id("b", 1)), (late, id("a", 1)), "b comes after a"),
            (
                (late, id("a", 2)),
                (late, id("a", 1)),
                "its number is greater",
            ),
            ((early, id("a", 1)), (late, id("b", 1)), "by its rule"),
        ];
        for ((won, winner), (lost, loser), expected) in cases {
            let told = comparison((won, &winner), (lost, &loser));
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn a_value_is_told_in_short() {
        let long = crate::value::Value::from("x".repeat(99));
        assert!(PastValue::from(Some(long)).to_string().ends_with('…'));
        assert_eq!(PastValue::default().to_string(), "no value");
        let omitted = PastValue::omitted(Omitted::Bytes(7)).to_string();
        assert_eq!(omitted, "a value of 7 bytes");
    }
}
