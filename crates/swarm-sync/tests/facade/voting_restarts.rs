//! Votes while hubs and agents are restarted: none counts twice, none is lost.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{
    Agent, Ballot, CoordinatorOptions, LinkOptions, Operation, ProposalDraft, ProposalEvent,
    ProposalId, SledStore, StateSynchronizer, Store, TcpCoordinator, TcpLink, Value, Verdict, Vote,
};

use crate::support::{PATIENCE, eventually, key, team};

fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(SledStore::open(path).expect("the directory opens"))
}

fn ballot(vote: Vote) -> Ballot {
    Ballot { vote, reason: None }
}

/// A hub on a directory, at an address that the next one takes over.
struct Place {
    hub: StateSynchronizer,
    store: Arc<dyn Store>,
    address: SocketAddr,
}

impl Place {
    async fn start(path: &Path, address: &str) -> Self {
        let bound = eventually("the address", async || {
            TcpCoordinator::bind(address, CoordinatorOptions::default())
                .await
                .ok()
        });
        let coordinator = Arc::new(bound.await);
        let (store, address) = (open(path), coordinator.local_addr());
        let hub = StateSynchronizer::builder(store.clone(), coordinator);
        let hub = hub.start().await.expect("the store opens");
        Self {
            hub,
            store,
            address,
        }
    }

    async fn stop(self) -> String {
        self.hub.shutdown().await;
        self.store.close().await.expect("it closes");
        self.address.to_string()
    }

    async fn agent(&self, name: &str, store: Arc<dyn Store>) -> Agent {
        let link = TcpLink::new(self.address, LinkOptions::default());
        let agent = Agent::builder(name, link).swarm("team").store(store);
        let agent = agent.default_timeout(PATIENCE).start().await;
        let agent = agent.expect("the store opens");
        agent.wait_in_step(PATIENCE).await.expect("a hub is there");
        agent
    }
}

/// Waits until an agent is asked to vote on this.
pub(crate) async fn asked(agent: &Agent, id: ProposalId) {
    let mut proposals = agent.proposals().await.expect("it runs");
    let asked = async {
        loop {
            match proposals.next().await {
                Some(ProposalEvent::Proposed(poll)) if poll.proposal.id == id => return,
                Some(_) => {}
                None => panic!("the agent has stopped"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .expect("in time");
}

#[tokio::test]
async fn a_hub_restarted_in_the_middle_keeps_the_votes_and_the_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let place = Place::start(&path("hub"), "127.0.0.1:0").await;
    let first = place.agent("first", open(&path("first"))).await;
    let second = place.agent("second", open(&path("second"))).await;
    let third = place.agent("third", open(&path("third"))).await;
    let draft = ProposalDraft::new("across a restart")
        .commit("n", Operation::Add(1))
        .algorithm("unanimous")
        .timeout(2 * PATIENCE);
    let id = draft.id();
    let (proposer, proposed) = (first.clone(), draft.clone());
    let deciding = tokio::spawn(async move { proposer.propose_and_sync(proposed).await });
    asked(&second, id).await;
    second.vote(id, ballot(Vote::For)).await.unwrap();

    let address = place.stop().await;
    let place = Place::start(&path("hub"), &address).await;
    for agent in [&third, &first] {
        asked(agent, id).await;
        agent.wait_in_step(PATIENCE).await.unwrap();
        agent.vote(id, ballot(Vote::For)).await.unwrap();
    }
    let agreed = deciding.await.unwrap().unwrap();
    assert_eq!(agreed.decision.verdict, Verdict::Approved);
    let votes = &agreed.decision.votes;
    let who: Vec<_> = votes.iter().map(|c| c.agent.as_str()).collect();
    assert_eq!(who, ["first", "second", "third"]);

    // And once more: the decision is told, not made again.
    let address = place.stop().await;
    let place = Place::start(&path("hub"), &address).await;
    first.wait_in_step(PATIENCE).await.unwrap();
    assert_eq!(first.propose(draft).await.unwrap(), agreed.decision);
    let other = ProposalDraft::new("something else").under(id);
    let sentence = first.propose(other).await.unwrap_err().to_string();
    assert!(sentence.contains("another proposal"), "{sentence}");
    let state = place.hub.get_state(&team(), &key("n")).await.unwrap();
    assert_eq!(state.expect("it was approved").value, Some(Value::Int(1)));
    place.stop().await;
}

#[tokio::test]
async fn an_agent_restarted_after_its_vote_has_voted() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let place = Place::start(&path("hub"), "127.0.0.1:0").await;
    let first = place.agent("first", open(&path("first"))).await;
    let store = open(&path("second"));
    let second = place.agent("second", store.clone()).await;
    let draft = ProposalDraft::new("once").timeout(2 * PATIENCE);
    let id = draft.id();
    let consensus = place.hub.consensus(&team());
    let deciding = tokio::spawn(async move { consensus.propose(draft).await });
    asked(&second, id).await;
    second.vote(id, ballot(Vote::For)).await.unwrap();
    second.shutdown().await;
    store.close().await.unwrap();

    let second = place.agent("second", open(&path("second"))).await;
    let otherwise = second.vote(id, ballot(Vote::Against)).await;
    assert_eq!(otherwise.unwrap_err().kind(), "already-voted");
    asked(&first, id).await;
    first.vote(id, ballot(Vote::For)).await.unwrap();
    let decision = deciding.await.unwrap().unwrap();
    assert_eq!(decision.verdict, Verdict::Approved);
    assert_eq!(decision.votes.len(), 2);
    place.stop().await;
}

#[tokio::test]
async fn a_vote_cast_while_cut_off_is_sent_by_the_agents_next_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let place = Place::start(&path("hub"), "127.0.0.1:0").await;
    let store = open(&path("only"));
    let link = TcpLink::new(place.address, LinkOptions::default());
    let only = Agent::builder("only", link)
        .swarm("team")
        .store(store.clone());
    let only = only.default_timeout(Duration::from_millis(300));
    let only = only.start().await.unwrap();
    only.wait_in_step(PATIENCE).await.unwrap();
    let draft = ProposalDraft::new("later").timeout(2 * PATIENCE);
    let id = draft.id();
    let consensus = place.hub.consensus(&team());
    let deciding = tokio::spawn(async move { consensus.propose(draft).await });
    asked(&only, id).await;
    only.go_offline().await.unwrap();
    // It is kept; what becomes of it cannot be heard now.
    let kept = only.vote(id, ballot(Vote::For)).await;
    assert_eq!(kept.expect_err("no hub").kind(), "unavailable");
    only.shutdown().await;
    store.close().await.unwrap();

    let _only = place.agent("only", open(&path("only"))).await;
    let decision = deciding.await.unwrap().unwrap();
    assert_eq!(decision.verdict, Verdict::Approved);
    place.stop().await;
}
