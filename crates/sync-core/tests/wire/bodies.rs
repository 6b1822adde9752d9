//! Every body, request and outcome.

use std::time::Duration;

use sync_core::{
    AgentId, Ask, Ballot, Body, Cursor, DeltaOutcome, DigestKey, Durability, Effect, Epoch,
    Incarnation, MemoryAsk, MergeRule, OnConcurrent, Operation, Pattern, Payload, Policy, Poll,
    Proposal, ProposalId, Resume, Revision, RoundId, Seq, Share, Since, Standing, SwarmId, Ttl,
    Value, Verdict, Vote, VoteOutcome,
};

use super::{agent, id, key, namespace, value};

pub(super) const EPOCH: Epoch = Epoch::from_random(0x0123_4567_89ab_cdef);
pub(super) const PROPOSAL: ProposalId = ProposalId::from_random(0xfeed_0000_beef);
pub(super) const RUN: Incarnation = Incarnation::from_random(u64::MAX);

pub(super) fn cursor() -> Cursor {
    Cursor {
        epoch: EPOCH,
        revision: Revision::new(250),
        head: Revision::new(251),
    }
}

fn standing() -> Standing {
    Standing {
        epoch: EPOCH,
        revision: Revision::new(0),
        digest: digest(),
        policies: 0x0fed_cba9,
        receipts: 300,
    }
}

fn resume() -> Resume {
    let after = Some(id("agent-1", 1, 1 << 40));
    Resume {
        revision: Revision::new(3),
        key: key("k"),
        after,
    }
}

pub(super) fn digest() -> sync_core::Digest {
    let swarm = DigestKey::of(&SwarmId::new("swarm").unwrap());
    swarm.write(&id("agent-1", 1, 2), &Payload::absent())
}

/// Every case of [`Body`] at least once.
pub(crate) fn all() -> Vec<Body> {
    let mut bodies = state();
    bodies.extend(super::sweeps::bodies());
    bodies.extend(plain());
    bodies.extend(votes());
    bodies.extend(outcomes().into_iter().map(|outcome| Body::DeltaReply {
        request: 2,
        outcome,
    }));
    bodies.extend(
        asks()
            .into_iter()
            .map(|ask| Body::Request { request: 3, ask }),
    );
    bodies
}

/// Those that carry state, or ask for it.
fn state() -> Vec<Body> {
    let round = RoundId {
        epoch: EPOCH,
        number: 7,
    };
    let keys = [key("a"), key("∀")]
        .into_iter()
        .map(|key| (key, digest()))
        .collect();
    let (from, to) = (Revision::new(1), Revision::new(2));
    vec![
        Body::Push {
            incarnation: RUN,
            after: Seq::new(0),
            upto: Seq::new(u64::MAX),
            seqs: vec![Seq::new(1), Seq::new(300)].into(),
        },
        Body::DeltaRequest {
            request: 1,
            cursor: None,
            resume: None,
            policies: 0,
        },
        Body::DeltaRequest {
            request: u64::MAX,
            cursor: Some(cursor()),
            resume: Some(resume()),
            policies: 77,
        },
        Body::StateRequest {
            round,
            part: 0,
            keys,
        },
        Body::StateResponse {
            round,
            part: 1,
            index: 2,
            frames: u32::MAX,
        },
        Body::StateUpdate {
            epoch: EPOCH,
            from,
            to,
            index: 0,
            frames: 1,
        },
        Body::Ahead {
            epoch: EPOCH,
            revision: to,
        },
        Body::Offer {
            offer: 1 << 33,
            index: 3,
            last: true,
        },
        Body::RepairRequest { key: key("k") },
        Body::RepairReply {
            key: key("k"),
            revision: Revision::new(4),
            index: 0,
            frames: 2,
        },
    ]
}

/// Those that do not.
fn plain() -> Vec<Body> {
    vec![
        Body::Committed {
            incarnation: RUN,
            upto: Seq::new(9),
            refused: vec![Seq::new(7), Seq::new(9)].into(),
            standing: standing(),
        },
        Body::Gap {
            incarnation: RUN,
            known: Seq::new(8),
        },
        Body::Ack {
            epoch: EPOCH,
            revision: Revision::new(2),
        },
        Body::OfferAck { offer: 0, index: 3 },
        Body::Receipts {
            delivery: 1,
            index: 0,
            frames: 1,
            standing: standing(),
        },
        Body::Reply {
            request: 4,
            delivery: 9,
            index: 2,
            frames: 300,
        },
        Body::ReceiptsTaken {
            writes: vec![id("agent-1", 1, 1), id("agent-2", 0, 2)].into(),
        },
        Body::PolicyRequest,
        Body::Policies {
            policies: vec![policy()].into(),
        },
        Body::Ping { nonce: 1 << 20 },
        Body::Pong {
            nonce: 0,
            standing: standing(),
        },
    ]
}

pub(super) fn proposal() -> Proposal {
    let operation = Operation::Put(value());
    Proposal {
        id: PROPOSAL,
        subject: value(),
        effect: Some(Effect {
            key: key("k"),
            operation,
        }),
        algorithm: Some("quorum".to_owned()),
        threshold: Some(Share::new(0.66).unwrap()),
        timeout_ms: Some(30_000),
    }
}

/// What a vote takes.
fn votes() -> Vec<Body> {
    let poll = Poll {
        proposal: proposal(),
        about: digest(),
        proposer: agent("agent-1"),
        participants: 300,
        remaining_ms: 29_000,
    };
    let ballot = |vote, reason: Option<&str>| Body::Vote {
        proposal: PROPOSAL,
        about: digest(),
        ballot: Ballot {
            vote,
            reason: reason.map(str::to_owned),
        },
    };
    let outcomes = [
        VoteOutcome::Counted,
        VoteOutcome::AlreadyVoted(Vote::Abstain),
        VoteOutcome::NotParticipant,
        VoteOutcome::Over(Verdict::Timeout),
        VoteOutcome::Unknown,
        VoteOutcome::Another,
    ];
    let replies = outcomes.map(|outcome| Body::VoteReply {
        proposal: PROPOSAL,
        about: digest(),
        outcome,
    });
    let mut bodies = vec![
        Body::Proposal {
            poll: std::sync::Arc::new(poll),
        },
        ballot(Vote::For, None),
        ballot(Vote::Against, Some("because")),
        ballot(Vote::Abstain, Some("")),
        Body::Decided {
            proposal: PROPOSAL,
            verdict: Verdict::Approved,
        },
        Body::Undecided {
            proposals: vec![(PROPOSAL, digest())].into(),
        },
        Body::Ended {
            proposals: vec![
                (PROPOSAL, digest(), Some(Verdict::Rejected)),
                (PROPOSAL, digest(), None),
            ]
            .into(),
        },
    ];
    bodies.extend(replies);
    bodies
}

pub(super) fn policy() -> Policy {
    let mut policy = Policy::new(Pattern::new("task_*").unwrap());
    policy.rule = Some(MergeRule::Causal);
    policy.on_concurrent = Some(OnConcurrent::Custom);
    policy.merge = Some("max".to_owned());
    policy.durability = Some(Durability::Hub);
    policy.ttl = Some(Ttl {
        after: Duration::from_millis(1_500),
        refresh: true,
    });
    policy.max_value_bytes = Some(1 << 20);
    policy.history.commits = Some(7);
    policy.receipts = Some(500);
    policy
}

fn outcomes() -> [DeltaOutcome; 5] {
    [
        DeltaOutcome::UpToDate {
            standing: standing(),
        },
        DeltaOutcome::Changes {
            to: cursor(),
            next: None,
            standing: standing(),
        },
        DeltaOutcome::Changes {
            to: cursor(),
            next: Some(resume()),
            standing: standing(),
        },
        DeltaOutcome::EpochMismatch { epoch: EPOCH },
        DeltaOutcome::Ahead {
            head: Revision::new(1),
        },
    ]
}

fn asks() -> Vec<Ask> {
    let operations = [
        Operation::Put(value()),
        Operation::Delete,
        Operation::Add(i64::MIN),
        Operation::Insert(Value::Null),
        Operation::Remove(Value::from("x")),
        Operation::PutField("f".to_owned(), value()),
        Operation::UnsetField("f".to_owned()),
    ];
    let write = |operation| Ask::Write {
        key: key("k"),
        operation,
        metadata: Some(value()),
    };
    let mut asks = vec![
        Ask::Version(key("k")),
        Ask::Get(key("k")),
        Ask::Keys {
            pattern: Pattern::new("task_*").unwrap(),
            after: Some(key("task_1")),
        },
        Ask::Keys {
            pattern: Pattern::new("*").unwrap(),
            after: None,
        },
        Ask::Delta(Since::START),
        Ask::Delta(Since::Cursor(cursor())),
        Ask::Sync {
            keys: vec![key("a"), key("b")].into(),
            timeout_ms: Some(10_000),
        },
        Ask::Sync {
            keys: Vec::new().into(),
            timeout_ms: None,
        },
        Ask::Clear(None),
        Ask::Clear(Some(key("k"))),
        Ask::Status,
        Ask::Policies,
        Ask::ReloadPolicies,
        Ask::Watch {
            pattern: Pattern::new("task_*").unwrap(),
            from: Some(Since::Cursor(cursor())),
            wait_ms: 30_000,
        },
        Ask::Propose(Box::new(proposal())),
        Ask::Propose(Box::new(Proposal {
            effect: None,
            algorithm: None,
            threshold: None,
            timeout_ms: None,
            ..proposal()
        })),
    ];
    asks.extend([Ask::Unregister(agent("agent-1")), Ask::About]);
    asks.extend(operations.map(write));
    asks.extend(fates());
    asks.extend(memory().map(Ask::Memory));
    asks.extend(super::authority::asks());
    asks.extend(super::past::asks());
    asks
}

/// How far a write has got, and what came back.
fn fates() -> [Ask; 3] {
    [
        Ask::Held {
            epoch: Some(EPOCH),
            revision: Revision::new(300),
            replicas: 2,
            wait_ms: 1_000,
        },
        Ask::Receipts {
            agent: AgentId::new("cli").unwrap(),
            after: Some((Revision::new(5), true, id("cli", 1, 1))),
        },
        Ask::TakeReceipts(vec![id("cli", 1, 1)].into()),
    ]
}

fn memory() -> [MemoryAsk; 6] {
    let (namespace, key) = (namespace(), key("k"));
    [
        MemoryAsk::Store {
            namespace: namespace.clone(),
            key: key.clone(),
            value: value(),
            persistent: true,
        },
        MemoryAsk::Retrieve {
            namespace: namespace.clone(),
            key: key.clone(),
        },
        MemoryAsk::Delete {
            namespace: namespace.clone(),
            key: key.clone(),
        },
        MemoryAsk::ListKeys {
            namespace: namespace.clone(),
            pattern: Pattern::new("task_*").unwrap(),
            after: Some(key),
        },
        MemoryAsk::ClearNamespace(namespace.clone()),
        MemoryAsk::Stats {
            after: Some(namespace),
        },
    ]
}
