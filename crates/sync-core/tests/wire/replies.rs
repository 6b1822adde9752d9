//! Every answer, reason and error.

use sync_core::codec::List;
use sync_core::report::UserMetadata;
use sync_core::{
    Ack, Answer, Ballot, Cast, Change, ChangeKind, CommittedEffect, Decision, Delta, Durability,
    KeyReport, MemoryAnswer, MergeRule, NamespaceStats, Pattern, Payload, Priority, Quota, Reason,
    Receipt, Reply, RequestError, Revision, Share, Sibling, Stamp, StateMetadata, StateVersion,
    SyncReport, Value, Verdict, Version, Vote, Watched, Weights,
};

use super::bodies::{EPOCH, PROPOSAL, cursor, policy};
use super::{agent, id, key, namespace, value};

/// Every answer and every error.
pub(crate) fn replies() -> Vec<Reply> {
    let answers = answers().into_iter().map(Ok);
    let errors = errors().into_iter().chain(super::authority::errors());
    answers.chain(errors.map(Err)).collect()
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
            into_stamp: Stamp::at_millis(10),
            into_value: value(),
            rule: MergeRule::Custom,
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
        Reason::Dropped {
            count: 300,
            pattern: Some(Pattern::new("task_*").unwrap()),
            first: Revision::new(3),
        },
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
            undecided: 2,
            merged_from: vec![agent("agent-1"), agent("agent-2")],
            provisional: true,
            omitted_bytes: Some(1 << 30),
            expired: true,
            unmerged: Some("because".to_owned()),
            age_ms: Some(12),
            connected: true,
            behind: Some(300),
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

fn synced() -> SyncReport {
    let line = KeyReport {
        key: key("k"),
        version: Some(Version::new(1)),
        changed: true,
        conflicts: 3,
        failed: Some("because".to_owned()),
    };
    SyncReport {
        epoch: EPOCH,
        revision: Revision::new(1),
        keys: vec![line],
        responded: vec![agent("a")],
        missing: vec![agent("b")],
        in_step: Vec::new(),
        conflicts: 3,
        bytes: 1 << 20,
        elapsed_ms: 5,
    }
}

fn delta() -> Delta {
    let changes = vec![version(Some(value())), version(None)];
    Delta {
        changes,
        to: cursor(),
        head: Revision::new(251),
        more: true,
    }
}

fn answers() -> Vec<Answer> {
    let mut answers = vec![
        Answer::Version(None),
        Answer::Version(Some(Version::new(1))),
        Answer::State(None),
        Answer::State(Some(Box::new(version(Some(value()))))),
        Answer::Keys {
            keys: vec![key("a")].into(),
            next: Some(key("b")),
        },
        Answer::Delta(delta()),
        Answer::Synced(synced()),
        Answer::Cleared(2),
        Answer::Status(Box::new(super::status::status())),
        Answer::Policies(vec![policy()].into()),
        Answer::Watched(watched()),
        Answer::Decided(std::sync::Arc::new(decision())),
        Answer::Unregistered(true),
        Answer::About(super::status::about()),
    ];
    answers.extend(memory().map(Answer::Memory));
    answers.extend(super::authority::answers().map(Answer::Authority));
    answers.extend(super::past::answers(version(Some(value()))));
    let levels = [
        Durability::Memory,
        Durability::Disk,
        Durability::Hub,
        Durability::Replicas(3),
    ];
    for durability in levels {
        answers.push(Answer::Written(Ack {
            write_id: Some(id("a", 1, 1)),
            durability,
            revision: (durability > Durability::Disk).then_some(Revision::new(300)),
            epoch: (durability > Durability::Disk).then_some(EPOCH),
        }));
    }
    answers.extend([
        Answer::Held(2),
        Answer::Receipts {
            receipts: List(receipts().0.into_iter().take(1).collect()),
            last: Some((Revision::new(5), true, id("agent-1", 1, 1))),
        },
        Answer::Taken(1),
    ]);
    answers
}

fn decision() -> Decision {
    let mut decision = Decision::new(PROPOSAL, Verdict::Approved, "quorum".to_owned());
    decision.threshold = Some(Share::WHOLE);
    decision.participants = vec![agent("a"), agent("b")];
    let ballot = Ballot {
        vote: Vote::For,
        reason: Some("because".to_owned()),
    };
    decision.votes = vec![Cast {
        agent: agent("a"),
        ballot,
    }];
    decision.weights = Weights::new([(agent("b"), 2.5)]).unwrap();
    decision.duration_ms = 9;
    decision.committed = Some(CommittedEffect {
        key: key("k"),
        version: Some(Version::new(1)),
        revision: Revision::new(2),
    });
    decision.not_committed = Some("because".to_owned());
    decision.why = Some("because".to_owned());
    decision
}

fn memory() -> [MemoryAnswer; 6] {
    let line = NamespaceStats {
        namespace: namespace(),
        persistent: 1,
        volatile: 2,
        bytes: 300,
    };
    [
        MemoryAnswer::Stored,
        MemoryAnswer::Value(Some(value())),
        MemoryAnswer::Deleted(true),
        MemoryAnswer::Keys {
            keys: vec![key("a")].into(),
            next: Some(key("b")),
        },
        MemoryAnswer::Cleared(2),
        MemoryAnswer::Stats {
            namespaces: vec![line].into(),
            more: true,
            bytes: 300,
            bytes_max: 1 << 30,
        },
    ]
}

fn errors() -> Vec<RequestError> {
    let of_writes = errors_of_writes().into_iter();
    of_writes.chain(errors_of_questions()).collect()
}

fn reason() -> String {
    "because".to_owned()
}

fn errors_of_questions() -> Vec<RequestError> {
    vec![
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
        RequestError::Shed {
            priority: Priority::Background,
            by: Priority::Critical,
        },
        RequestError::EpochMismatch { epoch: EPOCH },
        RequestError::Ahead {
            head: Revision::new(1),
        },
        RequestError::Unavailable { doing: reason() },
        RequestError::Deadline {
            doing: reason(),
            limit_ms: 1,
        },
        RequestError::UnknownProposal { proposal: PROPOSAL },
        RequestError::AlreadyVoted {
            proposal: PROPOSAL,
            vote: Vote::Abstain,
        },
        RequestError::Stopped { reason: reason() },
        RequestError::ConnectionLost { reason: reason() },
    ]
}

fn errors_of_writes() -> Vec<RequestError> {
    vec![
        RequestError::Operation { reason: reason() },
        RequestError::TooLarge { bytes: 2, limit: 1 },
        RequestError::Superseded {
            winner: id("agent-2", 2, 2),
            by: Some(id("agent-1", 1, 1)),
            current: Some(Box::new(value())),
        },
        RequestError::Unreached {
            write: id("agent-1", 1, 1),
            asked: Durability::Replicas(3),
            reached: Durability::Hub,
            limit_ms: 1_000,
        },
        RequestError::NotHeld {
            winner: id("agent-2", 2, 2),
        },
        RequestError::OutboxFull {
            bytes: 2,
            limit: 1,
            priority: Priority::Medium,
            percent: 80,
        },
        RequestError::MemoryFull { bytes: 2, limit: 1 },
        RequestError::TooManySiblings {
            siblings: 2,
            limit: 1,
        },
        RequestError::QuotaExceeded {
            quota: Quota::Bytes,
            limit: 1,
        },
        RequestError::NoSpace {
            node: "the hub".to_owned(),
            keep: 1,
        },
    ]
}
