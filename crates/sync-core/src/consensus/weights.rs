//! What participants weigh.

use std::collections::BTreeMap;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::error::DecodeError;
use bincode::{BorrowDecode, Decode, Encode};
use serde::Serialize;
use thiserror::Error;

use crate::id::AgentId;

/// The greatest weight of one agent: no sum of a roster's weights comes near what a number can hold.
pub const WEIGHT_MAX: f64 = 1e12;

/// What each agent weighs: who is not named weighs 1.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Encode)]
pub struct Weights(BTreeMap<AgentId, f64>);

/// A weight that is none. The caller's fault; nothing was changed.
#[derive(Debug, Clone, PartialEq, Error)]
#[error(
    "the weight of the agent {agent} is {weight}: give it a number from 0 to {WEIGHT_MAX}, such as 2 or 0.5"
)]
pub struct WeightsError {
    agent: AgentId,
    weight: f64,
}

impl Weights {
    /// These; the last one counts of an agent that is named twice. Refuses a weight that is negative,
    /// infinite, above [`WEIGHT_MAX`] or no number.
    pub fn new(weights: impl IntoIterator<Item = (AgentId, f64)>) -> Result<Self, WeightsError> {
        let mut weights: BTreeMap<AgentId, f64> = weights.into_iter().collect();
        let is_weight = |weight: f64| (0.0..=WEIGHT_MAX).contains(&weight);
        if let Some((agent, weight)) = weights.iter().find(|(_, weight)| !is_weight(**weight)) {
            let (agent, weight) = (agent.clone(), *weight);
            return Err(WeightsError { agent, weight });
        }
        weights.retain(|_, weight| weight.to_bits() != 1.0_f64.to_bits());
        Ok(Self(weights))
    }

    /// What an agent weighs.
    pub fn of(&self, agent: &AgentId) -> f64 {
        self.0.get(agent).copied().unwrap_or(1.0)
    }

    /// What some agents weigh together.
    pub fn sum<'a>(&self, agents: impl IntoIterator<Item = &'a AgentId>) -> f64 {
        // Not `sum`, which makes -0 of nobody.
        agents
            .into_iter()
            .map(|agent| self.of(agent))
            .fold(0.0, |all, own| all + own)
    }

    /// Whether everybody weighs the same.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of some agents.
    #[must_use]
    pub fn among(&self, agents: &[AgentId]) -> Self {
        let named = agents
            .iter()
            .filter_map(|agent| self.0.get_key_value(agent));
        Self(
            named
                .map(|(agent, weight)| (agent.clone(), *weight))
                .collect(),
        )
    }
}

/// Never NaN.
impl Eq for Weights {}

fn checked(read: BTreeMap<AgentId, f64>) -> Result<Weights, DecodeError> {
    Weights::new(read).map_err(|e| DecodeError::OtherString(e.to_string()))
}

impl<C> Decode<C> for Weights {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        checked(BTreeMap::decode(decoder)?)
    }
}

impl<'de, C> BorrowDecode<'de, C> for Weights {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        checked(BTreeMap::borrow_decode(decoder)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    fn agent(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    #[test]
    fn what_is_no_weight_is_refused_with_the_name_of_its_agent() {
        for bad in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e13] {
            let named = [(agent("a"), 1.0), (agent("scout"), bad)];
            let told = Weights::new(named.clone()).unwrap_err().to_string();
            assert!(
                told.contains("the agent scout") && told.contains(&bad.to_string()),
                "{told}"
            );
            let stored = codec::to_bytes(&BTreeMap::from(named));
            codec::from_bytes::<Weights>("weights", &stored).unwrap_err();
        }
        assert!(Weights::new([(agent("a"), 0.0), (agent("b"), WEIGHT_MAX)]).is_ok());
    }

    #[test]
    fn only_weights_that_say_something_are_kept() {
        let weights = [("a", 5.0), ("b", 1.0), ("c", 0.0)];
        let weights = Weights::new(weights.map(|(name, weight)| (agent(name), weight))).unwrap();
        let three = [agent("a"), agent("b"), agent("d")];
        assert_eq!(weights.sum(&three).to_bits(), 7.0_f64.to_bits());
        let own = weights.among(&three);
        assert_eq!(own.0, BTreeMap::from([(agent("a"), 5.0)]));
        let stored = codec::to_bytes(&own);
        let read = codec::from_bytes::<Weights>("weights", &stored);
        assert_eq!(read, Ok(own));
    }
}
