//! Every question about the past, and every answer.

use sync_core::{
    AgentId, Answer, Ask, Did, DiffNext, DiffPage, Dropped, DroppedBy, HistoryPage, KeyDiff,
    KeyExplanation, Knew, LossReason, MergeRule, Omitted, PastAnswer, PastAsk, PastCommit,
    PastKind, PastLoss, PastState, PastValue, PastWrite, Revision, Since, StaleKey, Stamp,
    StateVersion, Value, Version,
};

use super::bodies::cursor;
use super::{id, key, seen, value};

pub(super) fn asks() -> [Ask; 5] {
    let asks = [
        PastAsk::History {
            key: key("k"),
            upto: Some(Version::new(9)),
            limit: 16,
        },
        PastAsk::Explain(key("k")),
        PastAsk::StateAt {
            key: key("k"),
            at: Since::Cursor(cursor()),
        },
        PastAsk::Diff {
            from: Since::START,
            to: Some(Since::Cursor(cursor())),
            after: Some(key("k")),
        },
        PastAsk::Knew {
            key: key("k"),
            write: id("agent-1", 1, 2),
            after: Some(Revision::new(3)),
        },
    ];
    asks.map(Ask::Past)
}

pub(super) fn answers(state: StateVersion) -> [Answer; 5] {
    let answers = [
        PastAnswer::History(HistoryPage {
            key: key("k"),
            version: Version::new(9),
            commits: commits().into(),
            next: Some(Version::new(3)),
            dropped: Some(dropped(DroppedBy::Count { commits: 16 })),
        }),
        PastAnswer::Explained(Box::new(KeyExplanation {
            key: key("k"),
            sentences: vec!["because".to_owned()].into(),
            state: Some(state),
            commits: commits().into(),
            dropped: Some(dropped(DroppedBy::Age { age_ms: 1_000 })),
        })),
        PastAnswer::State(Box::new(PastState {
            key: key("k"),
            at: Revision::new(300),
            version: Some(Version::new(9)),
            revision: Some(Revision::new(250)),
            value: Some(value()).into(),
            until: Some(Revision::new(301)),
            dropped: Some(dropped(DroppedBy::Unrecorded)),
        })),
        diff(),
        PastAnswer::Knew(Box::new(Knew {
            key: key("k"),
            write: id("agent-1", 1, 2),
            seen: Some(seen()),
            comparable: true,
            committed: Revision::new(400),
            at_ms: 1_700_000_000_000,
            stale: vec![StaleKey {
                key: key("other"),
                revision: Revision::new(301),
                version: Version::new(2),
            }]
            .into(),
            next: Some(Revision::new(399)),
            kept_after: Some(Revision::new(300)),
        })),
    ];
    answers.map(Answer::Past)
}

fn diff() -> PastAnswer {
    PastAnswer::Diff(DiffPage {
        from: Revision::new(1),
        to: Revision::new(300),
        changes: vec![KeyDiff {
            key: key("k"),
            before: Version::new(1),
            version: Version::new(2),
            revision: Revision::new(299),
            commits: 1,
            kind: PastKind::Merged,
            was: Some(PastValue::default()),
            became: Some(Some(value()).into()),
        }]
        .into(),
        next: Some(DiffNext {
            from: Revision::new(1),
            to: Revision::new(400),
            after: Some(key("k")),
        }),
        kept_after: Some(Revision::new(1)),
    })
}

fn dropped(why: DroppedBy) -> Dropped {
    let upto = Version::new(3);
    Dropped { upto, why }
}

/// With every kind of commit, of write and of loss.
fn commits() -> Vec<PastCommit> {
    let kinds = [
        PastKind::Changed,
        PastKind::Deleted,
        PastKind::Expired,
        PastKind::Cleared,
        PastKind::Merged,
        PastKind::Unchanged,
    ];
    let commit = |(version, kind)| PastCommit {
        version: Version::new(version),
        before: Version::new(version - 1),
        revision: Revision::new(300),
        at_ms: 1_700_000_000_000,
        by: Some(AgentId::new("agent-1").unwrap()),
        kind,
        rule: Some(MergeRule::Lww),
        value: PastValue::omitted(Omitted::Bytes(1 << 20)),
        writes: writes().into(),
        lost: losses().into(),
        replaced: vec![id("agent-3", 3, 3)].into(),
        unnamed: 7,
    };
    (4..).zip(kinds).map(commit).collect()
}

fn writes() -> Vec<PastWrite> {
    let did = [
        Did::Set,
        Did::Delete,
        Did::Add,
        Did::Insert,
        Did::Put,
        Did::Unset,
        Did::Clear,
        Did::Claim,
    ];
    let write = |did| PastWrite {
        write: id("agent-1", 1, 2),
        stamp: Stamp::at_millis(8),
        did,
        field: Some("f".to_owned()),
        value: Some(value()).into(),
        seen: Some(seen()),
        metadata: Some(Value::Map([("proposal".to_owned(), Value::from(7))].into())),
    };
    did.map(write).into()
}

fn losses() -> Vec<PastLoss> {
    let reasons = [
        LossReason::Superseded {
            winner: id("agent-2", 2, 2),
            winner_stamp: Stamp::at_millis(9),
            rule: MergeRule::Lww,
        },
        LossReason::Merged {
            by: "max".to_owned(),
            into: id("hub", 3, 4),
        },
        LossReason::Refused {
            sentence: "because".to_owned(),
        },
    ];
    let loss = |why| PastLoss {
        lost: PastWrite {
            write: id("agent-1", 1, 2),
            stamp: Stamp::at_millis(8),
            did: Did::Set,
            field: None,
            value: PastValue::omitted(Omitted::Parts(100)),
            seen: None,
            metadata: None,
        },
        why,
    };
    reasons.map(loss).into()
}
