//! Counting votes, told anew: what a decision must be by the votes that are in it.

use std::sync::Arc;

use sync_core::{AgentId, Algorithms, Decision, Verdict, Vote};
use sync_resolve::Weighted;

/// What the first two agents weigh; the others weigh 1.
const WEIGHTS: [(&str, f64); 2] = [("agent-0", 2.0), ("agent-1", 0.5)];

/// The algorithms of every seed.
pub(crate) fn algorithms() -> Algorithms {
    let weights = WEIGHTS.map(|(name, weight)| (AgentId::new(name).expect("a name"), weight));
    let weighted = Weighted::new(weights).expect("these are weights");
    sync_resolve::algorithms().with("weighted", Arc::new(weighted))
}

/// Halves of 1.
fn weight(agent: &AgentId, is_weighted: bool) -> u32 {
    match agent.as_str() {
        "agent-0" if is_weighted => 4,
        "agent-1" if is_weighted => 1,
        _ => 2,
    }
}

/// What the votes of a decision come to by the words of its algorithm.
pub(crate) fn verdict(decision: &Decision) -> Verdict {
    let is_weighted = decision.algorithm == "weighted";
    let sum = |of: &dyn Fn(Option<Vote>) -> bool| -> u32 {
        let agents = decision.participants.iter().filter(|agent| {
            let cast = decision.votes.iter().find(|cast| cast.agent == **agent);
            of(cast.map(|cast| cast.ballot.vote))
        });
        agents.map(|agent| weight(agent, is_weighted)).sum()
    };
    let (total, voted) = (sum(&|_| true), sum(&|vote| vote.is_some()));
    let in_favour = sum(&|vote| vote == Some(Vote::For));
    let refused = sum(&|vote| vote.is_some_and(|vote| vote != Vote::For));
    if decision.votes.len() * 2 <= decision.participants.len() || voted * 2 <= total {
        return Verdict::Timeout;
    }
    let enough = |part: u32| match decision.threshold.map(sync_core::Share::get) {
        None => part * 2 > total,
        Some(share) => f64::from(part) >= share * f64::from(total),
    };
    if enough(in_favour) {
        Verdict::Approved
    } else if enough(total - refused) {
        Verdict::Timeout
    } else {
        Verdict::Rejected
    }
}
