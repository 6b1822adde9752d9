//! Every body, request, answer, outcome, reason and error.

use std::time::Duration;

use sync_core::codec::List;
use sync_core::report::UserMetadata;
use sync_core::{
    Ack, Answer, Ask, Body, Change, ChangeKind, Cursor, Delta, DeltaOutcome, DigestKey, Durability,
    Epoch, HubStatus, Incarnation, KeyReport, MemberStatus, MergeRule, OnConcurrent, Operation,
    Pattern, Payload, Policy, Reason, Receipt, Reply, RequestError, Resume, Revision, RoundId, Seq,
    Sibling, Since, Stamp, Standing, StateMetadata, StateVersion, SwarmId, SyncReport, Ttl, Value,
    Version, Watched,
};

use super::{agent, id, key, value};

const EPOCH: Epoch = Epoch::from_random(0x0123_4567_89ab_cdef);
const RUN: Incarnation = Incarnation::from_random(u64::MAX);

fn cursor() -> Cursor {
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

fn digest() -> sync_core::Digest {
    let swarm = DigestKey::of(&SwarmId::new("swarm").unwrap());
    swarm.write(&id("agent-1", 1, 2), &Payload::absent())
}

/// Every case of [`Body`] at least once.
pub(crate) fn all() -> Vec<Body> {
    let mut bodies = state();
    bodies.extend(plain());
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

/// Every answer and every error.
pub(crate) fn replies() -> Vec<Reply> {
    let answers = answers().into_iter().map(Ok);
    answers.chain(errors().into_iter().map(Err)).collect()
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

fn policy() -> Policy {
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
    policy
}

/// Every reason.
pub(crate) fn receipts() -> List<Receipt> {
    let superseded = |winner_value| Reason::Superseded {
        winner: id("agent-2", 2, 2),
        winner_stamp: Stamp::at_millis(9),
        winner_value,
        rule: MergeRule::Lww,
    };
    let reasons = [
        superseded(None),
        superseded(Some(value())),
        Reason::Merged {
            by: "max".to_owned(),
            into: id("hub", 3, 4),
        },
        Reason::RuleMismatch {
            rule: MergeRule::Counter,
        },
        Reason::FutureStamp {
            ahead_ms: 90_000,
            limit_ms: 60_000,
        },
        Reason::TooLarge {
            bytes: 1 << 33,
            limit: 1 << 20,
        },
        Reason::Unknown,
    ];
    let receipt = |reason| Receipt {
        write: id("agent-1", 1, 1),
        key: key("k"),
        stamp: Stamp::at_millis(8),
        discarded: Payload::put(&value()),
        reason,
        revision: Revision::new(5),
    };
    List(reasons.map(receipt).into())
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
            pattern: "task_*".to_owned(),
            after: Some(key("task_1")),
        },
        Ask::Keys {
            pattern: String::new(),
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
    ];
    asks.extend(operations.map(write));
    asks
}

fn sibling(value: Value) -> Sibling {
    Sibling {
        write: id("agent-1", 1, 9),
        timestamp: Stamp::at_millis(2),
        value,
    }
}

fn version(value: Option<Value>) -> StateVersion {
    StateVersion {
        key: key("k"),
        version: value.is_some().then_some(Version::new(4)),
        revision: Some(Revision::new(77)),
        timestamp: Some(Stamp::at_millis(1)),
        agent: Some(agent("agent-1")),
        siblings: value.clone().map(sibling).into_iter().collect(),
        metadata: StateMetadata {
            rule: Some(MergeRule::Set),
            siblings: 2,
            merged_from: vec![agent("agent-1"), agent("agent-2")],
            provisional: true,
            omitted_bytes: Some(1 << 30),
            unmerged: Some("because".to_owned()),
            age_ms: Some(12),
            user: value.clone().map(UserMetadata),
        },
        value,
    }
}

fn watched() -> Watched {
    let kinds = [
        ChangeKind::Changed,
        ChangeKind::Deleted,
        ChangeKind::Expired,
    ];
    let change = |kind| Change {
        kind,
        state: version(Some(value())),
    };
    Watched {
        changes: kinds.map(change).into(),
        compacted: true,
        to: cursor(),
    }
}

fn answers() -> Vec<Answer> {
    let line = KeyReport {
        key: key("k"),
        version: Some(Version::new(1)),
        changed: true,
        conflicts: 3,
    };
    let synced = SyncReport {
        epoch: EPOCH,
        revision: Revision::new(1),
        keys: vec![line],
        responded: vec![agent("a")],
        missing: vec![agent("b")],
        in_step: Vec::new(),
        conflicts: 3,
        bytes: 1 << 20,
        elapsed_ms: 5,
    };
    let changes = vec![version(Some(value())), version(None)];
    let delta = Delta {
        changes,
        to: cursor(),
        head: Revision::new(251),
        more: true,
    };
    let member = MemberStatus {
        agent: agent("a"),
        connected: true,
        acked: Some(Revision::new(1)),
        receipts: 2,
    };
    let status = HubStatus {
        swarm: SwarmId::new("swarm").unwrap(),
        epoch: EPOCH,
        revision: Revision::new(1),
        digest: digest(),
        keys: 9,
        members: vec![member],
        id_alarms: 1,
    };
    let mut answers = vec![
        Answer::Version(None),
        Answer::Version(Some(Version::new(1))),
        Answer::State(None),
        Answer::State(Some(Box::new(version(Some(value()))))),
        Answer::Keys {
            keys: vec![key("a")].into(),
            more: false,
        },
        Answer::Delta(delta),
        Answer::Synced(synced),
        Answer::Cleared(2),
        Answer::Status(status),
        Answer::Policies(vec![policy()].into()),
        Answer::Watched(watched()),
    ];
    for durability in [Durability::Memory, Durability::Disk, Durability::Hub] {
        answers.push(Answer::Written(Ack {
            write_id: Some(id("a", 1, 1)),
            durability,
        }));
    }
    answers
}

fn errors() -> Vec<RequestError> {
    let reason = || "because".to_owned();
    vec![
        RequestError::Operation { reason: reason() },
        RequestError::TooLarge { bytes: 2, limit: 1 },
        RequestError::RequestTooLarge { bytes: 2, limit: 1 },
        RequestError::AnswerTooLarge { bytes: 2, limit: 1 },
        RequestError::Invalid {
            reason: String::new(),
        },
        RequestError::NobodyConnected { roster: 3 },
        RequestError::NobodyAnswered {
            asked: 3,
            deadline_ms: 1_000,
        },
        RequestError::TooManyKeys { keys: 2, limit: 1 },
        RequestError::TooManyRounds { open: 2 },
        RequestError::EpochMismatch { epoch: EPOCH },
        RequestError::Ahead {
            head: Revision::new(1),
        },
        RequestError::Unavailable { doing: reason() },
        RequestError::OutboxFull { bytes: 2, limit: 1 },
        RequestError::TooManySiblings {
            siblings: 2,
            limit: 1,
        },
        RequestError::Deadline {
            doing: reason(),
            limit_ms: 1,
        },
        RequestError::Stopped { reason: reason() },
        RequestError::ConnectionLost { reason: reason() },
    ]
}
