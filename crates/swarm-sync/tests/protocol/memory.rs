//! The memory of a swarm: what is kept, what an acknowledgement means, what has a bound.

mod clearing;
mod listing;
mod model;

use std::time::Duration;

use sync_core::{
    Answer, Ask, Body, Key, MemoryAnswer, MemoryAsk, Namespace, NamespaceStats, Pattern, Reply,
    RequestError, Role, Value,
};

use crate::stage::{HubSide, hub_config, key, put, read_reply, talk, trio};

fn namespace(name: &str) -> Namespace {
    Namespace::new(name).expect("a name")
}

fn store(space: &str, name: &str, value: impl Into<Value>, persistent: bool) -> Ask {
    Ask::Memory(MemoryAsk::Store {
        namespace: namespace(space),
        key: key(name),
        value: value.into(),
        persistent,
    })
}

fn retrieve(space: &str, name: &str) -> Ask {
    let (namespace, key) = (namespace(space), key(name));
    Ask::Memory(MemoryAsk::Retrieve { namespace, key })
}

fn delete(space: &str, name: &str) -> Ask {
    let (namespace, key) = (namespace(space), key(name));
    Ask::Memory(MemoryAsk::Delete { namespace, key })
}

fn list(space: &str, pattern: &str, after: Option<Key>) -> Ask {
    Ask::Memory(MemoryAsk::ListKeys {
        namespace: namespace(space),
        pattern: Pattern::new(pattern).expect("a pattern"),
        after,
    })
}

fn clear(space: &str) -> Ask {
    Ask::Memory(MemoryAsk::ClearNamespace(namespace(space)))
}

/// Asks and lets the disk finish; what came of it.
#[track_caller]
fn done(hub: &mut HubSide, ask: Ask) -> MemoryAnswer {
    match hub.ask(ask) {
        Some(Ok(Answer::Memory(answer))) => answer,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(hub: &mut HubSide, ask: Ask) -> RequestError {
    match hub.ask(ask) {
        Some(Err(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Asks without letting the disk finish.
fn begin(hub: &mut HubSide, request: u64, ask: Ask) -> Option<Reply> {
    hub.hub.handle_ask(hub.now(), request, ask);
    hub.drain();
    hub.take_answer(request)
}

#[track_caller]
fn value(hub: &mut HubSide, space: &str, name: &str) -> Option<Value> {
    match done(hub, retrieve(space, name)) {
        MemoryAnswer::Value(value) => value,
        other => panic!("{other:?}"),
    }
}

/// All keys, and how many answers they came in.
fn keys(hub: &mut HubSide, space: &str, pattern: &str) -> (Vec<String>, usize) {
    let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let MemoryAnswer::Keys { keys, next } = done(hub, list(space, pattern, after)) else {
            panic!("keys were asked for")
        };
        pages += 1;
        all.extend(keys.iter().map(Key::to_string));
        after = next;
        if after.is_none() {
            return (all, pages);
        }
    }
}

/// The lines of the first page, and the bytes of all.
fn stats(hub: &mut HubSide) -> (Vec<NamespaceStats>, u64) {
    match done(hub, Ask::Memory(MemoryAsk::Stats { after: None })) {
        MemoryAnswer::Stats {
            namespaces, bytes, ..
        } => (namespaces.0, bytes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_is_stored_replaced_read_and_deleted() {
    let mut hub = HubSide::new();
    assert_eq!(value(&mut hub, "notes", "k"), None);
    for persistent in [true, false, true] {
        for number in 0..3 {
            let stored = done(&mut hub, store("notes", "k", number, persistent));
            assert_eq!(stored, MemoryAnswer::Stored);
            assert_eq!(value(&mut hub, "notes", "k"), Some(number.into()));
        }
    }
    assert_eq!(value(&mut hub, "other", "k"), None, "another namespace");
    assert_eq!(
        done(&mut hub, delete("notes", "k")),
        MemoryAnswer::Deleted(true)
    );
    assert_eq!(
        done(&mut hub, delete("notes", "k")),
        MemoryAnswer::Deleted(false)
    );
    assert_eq!(value(&mut hub, "notes", "k"), None);
    assert_eq!(stats(&mut hub), (Vec::new(), 0), "nothing is left of it");
}

#[test]
fn what_is_in_memory_is_no_part_of_the_synchronized_state() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let watch = Ask::Watch {
        pattern: Pattern::new("*").expect("a pattern"),
        from: None,
        wait_ms: 10_000,
    };
    assert!(begin(&mut hub, 7, watch).is_none());
    let before = (hub.hub.revision(), hub.hub.digest());
    for persistent in [true, false] {
        done(&mut hub, store("notes", "k", "x", persistent));
        done(&mut hub, store("notes", "l", "x", persistent));
    }
    done(&mut hub, delete("notes", "l"));
    done(&mut hub, clear("notes"));
    done(&mut hub, store("notes", "k", "x", true));
    assert_eq!((hub.hub.revision(), hub.hub.digest()), before);
    assert!(hub.said.is_empty(), "{:?}", hub.said);
    assert!(hub.take_answer(7).is_none(), "no watcher is told");
    assert_eq!(hub.value("k"), Some(1.into()));
    hub.restart();
    assert_eq!((hub.hub.revision(), hub.hub.digest()), before);
    assert_eq!(value(&mut hub, "notes", "k"), Some("x".into()));
}

#[test]
fn what_is_persistent_is_acknowledged_and_shown_only_once_it_is_durable() {
    let mut hub = HubSide::new();
    assert!(begin(&mut hub, 1, store("notes", "k", 1, true)).is_none());
    assert!(begin(&mut hub, 2, retrieve("notes", "k")).is_none());
    hub.settle();
    assert!(hub.take_answer(1).is_some() && hub.take_answer(2).is_some());
    assert!(begin(&mut hub, 3, delete("notes", "k")).is_none());
    assert!(begin(&mut hub, 4, retrieve("notes", "k")).is_none());
    hub.settle();
    assert!(hub.take_answer(3).is_some() && hub.take_answer(4).is_some());
    // What is not persistent waits for nothing.
    assert!(begin(&mut hub, 5, store("notes", "k", 1, false)).is_some());
}

#[test]
fn a_crash_between_the_store_and_the_answer_loses_nothing_that_was_answered() {
    let mut hub = HubSide::new();
    done(&mut hub, store("notes", "k", 1, true));
    // The disk has it, and nobody was told.
    assert!(begin(&mut hub, 1, store("notes", "k", 2, true)).is_none());
    while hub.disk.complete().is_some() {}
    hub.restart();
    assert_eq!(value(&mut hub, "notes", "k"), Some(2.into()));
    // The disk does not have it, and nobody was told.
    assert!(begin(&mut hub, 2, store("notes", "k", 3, true)).is_none());
    hub.restart();
    assert_eq!(value(&mut hub, "notes", "k"), Some(2.into()));
    assert!(begin(&mut hub, 3, delete("notes", "k")).is_none());
    hub.restart();
    assert_eq!(value(&mut hub, "notes", "k"), Some(2.into()));
}

#[test]
fn after_a_restart_there_is_the_last_value_or_none_and_never_an_older_one() {
    let mut hub = HubSide::new();
    done(&mut hub, store("notes", "persistent", 1, true));
    done(&mut hub, store("notes", "volatile", 1, false));
    done(&mut hub, store("notes", "persistent-volatile", 1, true));
    done(&mut hub, store("notes", "persistent-volatile", 2, false));
    done(&mut hub, store("notes", "volatile-persistent", 1, false));
    done(&mut hub, store("notes", "volatile-persistent", 2, true));
    done(&mut hub, store("notes", "same", 1, false));
    done(&mut hub, store("notes", "same", 1, true));
    assert_eq!(keys(&mut hub, "notes", "*").0.len(), 5);
    hub.restart();
    assert_eq!(
        keys(&mut hub, "notes", "*").0,
        ["persistent", "same", "volatile-persistent"]
    );
    assert_eq!(
        value(&mut hub, "notes", "volatile-persistent"),
        Some(2.into())
    );
}

/// The answer to a volatile value in place of a persistent one waits until the row is gone.
#[test]
fn a_volatile_value_is_acknowledged_once_what_it_replaced_cannot_come_back() {
    let mut hub = HubSide::new();
    done(&mut hub, store("notes", "k", 1, true));
    assert!(begin(&mut hub, 1, store("notes", "k", 2, false)).is_none());
    hub.restart();
    assert_eq!(
        value(&mut hub, "notes", "k"),
        Some(1.into()),
        "not answered"
    );
    done(&mut hub, store("notes", "k", 2, false));
    hub.restart();
    assert_eq!(value(&mut hub, "notes", "k"), None);
}

/// Bad input, row 20.
#[test]
fn the_memory_has_a_bound_and_what_is_over_it_changes_nothing() {
    let mut config = hub_config();
    config.limits.memory_bytes_max = 3_000;
    let mut hub = HubSide::with(config);
    done(&mut hub, store("notes", "k", "x".repeat(1_000), true));
    let before = stats(&mut hub);
    let full = refused(&mut hub, store("notes", "l", "x".repeat(2_000), true));
    assert_eq!(full.kind(), "memory-full");
    assert!(full.to_string().contains("the limit is 3000"), "{full}");
    // A namespace counts, too: else names alone would fill the memory.
    let full = refused(&mut hub, store("n2", "k", "x".repeat(500), false));
    assert_eq!(full.kind(), "memory-full");
    refused(&mut hub, store("notes", "k", "x".repeat(2_500), false));
    assert_eq!(stats(&mut hub), before);
    assert_eq!(
        value(&mut hub, "notes", "k"),
        Some("x".repeat(1_000).into())
    );
    hub.config.limits.memory_bytes_max = 1_000;
    hub.restart();
    assert_eq!(stats(&mut hub), before, "what is there stays");
    refused(&mut hub, store("notes", "k", "y".repeat(1_001), true));
    done(&mut hub, store("notes", "k", "y".repeat(900), true));
    done(&mut hub, delete("notes", "k"));
    assert_eq!(stats(&mut hub).1, 0);
}

#[test]
fn a_value_has_a_bound() {
    let mut config = hub_config();
    config.limits.value_bytes_max = 100;
    let mut hub = HubSide::with(config);
    let refusal = refused(&mut hub, store("notes", "k", "x".repeat(100), true));
    assert_eq!(refusal.kind(), "too-large");
    let deep = (0..40).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let refusal = refused(&mut hub, store("notes", "k", deep, true));
    assert!(refusal.to_string().contains("nested deeper"), "{refusal}");
    assert_eq!(value(&mut hub, "notes", "k"), None);
}

#[test]
fn overwriting_a_key_ten_thousand_times_costs_no_more_than_once() {
    let mut hub = HubSide::new();
    done(&mut hub, store("notes", "k", 10_000, true));
    let (bytes, rows) = (stats(&mut hub), hub.disk.rows().count());
    for number in 10_000..20_000 {
        done(&mut hub, store("notes", "k", number, number % 3 > 0));
    }
    done(&mut hub, store("notes", "k", 10_001, true));
    assert_eq!(stats(&mut hub), bytes);
    assert_eq!(hub.disk.rows().count(), rows);
    assert_eq!(hub.hub.held_bytes(), 0);
}

#[test]
fn a_swarm_that_holds_a_volatile_value_is_not_forgotten() {
    let mut hub = HubSide::new();
    value(&mut hub, "notes", "k");
    assert!(hub.hub.is_blank(), "it was only asked about");
    done(&mut hub, store("notes", "k", 1, false));
    assert!(!hub.hub.is_blank());
    done(&mut hub, delete("notes", "k"));
    assert!(hub.hub.is_blank());
}

#[test]
fn members_and_clients_share_the_memory() {
    let (mut hub, _a, _b) = trio();
    let client = hub.connect(9, "client", Role::Client);
    let member = sync_core::SessionId(1);
    let ask = store("notes", "k", 1, true);
    hub.hear(client, Body::Request { request: 1, ask });
    let ask = retrieve("notes", "k");
    hub.hear(member, Body::Request { request: 2, ask });
    hub.settle();
    let replies: Vec<_> = hub.said.iter().filter_map(|(_, m)| read_reply(m)).collect();
    assert!(
        matches!(
            &replies[..],
            [
                Ok(Answer::Memory(MemoryAnswer::Stored)),
                Ok(Answer::Memory(MemoryAnswer::Value(Some(Value::Int(1)))))
            ]
        ),
        "{replies:?}"
    );
}

#[test]
fn who_waits_for_the_memory_hears_that_the_store_has_failed() {
    let mut hub = HubSide::new();
    for number in 0..2_000 {
        done(&mut hub, store("notes", &format!("k{number}"), 1, true));
    }
    hub.hub.handle_ask(hub.now(), 1, clear("notes"));
    let Some(sync_protocol::HubOutput::Persist { token, .. }) = hub.hub.poll_output() else {
        panic!("the clear is written")
    };
    hub.hub
        .handle_persisted(hub.now(), token, Err("the disk is full".to_owned()));
    hub.drain();
    let answer = hub.take_answer(1).expect("it is not left waiting");
    assert_eq!(answer.expect_err("it failed").kind(), "stopped");
    assert_eq!(hub.hub.poll_timeout(), None, "nothing is tried any more");
    hub.pass(Duration::from_secs(1));
}
