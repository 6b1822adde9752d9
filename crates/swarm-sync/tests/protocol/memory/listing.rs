//! Keys by pattern and stats by namespace, a page at a time.

use sync_core::{Ask, MemoryAnswer, MemoryAsk, NamespaceStats};

use super::{done, keys, list, namespace, refused, stats, store};
use crate::stage::{HubSide, key};

#[test]
fn keys_are_listed_in_pages_by_pattern() {
    let mut hub = HubSide::new();
    for number in 0..1_200 {
        done(
            &mut hub,
            store("notes", &format!("task-{number:04}"), 1, false),
        );
    }
    done(&mut hub, store("notes", "note", 1, true));
    done(&mut hub, store("other", "task-x", 1, true));
    let (all, pages) = keys(&mut hub, "notes", "*");
    assert_eq!((all.len(), pages), (1_201, 3));
    assert!(all.is_sorted());
    assert_eq!(keys(&mut hub, "notes", "task-11?0").0.len(), 10);
    assert_eq!(keys(&mut hub, "notes", "*e"), (vec!["note".to_owned()], 1));
    assert_eq!(keys(&mut hub, "notes", "note").0, ["note"]);
    assert_eq!(keys(&mut hub, "notes", "tb*"), (Vec::new(), 1));
    assert_eq!(keys(&mut hub, "none", "*"), (Vec::new(), 1));
    let after = Some(key("task-1198"));
    let MemoryAnswer::Keys { keys, next } = done(&mut hub, list("notes", "t*", after)) else {
        panic!("keys were asked for")
    };
    assert_eq!((&keys[..], next), (&[key("task-1199")][..], None));
    let after = Some(key("a"));
    let MemoryAnswer::Keys { keys, .. } = done(&mut hub, list("notes", "task*", after)) else {
        panic!("keys were asked for")
    };
    assert_eq!(keys.first(), Some(&key("task-0000")));
}

#[test]
fn one_listing_takes_bounded_work() {
    let mut hub = HubSide::new();
    for number in 0..150 {
        let name = format!("{}{number}", "a".repeat(1_000));
        done(&mut hub, store("notes", &name, 1, false));
    }
    // It is held against every place of every key.
    let dear = format!("*?{}b*", "a".repeat(100));
    let (none, pages) = keys(&mut hub, "notes", &dear);
    assert!(none.is_empty() && pages > 2, "{pages} answers");
    let long = "*a".repeat(129);
    let refusal = refused(&mut hub, list("notes", &long, None));
    assert!(refusal.to_string().contains("the limit"), "{refusal}");
}

#[test]
fn stats_tell_what_each_namespace_holds() {
    let mut hub = HubSide::new();
    for (space, name, persistent) in [("b", "k", true), ("a", "k", false), ("a", "l", true)] {
        done(&mut hub, store(space, name, "x", persistent));
    }
    let (lines, bytes) = stats(&mut hub);
    let brief = |line: &NamespaceStats| (line.persistent, line.volatile);
    assert_eq!(
        lines.iter().map(brief).collect::<Vec<_>>(),
        [(1, 1), (1, 0)]
    );
    assert_eq!(lines.iter().map(|line| line.bytes).sum::<u64>(), bytes);
    for number in 0..600 {
        done(&mut hub, store(&format!("n{number:03}"), "k", 1, false));
    }
    let after = Some(namespace("n500"));
    match done(&mut hub, Ask::Memory(MemoryAsk::Stats { after: None })) {
        MemoryAnswer::Stats {
            namespaces, more, ..
        } => assert_eq!((namespaces.len(), more), (512, true)),
        other => panic!("{other:?}"),
    }
    match done(&mut hub, Ask::Memory(MemoryAsk::Stats { after })) {
        MemoryAnswer::Stats {
            namespaces, more, ..
        } => assert_eq!((namespaces.len(), more), (99, false)),
        other => panic!("{other:?}"),
    }
}
