//! Every participant counts the same.

use sync_core::{AgentId, ConsensusAlgorithm, Share, Tally};

use super::{has_majority, verdict, worth};

/// Counts the participants in favour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// None for more than half.
    threshold: Option<Share>,
    /// Whether a proposer may ask for another one.
    is_fixed: bool,
}

impl Quorum {
    /// More than half, unless the proposer asks for another share.
    pub fn majority() -> Self {
        Self {
            threshold: None,
            is_fixed: false,
        }
    }

    /// At least this share, unless the proposer asks for another one.
    pub fn of(share: Share) -> Self {
        Self {
            threshold: Some(share),
            is_fixed: false,
        }
    }

    /// Everybody, always.
    pub fn unanimous() -> Self {
        Self {
            threshold: Some(Share::WHOLE),
            is_fixed: true,
        }
    }
}

impl ConsensusAlgorithm for Quorum {
    fn judge(&self, tally: &Tally<'_>) -> Option<bool> {
        if !has_majority(tally) {
            return None;
        }
        let threshold = tally
            .threshold
            .filter(|_| !self.is_fixed)
            .or(self.threshold);
        verdict(worth(tally, |_| 1.0), threshold)
    }

    fn default_threshold(&self) -> Option<Share> {
        self.threshold
    }

    fn check(&self, _participants: &[AgentId], threshold: Option<Share>) -> Result<(), String> {
        match threshold {
            Some(share) if self.is_fixed && Some(share) != self.threshold => Err(format!(
                "a threshold of {share} is not unanimous: leave the threshold out, or name another algorithm"
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sync_core::{Ballot, Vote, Weights};

    use super::*;

    /// `+`, `-`, `0` for the votes of `a`, `b`, …; `.` for none.
    fn judge(quorum: Quorum, votes: &str, threshold: Option<f64>) -> Option<bool> {
        let names = ('a'..='z').take(votes.len());
        let participants: Vec<_> = names
            .map(|c| AgentId::new(c.to_string()).unwrap())
            .collect();
        let votes = participants.iter().zip(votes.chars());
        let votes = votes.filter_map(|(agent, vote)| {
            let vote = match vote {
                '+' => Vote::For,
                '-' => Vote::Against,
                '0' => Vote::Abstain,
                _ => return None,
            };
            Some((agent.clone(), Ballot { vote, reason: None }))
        });
        let votes: BTreeMap<_, _> = votes.collect();
        quorum.judge(&Tally {
            participants: &participants,
            votes: &votes,
            threshold: threshold.map(|t| Share::new(t).unwrap()),
            weights: &Weights::default(),
        })
    }

    #[test]
    fn a_simple_majority_is_more_than_half_of_the_participants() {
        let cases = [
            ("+", Some(true)),
            ("-", Some(false)),
            ("0", Some(false)),
            ("+.", None),
            ("++", Some(true)),
            ("+-", Some(false)),
            ("+0", Some(false)),
            ("+..", None),
            ("++.", Some(true)),
            ("+-.", None),
            ("--.", Some(false)),
            ("+0.", None),
            ("00.", Some(false)),
            ("++..", None),
            ("++-.", None),
            ("+++.", Some(true)),
            ("++--", Some(false)),
            ("--+..", None),
            ("--+-.", Some(false)),
        ];
        for (votes, expected) in cases {
            assert_eq!(judge(Quorum::majority(), votes, None), expected, "{votes}");
        }
    }

    #[test]
    fn a_threshold_is_a_share_of_the_participants_that_is_reached_and_not_exceeded() {
        let cases = [
            ("++-", 2.0 / 3.0, Some(true)),
            ("++.", 0.66, Some(true)),
            ("++.", 0.67, None),
            ("++-", 0.67, Some(false)),
            ("++--", 0.5, Some(true)),
            // Few are enough, but not before most have voted.
            ("+.........", 0.1, None),
            ("+-----....", 0.1, Some(true)),
            ("------....", 0.1, None),
            ("----------", 0.1, Some(false)),
            // What rounding makes of a share is that share.
            ("+++-------", 0.1 + 0.2, Some(true)),
            // A share of nobody is not enough with nobody.
            ("---", f64::MIN_POSITIVE, Some(false)),
        ];
        for (votes, threshold, expected) in cases {
            let verdict = judge(Quorum::majority(), votes, Some(threshold));
            assert_eq!(verdict, expected, "{votes} {threshold}");
            let own = Quorum::of(Share::new(threshold).unwrap());
            assert_eq!(judge(own, votes, None), expected, "{votes} {threshold}");
        }
    }

    #[test]
    fn unanimity_takes_everybody_and_no_other_threshold() {
        let unanimous = Quorum::unanimous();
        for (votes, expected) in [
            ("++.", None),
            ("+++", Some(true)),
            ("+-.", Some(false)),
            ("-..", None),
            ("++0", Some(false)),
        ] {
            assert_eq!(judge(unanimous, votes, None), expected, "{votes}");
        }
        assert_eq!(unanimous.check(&[], Some(Share::WHOLE)), Ok(()));
        let half = Share::new(0.5).unwrap();
        let refused = unanimous.check(&[], Some(half)).unwrap_err();
        assert!(refused.contains("0.5 is not unanimous"), "{refused}");
        // Whatever it is asked all the same.
        assert_eq!(judge(unanimous, "++-", Some(0.5)), Some(false));
    }
}
