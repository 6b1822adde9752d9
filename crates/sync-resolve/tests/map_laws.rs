//! What a map promises: every field like a key of its own, one promise a test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod replica;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sync_core::{
    Entry, FIELD_BYTES_MAX, Loss, Operation, OperationError, Resolver, Value, WriteId,
};
use sync_resolve::{Lww, Map};

use replica::{Replica, joined, map, orders, pair, put, put_field, unset};

fn only(delta: &Entry) -> WriteId {
    delta.writes().next().unwrap().0.clone()
}

fn lost(loser: &Entry, winner: &Entry) -> Loss {
    let winner = Some(only(winner));
    Loss {
        loser: only(loser),
        winner,
    }
}

fn done(absence: &Entry) -> Loss {
    Loss {
        loser: only(absence),
        winner: None,
    }
}

#[test]
fn writes_to_different_fields_do_not_meet() {
    let (mut one, mut two) = pair();
    two.clock = 20;
    let writes = [
        one.must(&Map, &put_field("color", "red")),
        two.must(&Map, &put_field("size", "big")),
    ];
    for order in orders(&writes) {
        let entry = joined(&order);
        let expected = map(&[("color", "red"), ("size", "big")]);
        assert_eq!(Map.fold(&entry), Some(expected));
        assert_eq!((Map.hidden(&entry), Map.losses(&entry)), (0, vec![]));
        assert_eq!(Map.shown(&entry), None, "no single author");
    }
}

#[test]
fn of_writes_to_one_field_the_newest_shows_and_the_others_lose_with_a_receipt() {
    let (mut one, mut two) = pair();
    (one.clock, two.clock) = (10, 20);
    let (old, new) = (
        one.must(&Map, &put_field("f", "old")),
        two.must(&Map, &put_field("f", "new")),
    );
    let beside = two.must(&Map, &put_field("g", "beside"));
    for order in orders(&[old.clone(), new.clone(), beside]) {
        let entry = joined(&order);
        let shown = map(&[("f", "new"), ("g", "beside")]);
        assert_eq!((Map.fold(&entry), Map.hidden(&entry)), (Some(shown), 1));
        assert_eq!(Map.losses(&entry), [lost(&old, &new)]);
    }
}

/// The trap of every register, here per field: a write that silently covers what it was not shown.
#[test]
fn a_write_covers_what_its_field_showed_and_leaves_all_else() {
    let (mut one, mut two) = pair();
    (one.clock, two.clock) = (10, 20);
    let hidden = one.must(&Map, &put_field("f", "hidden"));
    one.must(&Map, &put_field("g", "beside"));
    one.entry.join(two.must(&Map, &put_field("f", "shown")));
    let third = one.must(&Map, &put_field("f", "third"));
    let shown = map(&[("f", "third"), ("g", "beside")]);
    assert_eq!(Map.fold(&one.entry), Some(shown), "its clock is behind");
    assert_eq!(one.entry.live_count(), 3);
    assert_eq!(Map.losses(&one.entry), [lost(&hidden, &third)]);
}

#[test]
fn removing_a_field_leaves_its_absence_until_the_hub_has_pruned_what_it_hides() {
    let (mut one, mut two) = pair();
    two.clock = 20;
    let hidden = one.must(&Map, &put_field("f", "hidden"));
    one.must(&Map, &put_field("g", "stays"));
    one.entry.join(two.must(&Map, &put_field("f", "shown")));
    let gone = one.must(&Map, &unset("f"));
    assert_eq!(Map.fold(&one.entry), Some(map(&[("g", "stays")])));
    assert_eq!(Map.hidden(&one.entry), 1);
    assert_eq!(Map.losses(&one.entry), [lost(&hidden, &gone), done(&gone)]);
    for nothing in ["f", "never there", ""] {
        assert_eq!(one.operate(&Map, &unset(nothing)), Ok(None), "{nothing}");
    }
    let again = one.must(&Map, &put_field("f", "again"));
    assert_eq!(Map.losses(&one.entry), [lost(&hidden, &again)]);
    let losers = [only(&hidden)];
    one.cover(&losers);
    let expected = map(&[("f", "again"), ("g", "stays")]);
    assert_eq!(Map.fold(&one.entry), Some(expected));
    assert_eq!(Map.losses(&one.entry), []);
}

/// An emptied map is absent, but what emptied it still hides what its writer had not seen.
#[test]
fn a_map_without_fields_reads_as_absent() {
    let mut one = Replica::new("agent-1");
    one.must(&Map, &put_field("f", "x"));
    one.must(&Map, &unset("f"));
    assert_eq!((Map.fold(&one.entry), one.entry.live_count()), (None, 1));
    assert_eq!(one.operate(&Map, &Operation::Delete), Ok(None));
}

#[test]
fn a_delete_hides_every_older_field_and_no_newer_one() {
    let (mut one, mut two) = pair();
    let (hidden, beside) = (
        two.must(&Map, &put_field("f", "hidden")),
        two.must(&Map, &put_field("h", "beside")),
    );
    one.clock = 10;
    let shown = one.must(&Map, &put_field("f", "shown"));
    one.entry.join(hidden.clone());
    let delete = one.must(&Map, &Operation::Delete);
    assert_eq!(Map.fold(&one.entry), None);
    assert_eq!(one.operate(&Map, &Operation::Delete), Ok(None));
    two.clock = 90;
    let newer = two.must(&Map, &put_field("g", "newer"));
    for order in orders(&[hidden.clone(), beside.clone(), shown, delete.clone(), newer]) {
        let entry = joined(&order);
        assert_eq!(Map.fold(&entry), Some(map(&[("g", "newer")])));
        let mut expected = [
            lost(&hidden, &delete),
            lost(&beside, &delete),
            done(&delete),
        ];
        expected.sort_by(|a, b| a.loser.cmp(&b.loser));
        assert_eq!(
            Map.losses(&entry),
            expected,
            "receipts for what it never saw"
        );
        assert_eq!(Map.hidden(&entry), 2);
    }
}

/// A replica that has no hub for long empties and fills its map as often as it likes.
#[test]
fn absences_do_not_pile_up() {
    let mut one = Replica::new("agent-1");
    for _ in 0..50 {
        one.must(&Map, &put_field("f", "x"));
        one.must(&Map, &unset("f"));
        one.must(&Map, &put_field("f", "x"));
        one.must(&Map, &Operation::Delete);
    }
    assert!(one.entry.live_count() <= 1, "{:?}", one.live());
}

#[test]
fn two_deletes_lose_nothing_against_each_other() {
    let (mut one, mut two) = pair();
    let field = one.must(&Map, &put_field("f", "x"));
    two.entry.join(field);
    let deletes = [&mut one, &mut two].map(|r| r.must(&Map, &Operation::Delete));
    let entry = joined(&deletes);
    assert_eq!(Map.losses(&entry), deletes.each_ref().map(done));
    assert_eq!((Map.fold(&entry), Map.hidden(&entry)), (None, 0));
}

#[test]
fn what_no_map_can_hold_is_refused() {
    let nested = |depth: usize| (1..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let mut one = Replica::new("agent-1");
    let deep = Operation::PutField("f".to_owned(), nested(32));
    let refused = one.operate(&Map, &deep).unwrap_err();
    assert!(matches!(refused, OperationError::TooDeep { limit: 31 }));
    assert!(
        refused
            .to_string()
            .ends_with("store its parts as keys of their own")
    );
    for name in [String::new(), "n".repeat(FIELD_BYTES_MAX + 1)] {
        let refused = one.operate(&Map, &put_field(&name, "x")).unwrap_err();
        assert!(matches!(refused, OperationError::FieldName(_)), "{refused}");
    }
    for other in [put("x"), Operation::Add(1)] {
        let refused = one.operate(&Map, &other).unwrap_err();
        assert!(matches!(refused, OperationError::Rule { .. }), "{refused}");
    }
    assert_eq!(one.entry, Entry::new());
    one.must(&Map, &Operation::PutField("f".to_owned(), nested(31)));
    assert_eq!(Map.fold(&one.entry).unwrap().check_depth(), Ok(()));
}

const FIELDS: [&str; 2] = ["f", "g"];

/// One replica of a map beside one of a key for each field.
struct Twin {
    map: Replica,
    keys: Vec<Replica>,
}

impl Twin {
    fn new(name: &str) -> Self {
        Self {
            map: Replica::new(name),
            keys: FIELDS.map(|_| Replica::new(name)).into(),
        }
    }

    /// Writes the field, or removes it; the deltas of both, if there was anything to do.
    fn operate(&mut self, field: usize, value: Option<&str>, clock: u64) -> Option<(Entry, Entry)> {
        let key = &mut self.keys[field];
        (self.map.clock, key.clock) = (clock, clock);
        let (on_map, on_key) = match value {
            Some(value) => (put_field(FIELDS[field], value), put(value)),
            None => (unset(FIELDS[field]), Operation::Delete),
        };
        let pair = (self.map.operate(&Map, &on_map), key.operate(&Lww, &on_key));
        match (pair.0.unwrap(), pair.1.unwrap()) {
            (Some(map), Some(key)) => Some((map, key)),
            (None, None) => None,
            other => panic!("only one of them had anything to do: {other:?}"),
        }
    }

    fn assert_alike(&self) {
        let read = FIELDS.iter().zip(&self.keys);
        let read = read.filter_map(|(name, key)| Some(((*name).to_owned(), Lww.fold(&key.entry)?)));
        let read: BTreeMap<String, Value> = read.collect();
        let expected = (!read.is_empty()).then_some(Value::Map(read));
        assert_eq!(Map.fold(&self.map.entry), expected);
    }

    /// What waits for the hub is alike once all is there. Before, the key may know more: a write to it
    /// tells of every end that its writer had heard of, a write to a field of what that field showed.
    fn assert_waits_alike(&self) {
        let keys = || self.keys.iter().map(|key| &key.entry);
        let map = &self.map.entry;
        assert_eq!(
            Map.hidden(map),
            keys().map(|e| Lww.hidden(e)).sum::<usize>()
        );
        let losses = keys().map(|e| Lww.losses(e).len());
        assert_eq!(Map.losses(map).len(), losses.sum::<usize>());
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(5),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// The promise itself: the same schedule on a map and on one last-writer-wins key per field.
    #[test]
    fn a_field_is_like_a_key_of_its_own(
        steps in prop::collection::vec((0..3_usize, 0..2_usize, 0..5_usize, 0..9_u64, 0..40_usize), 1..40),
    ) {
        let mut twins = ["a", "b", "c"].map(Twin::new);
        let mut sent: Vec<(usize, Entry, Entry)> = Vec::new();
        for (who, field, what, clock, which) in steps {
            let value = match what {
                0 => None,
                1 => Some("x"),
                2 => Some("y"),
                _ => {
                    if let Some((field, map, key)) = sent.get(which % sent.len().max(1)) {
                        twins[who].map.entry.join(map.clone());
                        twins[who].keys[*field].entry.join(key.clone());
                        twins[who].assert_alike();
                    }
                    continue;
                }
            };
            let done = twins[who].operate(field, value, clock);
            sent.extend(done.map(|(map, key)| (field, map, key)));
            twins[who].assert_alike();
        }
        for (field, map, key) in sent {
            twins[0].map.entry.join(map);
            twins[0].keys[field].entry.join(key);
        }
        twins[0].assert_alike();
        twins[0].assert_waits_alike();
    }
}
