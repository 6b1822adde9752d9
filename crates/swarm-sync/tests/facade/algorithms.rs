//! Who decides votes: the algorithms that ship, one of one's own, and a hub that is told of none.

use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{
    AgentId, ConsensusAlgorithm, MemoryStore, Share, StateSynchronizer, SwarmId, Tally, Verdict,
    Vote,
};

use crate::support::{PATIENCE, Wire, team};
use crate::voting::{always, draft, hub_with, voters, who};

#[tokio::test]
async fn unanimous_is_everybody() {
    let wire = Wire::memory();
    let hub = hub_with(&wire, |hub| hub.default_algorithm("unanimous")).await;
    let consensus = hub.consensus(&team());
    let mut agents = voters(&wire, [Vote::For, Vote::For]).await;
    let decision = consensus.propose(draft("all agree")).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Approved);
    assert_eq!(decision.algorithm, "unanimous");
    assert_eq!(who(&decision, Vote::For), ["agent-0", "agent-1"]);
    let one = wire.agent("objects").voter(always(Vote::Against));
    agents.push(one.start().await.unwrap());
    agents[2].wait_in_step(PATIENCE).await.unwrap();
    let decision = consensus.propose(draft("one does not")).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Rejected);
    // Another algorithm can be asked for.
    let most = draft("most do").algorithm("quorum");
    let decision = consensus.propose(most).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Approved);
}

#[tokio::test]
async fn weights_are_the_hubs_and_count() {
    let wire = Wire::memory();
    let lead = AgentId::new("agent-0").unwrap();
    let hub = hub_with(&wire, |hub| {
        hub.weights([(lead, 5.0)]).default_algorithm("weighted")
    })
    .await;
    let _agents = voters(&wire, [Vote::For, Vote::Against, Vote::Against]).await;
    let consensus = hub.consensus(&team());
    let decision = consensus.propose(draft("5 of 7")).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Approved);
    let sums = (decision.weight_that(Vote::For), decision.weight_in_all());
    assert_eq!(sums, (5.0, 7.0), "{decision:?}");
    let decision = consensus.propose(draft("1 of 3").algorithm("quorum")).await;
    assert_eq!(decision.unwrap().verdict, Verdict::Rejected);
}

/// Approves what its two elders approve, whoever else is there.
#[derive(Debug)]
struct Elders;

impl ConsensusAlgorithm for Elders {
    fn judge(&self, tally: &Tally<'_>) -> Option<bool> {
        if 2 * tally.votes.len() <= tally.participants.len() {
            return None;
        }
        let said = |name: &str| tally.votes.iter().find(|(agent, _)| agent.as_str() == name);
        let (_, first) = said("agent-0")?;
        let (_, second) = said("agent-1")?;
        Some((first.vote, second.vote) == (Vote::For, Vote::For))
    }

    fn default_threshold(&self) -> Option<Share> {
        None
    }

    fn check(&self, participants: &[AgentId], _: Option<Share>) -> Result<(), String> {
        let elders = participants
            .iter()
            .filter(|a| matches!(a.as_str(), "agent-0" | "agent-1"));
        match elders.count() {
            2 => Ok(()),
            _ => Err("there are no two elders".to_owned()),
        }
    }
}

#[tokio::test]
async fn an_algorithm_of_ones_own_decides() {
    let wire = Wire::memory();
    let hub = hub_with(&wire, |hub| hub.algorithm("elders", Arc::new(Elders))).await;
    let consensus = hub.consensus(&team());
    let alone = voters(&wire, [Vote::For]).await;
    let refused = consensus
        .propose(draft("too early").algorithm("elders"))
        .await;
    let sentence = refused.expect_err("there is one").to_string();
    assert!(sentence.contains("no two elders"), "{sentence}");
    drop(alone);
    let wire = Wire::memory();
    let hub = hub_with(&wire, |hub| hub.algorithm("elders", Arc::new(Elders))).await;
    let _agents = voters(&wire, [Vote::For, Vote::For, Vote::Against]).await;
    let consensus = hub.consensus(&team());
    let decision = consensus
        .propose(draft("now").algorithm("elders"))
        .await
        .unwrap();
    assert_eq!(
        (decision.verdict, decision.algorithm.as_str()),
        (Verdict::Approved, "elders")
    );
}

/// Panics over every tally, and over a roster without an `agent-0`.
#[derive(Debug)]
struct Broken;

impl ConsensusAlgorithm for Broken {
    fn judge(&self, tally: &Tally<'_>) -> Option<bool> {
        panic!("{} votes are too many", tally.votes.len())
    }

    fn default_threshold(&self) -> Option<Share> {
        None
    }

    fn check(&self, participants: &[AgentId], _: Option<Share>) -> Result<(), String> {
        assert_eq!(participants[0].as_str(), "agent-0");
        Ok(())
    }
}

#[tokio::test]
async fn an_algorithm_that_panics_decides_nothing_and_disturbs_nobody() {
    let wire = Wire::memory();
    let hub = hub_with(&wire, |hub| hub.algorithm("broken", Arc::new(Broken))).await;
    let agents = voters(&wire, [Vote::For, Vote::For]).await;
    let consensus = hub.consensus(&team());
    let broken = draft("by what is broken")
        .algorithm("broken")
        .timeout(Duration::from_millis(300));
    let decision = consensus.propose(broken).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Timeout);
    assert_eq!(who(&decision, Vote::For), ["agent-0", "agent-1"]);
    // This swarm goes on, and so do others.
    let decision = consensus.propose(draft("by another one")).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Approved);
    agents[0].set("k", 1).await.unwrap();
    let other = SwarmId::new("other").unwrap();
    assert_eq!(hub.status(&other).await.unwrap().members.len(), 0);
    hub.register(&other, &AgentId::new("zoe").unwrap())
        .await
        .unwrap();
    let refused = hub
        .consensus(&other)
        .propose(draft("?").algorithm("broken"))
        .await;
    let sentence = refused.expect_err("it panics").to_string();
    assert!(sentence.contains("panicked over this roster"), "{sentence}");
}

#[tokio::test]
async fn a_hub_that_could_not_decide_does_not_start() {
    let agent = |name: &str| AgentId::new(name).unwrap();
    let wire = Wire::memory();
    let builder = || StateSynchronizer::builder(Arc::new(MemoryStore::new()), wire.coordinator());
    let cases = [
        (
            builder().default_algorithm("raft"),
            "there are: quorum, unanimous",
        ),
        (builder().weights([(agent("a"), -1.0)]), "the agent a is -1"),
        (
            builder().weights([(agent("a"), f64::NAN)]),
            "the agent a is NaN",
        ),
        (builder().vote_timeout(Duration::ZERO), "above 0"),
        (
            builder().vote_timeout(Duration::from_hours(25)),
            "at most 86400 s",
        ),
        (builder().algorithm("", Arc::new(Elders)), "0 bytes"),
        (
            builder().algorithm("x".repeat(65), Arc::new(Elders)),
            "65 bytes",
        ),
    ];
    for (wrong, expected) in cases {
        let sentence = wrong.start().await.expect_err("it is wrong").to_string();
        assert!(sentence.contains(expected), "{sentence}");
    }
}
