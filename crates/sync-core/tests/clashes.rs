//! A copied or restored disk can give one id to two writes, although incarnations are drawn to
//! prevent it. Then every replica keeps the same one, and whoever sees both raises an alarm.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use sync_core::{
    AgentId, Context, Entry, Epoch, Incarnation, Metadata, Note, Payload, Revision, Seen, Seq,
    Span, Stamp, Value, Write, WriteId, Writer,
};

fn id() -> WriteId {
    let agent = AgentId::new("copied").unwrap();
    WriteId::new(Writer::new(agent, Incarnation::from_random(7)), Seq::new(9))
}

fn plain(payload: Payload) -> Write {
    let (stamp, prev) = (Stamp::at_millis(5), Seq::new(3));
    Write {
        stamp,
        payload,
        prev,
        over: Context::new(),
        note: None,
    }
}

/// Writes that differ in one fact each.
fn variants() -> Vec<Write> {
    let base = plain(Payload::put(&Value::from("b")));
    let other = Writer::new(AgentId::new("other").unwrap(), Incarnation::from_random(0));
    let over = [Span::new(other, Seq::new(1), Seq::new(4))]
        .into_iter()
        .collect();
    let seen = Seen {
        epoch: Epoch::from_random(1),
        revision: Revision::new(2),
    };
    let metadata = Metadata::new(BTreeMap::from([("why".to_owned(), Value::from("x"))])).unwrap();
    let note = |metadata, seen| {
        let attempt = None;
        Some(Box::new(Note {
            metadata,
            seen,
            attempt,
        }))
    };
    vec![
        plain(Payload::put(&Value::from("a"))),
        plain(Payload::put(&Value::from("bb"))),
        plain(Payload::absent()),
        plain(Payload::count(1)),
        plain(Payload::element(&Value::Null)),
        Write {
            stamp: Stamp::at_millis(6),
            ..base.clone()
        },
        Write {
            prev: Seq::new(4),
            ..base.clone()
        },
        Write {
            over,
            ..base.clone()
        },
        Write {
            note: note(Some(metadata), None),
            ..base.clone()
        },
        Write {
            note: note(None, Some(seen)),
            ..base.clone()
        },
        base,
    ]
}

/// Both orders keep the same bytes and both report the alarm: as `replaced` where the state changed,
/// as `outranked` where it did not. The writes given up are handed out, not dropped.
#[test]
fn one_id_with_two_writes_keeps_the_same_one_in_both_orders_and_raises_an_alarm() {
    let variants = variants();
    for (at, a) in variants.iter().enumerate() {
        for b in &variants[at + 1..] {
            let (mut left, mut right) = (
                Entry::of_write(id(), a.clone()),
                Entry::of_write(id(), b.clone()),
            );
            let (first, second) = (left.clone(), right.clone());
            let reports = [left.join(second.clone()), right.join(first.clone())];
            assert_eq!(left, right, "{a:?} {b:?}");
            let kept = left.write(&id()).unwrap();
            let given_up = if kept == a { b } else { a };
            for (report, before) in reports.iter().zip([&first, &second]) {
                let alarms: Vec<_> = report.replaced.iter().chain(&report.outranked).collect();
                assert_eq!(alarms, [&(id(), given_up.clone())]);
                assert_eq!(
                    report.replaced.is_empty(),
                    before.write(&id()) == Some(kept)
                );
                assert_eq!(report.inflated(), *before != left);
                assert_eq!(before.includes(&left), *before == left);
                assert!(report.added.is_empty() && report.removed.is_empty());
            }
            assert!(left.includes(&first) && left.includes(&second));
        }
    }
}

/// Three holders of three different writes under one id agree in any order of meeting.
#[test]
fn clashes_are_settled_associatively() {
    let deltas: Vec<_> = variants()
        .into_iter()
        .map(|w| Entry::of_write(id(), w))
        .collect();
    let join = |a: &Entry, b: &Entry| {
        let mut out = a.clone();
        out.join(b.clone());
        out
    };
    for a in &deltas {
        for b in &deltas {
            for c in &deltas {
                assert_eq!(join(&join(a, b), c), join(a, &join(b, c)));
            }
        }
    }
}

/// A removed id stays removed, whatever bytes come under it: no alarm can be told from a duplicate.
#[test]
fn a_clash_with_a_removed_write_changes_nothing() {
    let [first, second] = [0, 1].map(|at| Entry::of_write(id(), variants()[at].clone()));
    let mut entry = first.clone();
    entry.join(Entry::covering(first.context().clone()));
    assert!(!entry.join(second).inflated());
    assert!(!entry.is_live());
}

/// The wire has no empty note, so memory has none either: else a write and its own copy from the
/// wire would look like two writes under one id.
#[test]
fn an_empty_note_is_no_note() {
    let write = plain(Payload::absent());
    let noted = Write {
        note: Some(Box::default()),
        ..write.clone()
    };
    let mut entry = Entry::of_write(id(), write);
    let report = entry.join(Entry::of_write(id(), noted));
    assert!(!report.inflated() && report.outranked.is_empty());
}

/// The index of a set's elements follows the winner of a clash, not the loser.
#[test]
fn a_clash_between_two_elements_leaves_no_stale_index() {
    let element = |n: i64| Payload::element(&Value::Int(n));
    let other = WriteId::new(id().writer, Seq::new(30));
    for (first, second) in [(1, 2), (2, 1), (1, 1)] {
        let mut entry = Entry::of_write(id(), plain(element(first)));
        entry.join(Entry::of_write(
            other.clone(),
            Write {
                prev: Seq::new(9),
                ..plain(element(5))
            },
        ));
        let late = Write {
            stamp: Stamp::at_millis(99),
            ..plain(element(second))
        };
        entry.join(Entry::of_write(id(), late));
        let winner = entry.write(&id()).unwrap().payload.clone();
        for n in 1..=2 {
            let held: Vec<_> = entry.part(&element(n)).collect();
            assert_eq!(held.len(), usize::from(winner == element(n)));
        }
        entry.join(Entry::covering(
            [Span::new(id().writer, id().seq, id().seq)]
                .into_iter()
                .collect(),
        ));
        assert_eq!(
            [1, 2, 5].map(|n| entry.part(&element(n)).count()),
            [0, 0, 1]
        );
    }
}
