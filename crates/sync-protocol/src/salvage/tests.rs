//! What is taken from rows and what is left, for a hub and for an agent.

use std::collections::BTreeSet;

use sync_core::{
    AgentId, Context, Incarnation, Payload, Seq, SwarmId, Value, Write, WriteId, Writer,
};

use super::*;
use crate::keyspace::Keyspace;

const HOUR: Duration = Duration::from_hours(1);

fn row(op: &RowOp) -> Row {
    match op {
        RowOp::Put { key, value } => Row {
            key: key.clone(),
            value: value.clone(),
        },
        RowOp::Delete { .. } => panic!("nothing is deleted"),
    }
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn id(agent: &str, seq: u64) -> WriteId {
    let agent = AgentId::new(agent).unwrap();
    let writer = Writer::new(agent, Incarnation::from_random(7));
    WriteId::new(writer, Seq::new(seq))
}

fn write(value: i64, over: &[WriteId]) -> Write {
    let mut context = Context::new();
    for id in over {
        context.insert_id(id);
    }
    Write {
        stamp: Stamp::default(),
        payload: Payload::put(&Value::from(value)),
        prev: Seq::default(),
        over: context,
        note: None,
    }
}

fn meta(owner: Owner, revision: u64) -> RowOp {
    rows::put_meta(&Meta {
        owner,
        high_water: Stamp::default(),
        revision: Revision::new(revision),
        cursor: None,
        reentering: false,
    })
}

fn header(name: &str, version: u64, revision: u64, covered: &[WriteId]) -> RowOp {
    let mut context = Context::new();
    for id in covered {
        context.insert_id(id);
    }
    let (version, revision) = (Version::new(version), Revision::new(revision));
    rows::put_header(&key(name), version, revision, &context)
}

fn salvaged(owner: Owner, rows: &[RowOp]) -> (Vec<Row>, Taken) {
    let mut salvage = Salvage::new(owner);
    let mut rows: Vec<Row> = rows.iter().map(row).collect();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    for row in &rows {
        salvage.row(row).unwrap();
    }
    let (ops, taken) = salvage.finish(Epoch::from_random(9), HOUR);
    let mut rows: Vec<Row> = ops.iter().map(row).collect();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let keys: BTreeSet<_> = rows.iter().map(|row| row.key.clone()).collect();
    assert_eq!(keys.len(), rows.len(), "a row each");
    (rows, taken)
}

/// The keys that a node holds which opens from `rows`; every live write is one that its key's header knows.
fn opened(found: &[Row]) -> Vec<(Key, Entry, Version)> {
    let mut space = Keyspace::new(&SwarmId::new("s").unwrap());
    for row in found {
        match rows::read(row).unwrap() {
            Stored::Header(segment) => space.restore_header(segment),
            Stored::Write(key, id, write) => assert!(space.restore_write(&key, id, write)),
            _ => {}
        }
    }
    let held = space.iter_after(None);
    held.map(|(key, state)| (key.clone(), state.entry().clone(), state.version()))
        .collect()
}

#[test]
fn a_header_covers_nothing_whose_row_may_be_gone() {
    let (kept, lost) = (id("a", 1), id("b", 1));
    let (found, taken) = salvaged(
        Owner::Hub,
        &[
            meta(Owner::Hub, 40),
            header("k", 7, 33, &[kept.clone(), lost.clone()]),
            rows::put_write(&key("k"), &kept, &write(1, &[])),
            header("all-gone", 2, 12, std::slice::from_ref(&lost)),
        ],
    );
    assert_eq!((taken.keys, taken.left), (1, 0));
    let held = opened(&found);
    let [(name, entry, version)] = &held[..] else {
        panic!("{held:?}")
    };
    assert_eq!((name, *version), (&key("k"), Version::new(7)));
    assert!(entry.context().contains(&kept));
    assert!(
        !entry.context().contains(&lost),
        "it would be deleted elsewhere"
    );
}

#[test]
fn what_a_write_had_replaced_stays_replaced() {
    let (first, second) = (id("a", 1), id("a", 2));
    let (found, taken) = salvaged(
        Owner::Hub,
        &[
            rows::put_write(&key("k"), &first, &write(1, &[])),
            rows::put_write(&key("k"), &second, &write(2, &[first])),
        ],
    );
    assert_eq!(taken.keys, 1);
    let writes = found.iter().filter_map(|row| match rows::read(row) {
        Ok(Stored::Write(_, id, _)) => Some(id),
        _ => None,
    });
    assert_eq!(writes.collect::<Vec<_>>(), [second]);
    let held = opened(&found);
    assert_eq!(held[0].2, Version::new(1), "as young as it can be");
}

#[test]
fn a_hub_knows_nobodys_numbers_and_waits_for_every_lease() {
    let known = rows::put_known(&id("a", 1).writer, Seq::new(5));
    let run = Run {
        ordinal: 3,
        first: Revision::new(20),
        epoch: Epoch::from_random(4),
    };
    let rows = [meta(Owner::Hub, 40), known, rows::put_run(&run)];
    let (found, taken) = salvaged(Owner::Hub, &rows);
    assert_eq!(taken.left, 1);
    let mut met = Vec::new();
    for row in &found {
        match rows::read(row).unwrap() {
            Stored::Meta(meta) => met.push(format!("at {}", meta.revision)),
            Stored::Run(run) => met.push(format!("run {} {}", run.ordinal, run.epoch)),
            Stored::LongestLease(lease_ms) => met.push(format!("lease {lease_ms}")),
            other => panic!("{other:?}"),
        }
    }
    let drawn = Epoch::from_random(9);
    assert_eq!(
        met,
        [
            "at r40".to_owned(),
            format!("run 4 {drawn}"),
            "lease 3600000".to_owned()
        ]
    );
}

#[test]
fn an_agent_pushes_what_waited_and_has_a_position_that_no_hub_knows() {
    let (agent, waiting) = (AgentId::new("a").unwrap(), id("a", 4));
    let owner = Owner::Agent(agent);
    let delta = Entry::of_write(waiting.clone(), write(3, &[]));
    let (version, revision) = (Version::default(), Revision::default());
    let segment = sync_core::segment::encode_parts(&key("k"), version, revision, &delta);
    let run = waiting.writer.incarnation();
    let outbox = rows::put_outbox(run, waiting.seq, &key("k"), &segment, &Context::new());
    let (found, taken) = salvaged(owner.clone(), std::slice::from_ref(&outbox));
    assert_eq!((taken.keys, taken.waiting), (1, 1));
    assert!(found.contains(&row(&outbox)));
    let mut met = 0;
    for row in &found {
        match rows::read(row).unwrap() {
            Stored::Meta(meta) => {
                assert_eq!(meta.owner, owner);
                let cursor = meta.cursor.unwrap();
                assert_eq!(cursor.epoch, Epoch::from_random(9));
                met += 1;
            }
            Stored::Write(_, id, _) => {
                assert_eq!(id, waiting);
                met += 1;
            }
            Stored::Header(segment) => assert_eq!(segment.version, Version::default()),
            _ => {}
        }
    }
    assert_eq!(met, 2);
}

#[test]
fn rows_of_another_node_are_refused_and_what_cannot_be_read_is_left() {
    let agent = |name| Owner::Agent(AgentId::new(name).unwrap());
    let mut salvage = Salvage::new(agent("a"));
    for owner in [Owner::Hub, agent("b")] {
        let error = salvage.row(&row(&meta(owner, 1))).unwrap_err();
        assert!(matches!(error, RowError::Owner { .. }), "{error}");
    }
    let known = rows::put_known(&id("a", 1).writer, Seq::new(5));
    salvage.row(&row(&known)).unwrap_err();
    let mut cut = row(&meta(agent("a"), 1));
    cut.value = cut.value.slice(..1);
    salvage.row(&cut).unwrap();
    assert_eq!(salvage.finish(Epoch::from_random(1), HOUR).1.left, 1);
}

/// Its hub sends nobody's own removal back.
#[test]
fn what_a_waiting_delete_has_ended_stays_known_where_nothing_is_live() {
    let agent = Owner::Agent(AgentId::new("a").unwrap());
    let covered: Context = [id("a", 1), id("a", 2)]
        .iter()
        .map(|id| sync_core::Span::new(id.writer.clone(), id.seq, id.seq))
        .collect();
    let delta = Entry::covering(covered.clone());
    let (version, revision) = (Version::default(), Revision::default());
    let segment = sync_core::segment::encode_parts(&key("k"), version, revision, &delta);
    let run = Incarnation::from_random(7);
    let waiting = rows::put_outbox(run, Seq::new(2), &key("k"), &segment, &covered);
    let (rows, taken) = salvaged(agent.clone(), &[meta(agent, 3), waiting]);
    assert_eq!((taken.keys, taken.waiting), (0, 1));
    let contexts = rows.iter().filter_map(|row| match rows::read(row) {
        Ok(Stored::Header(segment)) => Some(segment.entry.context().clone()),
        _ => None,
    });
    assert_eq!(contexts.collect::<Vec<_>>(), [covered]);
}
