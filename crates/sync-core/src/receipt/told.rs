//! A receipt in sentences: what became of the write, and the comparison that decided it.

use std::fmt;

use super::compared::compared;
use super::{Reason, Receipt};
use crate::id::start_of;
use crate::policy::Pattern;

impl Receipt {
    /// The deciding comparison, as a sentence. It is told from the rest, not stored.
    pub fn why(&self) -> String {
        match &self.reason {
            Reason::Superseded {
                winner,
                winner_stamp,
                rule,
                ..
            } => compared((self.stamp, &self.write), (*winner_stamp, winner), *rule),
            Reason::Merged { by, into, .. } => {
                format!("{by} has made one value of it and of others that had not seen it: {into}")
            }
            Reason::RuleMismatch { rule } => format!(
                "the key is under the rule {rule}, by a policy or an earlier write, and that rule has no place for it"
            ),
            Reason::FutureStamp { ahead_ms, limit_ms } => format!(
                "its stamp {} is {ahead_ms} ms ahead of the hub's clock; {limit_ms} ms are tolerated",
                self.stamp.utc()
            ),
            Reason::TooLarge { bytes, limit } => {
                format!("its value takes {bytes} bytes; the limit of the key is {limit}")
            }
            Reason::Dropped { pattern, .. } => format!(
                "more receipts waited for the agent than {} lets wait",
                policy(pattern.as_ref())
            ),
            Reason::Forbidden => "its writer has no right to write the key".to_owned(),
            Reason::QuotaExceeded { quota, limit } => {
                format!("the swarm may hold {limit} {quota}, and would hold more with it")
            }
            Reason::Unknown => {
                "it was covered, and the hub that knew by what has lost its disk".to_owned()
            }
        }
    }
}

/// Which bound was reached.
fn policy(pattern: Option<&Pattern>) -> String {
    let named = |pattern: &Pattern| format!("the policy of {:?}", start_of(pattern.as_str()));
    pattern.map_or_else(|| "the bound for keys without a policy".to_owned(), named)
}

/// A sentence for people.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (write, key) = (&self.write, &self.key);
        match &self.reason {
            Reason::Superseded { winner, rule, .. } => {
                let why = self.why();
                write!(
                    f,
                    "{write} to {key:?} lost against the concurrent {winner} under {rule}: {why}"
                )
            }
            Reason::Merged { by, into, .. } => {
                write!(f, "{write} to {key:?} was merged by {by} into {into}")
            }
            Reason::RuleMismatch { rule } => write!(
                f,
                "{write} was not admitted: {key:?} is under the rule {rule}, by a policy or an earlier write; use another key"
            ),
            Reason::FutureStamp { ahead_ms, limit_ms } => write!(
                f,
                "{write} was not admitted: its clock is {ahead_ms} ms ahead of the hub's, \
                 {limit_ms} ms are tolerated; set the clock and write again"
            ),
            Reason::Forbidden => write!(
                f,
                "{write} was not admitted: its writer has no right to write {key:?}; have it granted at the hub, or use another key"
            ),
            Reason::QuotaExceeded { quota, limit } => write!(
                f,
                "{write} to {key:?} was not admitted: the swarm may hold {limit} {quota}, and would hold more with it; delete what nobody needs, or raise the bound at the hub"
            ),
            Reason::Unknown => write!(
                f,
                "{write} to {key:?} is no longer visible, and the hub that knew why has lost its disk"
            ),
            Reason::Dropped {
                count,
                pattern,
                first,
            } => {
                let (first, last) = (first.get(), self.revision.get());
                let (agent, policy) = (self.addressee(), policy(pattern.as_ref()));
                write!(
                    f,
                    "{count} writes of {agent} were lost between revision {first} and {last}, and their receipts dropped: more waited than {policy} lets wait"
                )
            }
            Reason::TooLarge { bytes, limit } => write!(
                f,
                "{write} was not admitted: {bytes} bytes are over the limit of {limit} for {key:?}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AgentId, Incarnation, Key, Revision, Seq, WriteId, Writer};
    use crate::payload::Payload;
    use crate::resolver::MergeRule;
    use crate::stamp::Stamp;
    use crate::value::Value;

    fn id(agent: &str, run: u64, seq: u64) -> WriteId {
        let agent = AgentId::new(agent).unwrap();
        let writer = Writer::new(agent, Incarnation::from_random(run));
        WriteId::new(writer, Seq::new(seq))
    }

    fn lost(write: WriteId, stamp: u64, winner: WriteId, winner_stamp: u64) -> Receipt {
        Receipt {
            write,
            key: Key::new("k").unwrap(),
            stamp: Stamp::from_bits(stamp),
            discarded: Payload::put(&Value::from(1)),
            reason: Reason::Superseded {
                winner,
                winner_stamp: Stamp::from_bits(winner_stamp),
                winner_value: Some(2.into()),
                rule: MergeRule::Lww,
            },
            revision: Revision::new(3),
        }
    }

    #[test]
    fn the_deciding_comparison_is_the_first_that_differs() {
        let (a, b) = (|| id("a", 1, 5), || id("b", 1, 1));
        let later_run = id("a", 2, 1);
        let cases = [
            (lost(a(), 7, b(), 8), "is older than the winner's"),
            (lost(b(), 7, a(), 8), "is older than the winner's"),
            (lost(a(), 7, b(), 7), "agent b comes after a"),
            (
                lost(a(), 7, later_run, 7),
                "run 0000000000000002 of a comes after its run 0000000000000001",
            ),
            (
                lost(a(), 7, id("a", 1, 6), 7),
                "write 6 of a comes after its write 5",
            ),
            (lost(a(), 9, b(), 8), "the rule lww chose the winner"),
        ];
        for (receipt, expected) in cases {
            assert!(receipt.why().contains(expected), "{}", receipt.why());
            assert!(receipt.to_string().contains(&receipt.why()), "{receipt}");
        }
    }

    #[test]
    fn stamps_are_told_as_times() {
        let stamp = |ms: u64| Stamp::at_millis(1_700_000_000_000 + ms).bits();
        let receipt = lost(id("a", 1, 1), stamp(0) + 3, id("b", 1, 1), stamp(10));
        assert_eq!(
            receipt.why(),
            "its stamp 2023-11-14T22:13:20.000Z/3 is older than the winner's 2023-11-14T22:13:20.010Z/0"
        );
    }
}
