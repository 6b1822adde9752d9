//! Votes: proposed, cast, decided, committed and synchronized.

use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{
    Agent, AgentId, Ballot, Decision, MemoryStore, Operation, Poll, ProposalDraft, ProposalEvent,
    ProposalId, Proposals, StateSynchronizer, SynchronizerBuilder, Value, Verdict, Vote, Voter,
    voter_fn,
};

use crate::support::{PATIENCE, Wire, eventually, key, kind, team};
use crate::voting_restarts::asked;

/// Long enough for every vote here, however busy the machine.
pub(crate) fn draft(subject: &str) -> ProposalDraft {
    ProposalDraft::new(subject).timeout(PATIENCE)
}

fn ballot(vote: Vote) -> Ballot {
    let reason = Some(format!("{vote}, because"));
    Ballot { vote, reason }
}

/// Votes the same on everything.
pub(crate) fn always(vote: Vote) -> Arc<dyn Voter> {
    Arc::new(voter_fn(move |_| Some(ballot(vote))))
}

/// Agents that vote so, one each, in step with the hub.
pub(crate) async fn voters<const N: usize>(wire: &Wire, votes: [Vote; N]) -> Vec<Agent> {
    let mut agents = Vec::new();
    for (n, vote) in votes.into_iter().enumerate() {
        let builder = wire.agent(&format!("agent-{n}")).voter(always(vote));
        agents.push(builder.start().await.expect("memory opens"));
    }
    for agent in &agents {
        agent.wait_in_step(PATIENCE).await.expect("a hub is there");
    }
    agents
}

pub(crate) async fn hub_with(
    wire: &Wire,
    settings: impl FnOnce(SynchronizerBuilder) -> SynchronizerBuilder,
) -> StateSynchronizer {
    let store = Arc::new(MemoryStore::new());
    let builder = StateSynchronizer::builder(store, wire.coordinator());
    settings(builder).start().await.expect("it starts")
}

/// The next proposal that an agent is to vote on.
async fn poll(proposals: &mut Proposals) -> Arc<Poll> {
    let next = tokio::time::timeout(PATIENCE, proposals.next()).await;
    match next.expect("in time") {
        Some(ProposalEvent::Proposed(poll)) => poll,
        other => panic!("no proposal: {other:?}"),
    }
}

/// Who voted so in a decision.
pub(crate) fn who(decision: &Decision, vote: Vote) -> Vec<&str> {
    decision
        .votes_that(vote)
        .map(|c| c.agent.as_str())
        .collect()
}

async fn value_at(agent: &Agent, name: &str) -> Option<Value> {
    agent.get(name).await.expect("it runs")?.value
}

#[tokio::test]
async fn what_is_approved_is_committed_and_held_by_every_agent_when_the_call_returns() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let agents = voters(&wire, [Vote::For, Vote::For, Vote::For]).await;
        let draft = draft("raise the limit").commit("limit", Operation::Put(100.into()));
        let id = draft.id();
        let agreed = hub
            .consensus(&team())
            .propose_and_sync(draft)
            .await
            .unwrap();
        let decision = &agreed.decision;
        assert_eq!(
            (decision.proposal, decision.verdict),
            (id, Verdict::Approved)
        );
        assert_eq!(decision.participants.len(), 3);
        assert!(decision.votes.len() >= 2, "{decision:?}");
        assert_eq!(decision.votes[0].ballot, ballot(Vote::For));
        assert_eq!(decision.dissent().count(), 0);
        let committed = decision.committed.as_ref().expect("it was approved");
        assert_eq!(committed.key, key("limit"));
        let report = agreed.synced.expect("it was committed").expect("a round");
        assert!(report.revision >= committed.revision);
        assert_eq!(report.in_step.len(), 3);
        for agent in &agents {
            assert_eq!(value_at(agent, "limit").await, Some(Value::Int(100)));
        }
        // Who approved it, and under which proposal, is on the value.
        let state = hub.get_state(&team(), &key("limit")).await.unwrap();
        let metadata = format!("{:?}", state.expect("a value").metadata.user);
        assert!(metadata.contains(&id.to_string()), "{metadata}");
        assert!(
            metadata.contains(decision.votes[0].agent.as_str()),
            "{metadata}"
        );
    }
}

#[tokio::test]
async fn what_is_rejected_writes_nothing_and_names_those_who_wanted_it() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let votes = [Vote::Against, Vote::For, Vote::Against, Vote::Against];
    let agents = voters(&wire, votes).await;
    let draft = draft("drop it").commit("k", Operation::Put(1.into()));
    let agreed = agents[1].propose_and_sync(draft).await.unwrap();
    let decision = agreed.decision;
    assert_eq!(decision.verdict, Verdict::Rejected);
    assert!(decision.committed.is_none() && agreed.synced.is_none());
    for cast in decision.dissent() {
        assert_eq!(cast.agent.as_str(), "agent-1");
    }
    assert_eq!(hub.get_state(&team(), &key("k")).await.unwrap(), None);
}

#[tokio::test]
async fn without_a_majority_of_the_roster_there_is_no_decision() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let agents = voters(&wire, [Vote::For]).await;
    for away in ["away-1", "away-2"] {
        let away = AgentId::new(away).unwrap();
        hub.register(&team(), &away).await.unwrap();
    }
    let draft = ProposalDraft::new("only one of three is there")
        .commit("k", Operation::Put(1.into()))
        .timeout(Duration::from_millis(300));
    let decision = agents[0].propose(draft).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Timeout);
    assert_eq!(decision.participants.len(), 3);
    assert_eq!(who(&decision, Vote::For), ["agent-0"]);
    assert_eq!(hub.get_state(&team(), &key("k")).await.unwrap(), None);
    let status = hub.status(&team()).await.unwrap();
    let mut statistics = status.consensus.iter();
    let statistics = statistics.find(|s| s.algorithm == "quorum").unwrap();
    assert_eq!((statistics.timeouts, statistics.open), (1, 0));
}

#[tokio::test]
async fn abstaining_is_voting_and_not_agreeing() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let _agents = voters(&wire, [Vote::For, Vote::Abstain, Vote::Abstain]).await;
    let decision = hub.consensus(&team()).propose(draft("?")).await.unwrap();
    assert_eq!(decision.verdict, Verdict::Rejected);
}

#[tokio::test]
async fn a_voter_that_panics_or_hangs_has_not_voted_and_holds_up_nobody() {
    struct Hangs;
    #[async_trait::async_trait]
    impl Voter for Hangs {
        async fn vote(&self, _: &Poll) -> Option<Ballot> {
            std::future::pending().await
        }
    }
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let mut agents = voters(&wire, [Vote::For, Vote::For, Vote::For]).await;
    let panics = voter_fn(|_| panic!("no opinion"));
    let odd: [(&str, Arc<dyn Voter>); 2] =
        [("hangs", Arc::new(Hangs)), ("panics", Arc::new(panics))];
    for (name, voter) in odd {
        let agent = wire.agent(name).voter(voter).start().await.unwrap();
        agent.wait_in_step(PATIENCE).await.unwrap();
        agents.push(agent);
    }
    let decision = hub
        .consensus(&team())
        .propose(draft("three of five"))
        .await
        .unwrap();
    assert_eq!(decision.verdict, Verdict::Approved);
    assert_eq!(who(&decision, Vote::For), ["agent-0", "agent-1", "agent-2"]);
    // Both go on, and may still vote by hand on the next one.
    let (hangs, mut open) = (&agents[3], agents[4].proposals().await.unwrap());
    let all = draft("everybody").algorithm("unanimous");
    let id = all.id();
    let consensus = hub.consensus(&team());
    let deciding = tokio::spawn(async move { consensus.propose(all).await });
    let told = poll(&mut open).await;
    assert_eq!(told.proposal.id, id);
    asked(hangs, id).await;
    hangs.vote(id, ballot(Vote::For)).await.unwrap();
    agents[4].vote(id, ballot(Vote::For)).await.unwrap();
    assert_eq!(deciding.await.unwrap().unwrap().verdict, Verdict::Approved);
}

#[tokio::test]
async fn votes_by_hand_count_once_and_are_answered_with_a_sentence() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let [first, second, third] = wire.agents::<3>().await;
        let mut open = second.proposals().await.unwrap();
        let subject = draft("by hand").commit("k", Operation::Add(7));
        let id = subject.id();
        let proposer = first.clone();
        let deciding = tokio::spawn(async move { proposer.propose(subject).await });
        let told = poll(&mut open).await;
        assert_eq!((told.proposal.id, told.participants), (id, 3));
        assert_eq!(told.proposer.as_str(), "agent-0");
        assert!(told.remaining_ms > 0);

        second.vote(id, ballot(Vote::For)).await.unwrap();
        // The same again is the same vote; another one is none.
        second.vote(id, ballot(Vote::For)).await.unwrap();
        let twice = second.vote(id, ballot(Vote::Against)).await;
        assert_eq!(kind(twice), "already-voted");
        let why = Some("on second thought".to_owned());
        let argued = Ballot {
            reason: why,
            ..ballot(Vote::For)
        };
        assert_eq!(kind(second.vote(id, argued).await), "already-voted");

        // Who comes now is not asked, and may not vote.
        let late = wire.agent("late").start().await.unwrap();
        late.wait_in_step(PATIENCE).await.unwrap();
        let stranger = late.vote(id, ballot(Vote::Against)).await;
        assert_eq!(kind(stranger), "unknown-proposal");

        asked(&third, id).await;
        third.vote(id, ballot(Vote::For)).await.unwrap();
        let decision = deciding.await.unwrap().unwrap();
        assert_eq!(decision.verdict, Verdict::Approved);
        assert_eq!(who(&decision, Vote::For), ["agent-1", "agent-2"]);
        assert_eq!(decision.participants.len(), 3);
        match tokio::time::timeout(PATIENCE, open.next()).await.unwrap() {
            Some(ProposalEvent::Decided { proposal, verdict }) => {
                assert_eq!((proposal, verdict), (id, Verdict::Approved));
            }
            other => panic!("not told: {other:?}"),
        }
        assert!(
            first.vote(id, ballot(Vote::Against)).await.is_err(),
            "it is over"
        );
        let unknown = ProposalId::from_random(7);
        let nothing = first.vote(unknown, ballot(Vote::For)).await;
        assert_eq!(kind(nothing), "unknown-proposal");
        let state = hub.get_state(&team(), &key("k")).await.unwrap();
        assert_eq!(state.unwrap().value, Some(Value::Int(7)));
    }
}

#[tokio::test]
async fn who_asks_late_is_shown_what_is_still_open() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [first, second] = wire.agents::<2>().await;
    let mut early = first.proposals().await.unwrap();
    let subject = draft("still open");
    let id = subject.id();
    let consensus = hub.consensus(&team());
    let deciding = tokio::spawn(async move { consensus.propose(subject).await });
    poll(&mut early).await;
    let mut late = first.proposals().await.unwrap();
    let told = poll(&mut late).await;
    assert_eq!(told.proposal.id, id);
    first.vote(id, ballot(Vote::For)).await.unwrap();
    asked(&second, id).await;
    second.vote(id, ballot(Vote::For)).await.unwrap();
    deciding.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_proposal_made_twice_is_voted_on_once() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let agents = voters(&wire, [Vote::For, Vote::For]).await;
    let subject = draft("once").commit("n", Operation::Add(1));
    let client = wire.client().await;
    let afar = client.consensus(wire.link());
    let (first, second) = tokio::join!(
        agents[0].propose(subject.clone()),
        afar.propose(subject.clone())
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first, second);
    let later = hub.consensus(&team()).propose(subject).await.unwrap();
    assert_eq!(later.committed, first.committed);
    let state = hub.get_state(&team(), &key("n")).await.unwrap();
    assert_eq!(state.unwrap().value, Some(Value::Int(1)));
}

#[tokio::test]
async fn a_proposal_that_makes_no_sense_is_refused_with_a_sentence() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let consensus = hub.consensus(&team());
    let nobody = consensus.propose(draft("to nobody")).await;
    assert!(nobody.is_err(), "there is no roster: {nobody:?}");
    let agents = voters(&wire, [Vote::For]).await;
    let cases = [
        (draft("?").algorithm("raft"), "quorum, unanimous"),
        (draft("?").threshold(1.5), "above 0 and at most 1"),
        (draft("?").threshold(f64::NAN), "above 0 and at most 1"),
        (ProposalDraft::new(f64::NAN), "NaN"),
        (draft("?").commit("", Operation::Add(1)), "key"),
        (
            draft("?").algorithm("unanimous").threshold(0.5),
            "not unanimous",
        ),
    ];
    for (wrong, expected) in cases {
        let refused = agents[0].propose(wrong.clone()).await;
        let sentence = refused.expect_err("it is wrong").to_string();
        assert!(sentence.contains(expected), "{sentence}");
        assert!(consensus.propose(wrong).await.is_err());
    }
    let large = ProposalDraft::new("x".repeat(900 * 1024));
    assert!(agents[0].propose(large.clone()).await.is_err());
    assert!(consensus.propose(large).await.is_err());
    agents[0].go_offline().await.unwrap();
    assert_eq!(kind(agents[0].propose(draft("?")).await), "unavailable");
}

#[tokio::test]
async fn a_slow_vote_is_heard_over_more_than_one_connection() {
    let wire = Wire::memory();
    let _hub = wire.memory_hub().await;
    let [first, second] = wire.agents::<2>().await;
    let mut open = second.proposals().await.unwrap();
    let subject = draft("slowly").commit("k", Operation::Put(1.into()));
    let id = subject.id();
    let proposer = first.clone();
    let deciding = tokio::spawn(async move { proposer.propose_and_sync(subject).await });
    poll(&mut open).await;
    // The proposer's connection is lost and comes back while it waits.
    first.go_offline().await.unwrap();
    second.vote(id, ballot(Vote::For)).await.unwrap();
    first.go_online().await.unwrap();
    asked(&first, id).await;
    first.vote(id, ballot(Vote::For)).await.unwrap();
    let agreed = deciding.await.unwrap().unwrap();
    assert_eq!(agreed.decision.verdict, Verdict::Approved);
    assert_eq!(agreed.decision.votes.len(), 2);
    eventually("the value", async || value_at(&first, "k").await).await;
}
