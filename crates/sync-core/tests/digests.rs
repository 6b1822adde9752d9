//! Equal digests stand for equal state, so a digest depends on everything that shows and on nothing
//! else.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use sync_core::{
    AgentId, Context, Digest, DigestKey, Entry, Incarnation, Key, Payload, Seq, Span, Stamp,
    SwarmId, Value, Write, WriteId, Writer,
};

fn swarm(name: &str) -> DigestKey {
    DigestKey::of(&SwarmId::new(name).unwrap())
}

fn id(name: &str, run: u64, seq: u64) -> WriteId {
    let agent = AgentId::new(name).unwrap();
    WriteId::new(
        Writer::new(agent, Incarnation::from_random(run)),
        Seq::new(seq),
    )
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn write(payload: Payload) -> Write {
    Write {
        stamp: Stamp::at_millis(1),
        payload,
        prev: Seq::new(0),
        over: Context::new(),
        note: None,
    }
}

/// Writes that differ in one fact each, also where bytes could move from one fact to the next.
fn writes() -> Vec<(WriteId, Payload)> {
    let payload = || Payload::put(&Value::from("x"));
    vec![
        (id("a", 1, 1), payload()),
        (id("b", 1, 1), payload()),
        (id("ab", 1, 1), payload()),
        (id("a", 2, 1), payload()),
        (id("a", 1, 2), payload()),
        (id("a", 1 << 8, 1), payload()),
        (id("a", 1, 1 << 8), payload()),
        (id("a", 1, 1), Payload::put(&Value::from("y"))),
        (id("a", 1, 1), Payload::put(&Value::Null)),
        (id("a", 1, 1), Payload::element(&Value::from("x"))),
        (id("a", 1, 1), Payload::absent()),
        (id("a", 1, 1), Payload::count(0)),
    ]
}

#[test]
fn a_digest_tells_writes_keys_and_swarms_apart() {
    let mut met = BTreeSet::new();
    let mut expected = 0;
    for name in ["swarm-1", "swarm-2", "swarm-"] {
        let hash = swarm(name);
        for (id, payload) in writes() {
            let live = hash.write(&id, &payload);
            expected += 1;
            met.insert(live);
            for text in ["k", "kk", "∀"] {
                expected += 2;
                met.insert(hash.key(&key(text), live));
                let entry = Entry::of_write(id.clone(), write(payload.clone()));
                met.insert(hash.entry(&key(text), &entry, live));
            }
        }
    }
    assert_eq!(met.len(), expected);
}

#[test]
fn a_digest_does_not_depend_on_the_order_and_gives_back_what_is_taken_out() {
    let hash = swarm("swarm");
    let parts: Vec<Digest> = writes()
        .iter()
        .map(|(id, payload)| hash.write(id, payload))
        .collect();
    let sum = |parts: &[Digest]| {
        parts
            .iter()
            .fold(Digest::default(), |sum, part| sum.plus(*part))
    };
    let mut turned = parts.clone();
    turned.rotate_left(5);
    turned.swap(0, 7);
    assert_eq!(sum(&parts), sum(&turned));
    assert_eq!(
        sum(&parts).minus(parts[3]),
        sum(&[&parts[..3], &parts[4..]].concat())
    );
    let emptied = parts.iter().fold(sum(&parts), |sum, part| sum.minus(*part));
    assert_eq!(emptied, Digest::default());
}

/// A key whose writes are all gone weighs nothing, as one that never was; its entry still has a hash,
/// because its context has to reach those who lack it.
#[test]
fn a_key_without_live_writes_has_no_part() {
    let hash = swarm("swarm");
    assert_eq!(hash.key(&key("k"), Digest::default()), Digest::default());
    let span = |seq| Span::new(id("a", 1, 1).writer, Seq::new(1), Seq::new(seq));
    let covering = |seq| Entry::covering([span(seq)].into_iter().collect());
    let entries = [Entry::new(), covering(1), covering(2)];
    let hashes: BTreeSet<_> = entries
        .iter()
        .map(|e| hash.entry(&key("k"), e, Digest::default()))
        .collect();
    assert_eq!(hashes.len(), 3);
}

/// The same state reached in two ways has one hash; one write of difference, live or only known, is
/// another.
#[test]
fn an_entry_hash_is_that_of_its_state() {
    let hash = swarm("swarm");
    let whole = |entry: &Entry| {
        let parts = entry
            .writes()
            .map(|(id, write)| hash.write(id, &write.payload));
        let live = parts.fold(Digest::default(), Digest::plus);
        hash.entry(&key("k"), entry, live)
    };
    let deltas = [("a", 1), ("b", 2), ("c", 3)]
        .map(|(name, n)| Entry::of_write(id(name, 1, 1), write(Payload::count(n))));
    let join = |order: [usize; 3]| {
        let mut entry = Entry::new();
        for at in order {
            entry.join(deltas[at].clone());
        }
        entry
    };
    let entry = join([0, 1, 2]);
    assert_eq!(whole(&entry), whole(&join([2, 0, 1])));
    let mut less = entry.clone();
    less.join(Entry::covering(deltas[1].context().clone()));
    assert_ne!(whole(&entry), whole(&less));
    let mut known = less.clone();
    known.join(Entry::covering(
        [Span::new(id("d", 1, 1).writer, Seq::new(1), Seq::new(1))]
            .into_iter()
            .collect(),
    ));
    assert_ne!(whole(&less), whole(&known));
}

/// Written down, because stored and compared across versions of the program.
#[test]
fn digests_have_not_changed() {
    let hash = swarm("swarm");
    let live = hash.write(&id("agent-1", 1, 2), &Payload::put(&Value::from("x")));
    let found = [live, hash.key(&key("k"), live)].map(|digest| digest.to_string());
    assert_eq!(
        found,
        [
            "a6bac4063f5f6d4769daeac1fc540706",
            "d203a48fa6203c3a7f72d0986d936b35"
        ]
    );
}
