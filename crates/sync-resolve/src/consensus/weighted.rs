//! Participants weigh what was declared for them.

use sync_core::consensus::{Weights, WeightsError};
use sync_core::{AgentId, ConsensusAlgorithm, Share, Tally};

use super::{LEAST_TO_SLACK, has_majority, verdict, worth};

/// Weighs the participants in favour. Who was given no weight weighs 1. It takes a majority by weight
/// and by count to decide. What counts is what they weighed when the proposal was made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weighted {
    weights: Weights,
}

impl Weighted {
    /// With these weights, as [`Weights::new`] takes them.
    pub fn new(weights: impl IntoIterator<Item = (AgentId, f64)>) -> Result<Self, WeightsError> {
        let weights = Weights::new(weights)?;
        Ok(Self { weights })
    }

    /// What an agent weighs.
    pub fn of(&self, agent: &AgentId) -> f64 {
        self.weights.of(agent)
    }
}

impl ConsensusAlgorithm for Weighted {
    fn judge(&self, tally: &Tally<'_>) -> Option<bool> {
        let worth = worth(tally, |agent| tally.weights.of(agent));
        if !has_majority(tally) || !worth.is_majority(worth.voted) {
            return None;
        }
        verdict(worth, tally.threshold)
    }

    fn default_threshold(&self) -> Option<Share> {
        None
    }

    fn weights(&self, participants: &[AgentId]) -> Weights {
        self.weights.among(participants)
    }

    fn check(&self, participants: &[AgentId], _threshold: Option<Share>) -> Result<(), String> {
        let weighs = |agent: &&AgentId| self.of(agent) > 0.0;
        if let Some(lightest) = participants.iter().filter(weighs).min_by(|a, b| {
            let (a, b) = (self.of(a), self.of(b));
            a.total_cmp(&b)
        }) {
            return self.check_lightest(lightest, participants);
        }
        let names: Vec<&str> = participants.iter().take(3).map(AgentId::as_str).collect();
        let more = if participants.len() > names.len() {
            ", …"
        } else {
            ""
        };
        Err(format!(
            "every agent of the roster weighs 0 ({}{more}): nobody could approve anything; give one of them a weight",
            names.join(", ")
        ))
    }
}

impl Weighted {
    /// Whoever weighs something has to make a difference to the sum, whatever rounding does to it.
    fn check_lightest(&self, lightest: &AgentId, roster: &[AgentId]) -> Result<(), String> {
        let (least, total) = (self.of(lightest), self.sum(roster));
        let participants = f64::from(u32::try_from(roster.len()).unwrap_or(u32::MAX));
        if least >= total * participants * f64::EPSILON * LEAST_TO_SLACK {
            return Ok(());
        }
        Err(format!(
            "{lightest} weighs {least} and all of the roster together {total}: so little would be lost in the sum; give weights that are closer to each other, or 0 to whoever is not to count"
        ))
    }

    fn sum(&self, roster: &[AgentId]) -> f64 {
        roster.iter().map(|agent| self.of(agent)).sum()
    }
}

#[cfg(test)]
mod tests {
    use sync_core::{Ballot, Vote};

    use super::*;

    fn agent(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    fn weighted(weights: &[(&str, f64)]) -> Weighted {
        Weighted::new(weights.iter().map(|(name, weight)| (agent(name), *weight))).unwrap()
    }

    fn judge(
        weights: &[(&str, f64)],
        votes: &[(&str, Vote)],
        roster: &[&str],
        threshold: Option<f64>,
    ) -> Option<bool> {
        let participants: Vec<_> = roster.iter().map(|name| agent(name)).collect();
        let votes = votes.iter().map(|(name, vote)| {
            let (vote, reason) = (*vote, None);
            (agent(name), Ballot { vote, reason })
        });
        let weighted = weighted(weights);
        weighted.judge(&Tally {
            participants: &participants,
            votes: &votes.collect(),
            threshold: threshold.map(|t| Share::new(t).unwrap()),
            weights: &weighted.weights(&participants),
        })
    }

    #[test]
    fn a_heavy_agent_counts_for_many_but_does_not_decide_alone() {
        let weights = [("a", 5.0)];
        let roster = ["a", "b", "c"];
        let (yes, no) = (Vote::For, Vote::Against);
        assert_eq!(judge(&weights, &[("a", yes)], &roster, None), None);
        let two = [("a", yes), ("b", no)];
        assert_eq!(judge(&weights, &two, &roster, None), Some(true));
        // Two of three have voted, but with 2 of 7 they are no majority.
        let light = [("b", no), ("c", no)];
        assert_eq!(judge(&weights, &light, &roster, None), None);
        let all = [("a", no), ("b", yes), ("c", yes)];
        assert_eq!(judge(&weights, &all, &roster, None), Some(false));
    }

    #[test]
    fn sums_of_weights_are_compared_as_numbers_and_not_as_bits() {
        let weights = [("a", 0.1), ("b", 0.2), ("c", 0.7)];
        let roster = ["a", "b", "c"];
        let votes = [("a", Vote::For), ("b", Vote::For), ("c", Vote::Against)];
        assert_eq!(judge(&weights, &votes, &roster, Some(0.3)), Some(true));
        // Half is not more than half, whatever rounding makes of it.
        let weights = [("a", 0.1), ("b", 0.2), ("c", 0.3)];
        assert_eq!(judge(&weights, &votes, &roster, None), Some(false));
        assert_eq!(judge(&weights, &votes, &roster, Some(0.5)), Some(true));
    }

    #[test]
    fn who_weighs_little_counts_all_the_same_and_too_little_is_refused() {
        let (yes, no) = (Vote::For, Vote::Against);
        let roster = ["a", "b", "c"];
        let lead = [("a", 2e9)];
        let votes = [("a", yes), ("b", no)];
        assert_eq!(judge(&lead, &votes, &roster, Some(1.0)), Some(false));
        assert_eq!(judge(&lead, &votes, &roster, Some(0.99)), Some(true));
        let even = [("a", 1e12), ("b", 1e12)];
        let votes = [("a", yes), ("b", no), ("c", yes)];
        assert_eq!(judge(&even, &votes, &roster, None), Some(true));
        let votes = [("a", yes), ("b", no), ("c", no)];
        assert_eq!(judge(&even, &votes, &roster, None), Some(false));
        let far = weighted(&[("a", 1e12), ("b", 1e-12)]);
        let refused = far.check(&roster.map(agent), None).unwrap_err();
        assert!(refused.starts_with("b weighs"), "{refused}");
        assert_eq!(far.check(&[agent("a"), agent("c")], None), Ok(()));
    }

    #[test]
    fn who_weighs_nothing_has_voted_all_the_same() {
        let weights = [("b", 0.0)];
        let votes = [("a", Vote::For), ("b", Vote::Against)];
        assert_eq!(judge(&weights, &votes[..1], &["a", "b"], None), None);
        assert_eq!(judge(&weights, &votes, &["a", "b"], None), Some(true));
    }

    #[test]
    fn a_roster_that_weighs_nothing_cannot_decide() {
        let nothing = weighted(&[("a", 0.0), ("b", 0.0)]);
        let refused = nothing.check(&[agent("a"), agent("b")], None).unwrap_err();
        assert!(refused.contains("(a, b)"), "{refused}");
        assert_eq!(nothing.check(&[agent("a"), agent("c")], None), Ok(()));
    }
}
