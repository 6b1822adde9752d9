//! What a hub remembers of its commits, and what it says it does not.

use std::time::Duration;

use sync_core::{
    Ask, Dropped, DroppedBy, Knew, LossReason, Omitted, Operation, PastAnswer, PastAsk, PastKind,
    PastValue, Revision, Since, Value, Version,
};

use crate::looking_back::{ask, diff, explain, history, is, page, set, state_at, versions};
use crate::stage::{HubSide, hub_config, key, meet, policy, put, talk, trio};

#[test]
fn each_commit_is_told_with_its_authors_and_what_lost() {
    let (mut hub, mut a, mut b) = trio();
    meet(&mut hub, &mut a, &mut b, put("early"), put("late"));
    b.write("k", put("then"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let told = history(&mut hub, "k");
    assert_eq!((told.next, told.dropped), (None, None));
    assert_eq!(versions(&told), [3, 2, 1]);
    let [then, race, first] = &told.commits[..] else {
        panic!("{told:?}")
    };
    assert_eq!(first.value, is("early"));
    assert_eq!(first.writes[0].write.writer, *a.replica.writer());
    assert_eq!((&race.kind, &race.value), (&PastKind::Changed, &is("late")));
    assert_eq!(race.lost[0].lost.write, first.writes[0].write);
    assert_eq!(race.lost[0].lost.value, is("early"));
    let LossReason::Superseded { winner, .. } = &race.lost[0].why else {
        panic!("{race:?}")
    };
    assert_eq!(*winner, race.writes[0].write);
    assert!(race.replaced.is_empty(), "nobody had seen what lost");
    // What its author had seen and replaced is no loss.
    assert_eq!(then.replaced[..], [race.writes[0].write.clone()]);
    assert!(then.lost.is_empty());
    assert_eq!(then.writes[0].seen.map(|s| s.revision), Some(race.revision));
}

#[test]
fn an_explanation_says_by_what_a_write_has_won() {
    let (mut hub, mut a, mut b) = trio();
    meet(&mut hub, &mut a, &mut b, put("early"), put("late"));
    let told = explain(&mut hub, "k");
    let text = told.sentences.join("\n");
    let expected = [
        "\"k\" is \"late\" under lww (version 2, revision 2).",
        "lost against the concurrent",
        "is older than the winner's",
        "No policy is about it",
    ];
    for part in expected {
        assert!(text.contains(part), "without {part:?}:\n{text}");
    }
    assert_eq!(told.state.and_then(|s| s.value), Some("late".into()));
    let nobody = explain(&mut hub, "unknown");
    assert!(nobody.sentences[0].contains("No commit that this hub knows of has touched"));
    assert!(nobody.state.is_none() && nobody.commits.is_empty());
}

#[test]
fn deletes_ends_and_clearing_are_told_apart() {
    let mut hub = HubSide::new();
    hub.govern(vec![policy("ttl-*", |p| {
        p.ttl = Some(sync_core::Ttl {
            after: Duration::from_secs(5),
            refresh: false,
        });
    })]);
    for name in ["deleted", "cleared", "ttl-ended"] {
        set(&mut hub, name, put(1));
    }
    set(&mut hub, "deleted", Operation::Delete);
    hub.ask(Ask::Clear(Some(key("cleared")))).unwrap().unwrap();
    hub.pass(Duration::from_secs(6));
    hub.settle();
    let expected = [
        ("deleted", PastKind::Deleted),
        ("cleared", PastKind::Cleared),
        ("ttl-ended", PastKind::Expired),
    ];
    for (name, kind) in expected {
        let told = history(&mut hub, name);
        assert_eq!(told.commits[0].kind, kind, "{name}");
        assert_eq!(told.commits[0].value, PastValue::default(), "{name}");
    }
    let told = explain(&mut hub, "ttl-ended").sentences.join("\n");
    assert!(told.contains("because its lifetime has ended"), "{told}");
}

#[test]
fn pages_follow_on_each_other_and_the_end_says_from_where() {
    let mut config = hub_config();
    config.limits.history_commits = 20;
    let mut hub = HubSide::with(config);
    for n in 0..30 {
        set(&mut hub, "k", put(n));
        set(&mut hub, "other", put(n));
    }
    let first = page(&mut hub, "k", None, 18);
    assert_eq!(versions(&first), (13..=30).rev().collect::<Vec<_>>());
    let upto = first.next.map(Version::get);
    let last = page(&mut hub, "k", upto, 18);
    assert_eq!(versions(&last), [12, 11]);
    let why = DroppedBy::Count { commits: 20 };
    let upto = Version::new(10);
    assert_eq!(
        (last.next, last.dropped),
        (None, Some(Dropped { upto, why }))
    );
    // From a version in the middle, and from one that is not kept.
    assert_eq!(versions(&page(&mut hub, "k", Some(25), 3)), [25, 24, 23]);
    let nothing = page(&mut hub, "k", Some(5), 3);
    let upto = Version::new(5);
    assert_eq!(nothing.dropped, Some(Dropped { upto, why }));
    assert!(nothing.commits.is_empty());
}

#[test]
fn another_bound_keeps_what_there_is_and_drops_what_is_over_it() {
    let mut hub = HubSide::new();
    for n in 0..10 {
        set(&mut hub, "k", put(n));
    }
    let bound = |commits| vec![policy("*", |p| p.history.commits = Some(commits))];
    hub.govern(bound(3));
    assert_eq!(versions(&history(&mut hub, "k")), [10, 9, 8]);
    hub.govern(bound(0));
    let nothing = history(&mut hub, "k");
    let why = DroppedBy::Count { commits: 0 };
    let upto = Version::new(10);
    assert_eq!(nothing.dropped, Some(Dropped { upto, why }));
    // Nothing is recorded now: what follows is no continuation of what was before.
    set(&mut hub, "k", put(10));
    hub.govern(bound(100));
    set(&mut hub, "k", put(11));
    let told = history(&mut hub, "k");
    assert_eq!(versions(&told), [12]);
    let (upto, why) = (Version::new(11), DroppedBy::Unrecorded);
    assert_eq!(told.dropped, Some(Dropped { upto, why }));
    let text = told.dropped.map(|d| d.to_string()).unwrap();
    assert!(text.contains("up to version 11 is not kept"), "{text}");
}

#[test]
fn what_is_older_than_a_policy_says_is_not_told() {
    let mut hub = HubSide::new();
    hub.govern(vec![policy("*", |p| {
        p.history.age = Some(Duration::from_secs(10));
    })]);
    set(&mut hub, "k", put(1));
    hub.pass(Duration::from_secs(8));
    set(&mut hub, "k", put(2));
    assert_eq!(versions(&history(&mut hub, "k")), [2, 1]);
    hub.pass(Duration::from_secs(5));
    let told = history(&mut hub, "k");
    assert_eq!(versions(&told), [2]);
    let why = DroppedBy::Age { age_ms: 10_000 };
    let upto = Version::new(1);
    assert_eq!(told.dropped, Some(Dropped { upto, why }));
}

#[test]
fn what_a_key_was_is_known_for_every_revision_that_is_kept() {
    let mut config = hub_config();
    config.limits.history_commits = 3;
    let mut hub = HubSide::with(config);
    for n in 1..=5 {
        set(&mut hub, "k", put(n));
        set(&mut hub, "other", put(n));
    }
    // Versions 3, 4, 5 at the revisions 5, 7, 9.
    for (at, value, revision, until) in [(5, 3, 5, Some(7)), (8, 4, 7, Some(9)), (10, 5, 9, None)] {
        let state = state_at(&mut hub, "k", at);
        assert_eq!(state.value, is(value), "{at}");
        assert_eq!(state.revision, Some(Revision::new(revision)), "{at}");
        assert_eq!(state.until, until.map(Revision::new), "{at}");
    }
    let before = state_at(&mut hub, "k", 4);
    assert_eq!(before.version, None);
    assert!(before.dropped.is_some(), "{before:?}");
    let never = state_at(&mut hub, "other", 0);
    assert!(never.dropped.is_some(), "what came first is not kept");
    set(&mut hub, "late", put(1));
    let never = state_at(&mut hub, "late", 5);
    assert_eq!(
        (never.version, never.dropped),
        (None, None),
        "it was not there"
    );
}

#[test]
fn a_difference_names_each_key_once_with_what_it_was_and_became() {
    let mut hub = HubSide::new();
    set(&mut hub, "a", put(1));
    set(&mut hub, "b", put(1));
    set(&mut hub, "a", put(2));
    set(&mut hub, "a", put(3));
    set(&mut hub, "b", Operation::Delete);
    let told = diff(&mut hub, 2, 5);
    assert!(told.next.is_none() && told.kept_after.is_none());
    let [a, b] = &told.changes[..] else {
        panic!("{told:?}")
    };
    assert_eq!((&a.was, &a.became), (&Some(is(1)), &Some(is(3))));
    assert_eq!((a.commits, a.revision), (2, Revision::new(4)));
    assert_eq!((&b.was, b.kind), (&Some(is(1)), PastKind::Deleted));
    assert_eq!(b.became, Some(PastValue::default()));
    assert_eq!(
        diff(&mut hub, 0, 1).changes[0].was,
        Some(PastValue::default())
    );
    assert!(diff(&mut hub, 5, 5).changes.is_empty());
}

#[test]
fn a_large_difference_comes_in_pages_of_which_none_is_missing() {
    let mut hub = HubSide::new();
    for n in 0..200 {
        set(&mut hub, &format!("key-{n:03}"), put(n));
    }
    // One commit that changes them all.
    hub.ask(Ask::Clear(None)).unwrap().unwrap();
    for (from, keys) in [(0, 200), (200, 200), (100, 200)] {
        let mut names = std::collections::BTreeSet::new();
        let (mut from, mut after) = (Since::Revision(Revision::new(from)), None);
        let mut to = None;
        loop {
            let answer = ask(&mut hub, PastAsk::Diff { from, to, after });
            let Ok(PastAnswer::Diff(page)) = answer else {
                panic!("{answer:?}")
            };
            assert!(page.changes.len() <= 64);
            names.extend(page.changes.iter().map(|diff| diff.key.clone()));
            let Some(next) = page.next else { break };
            from = Since::Revision(next.from);
            to = Some(Since::Revision(next.to));
            after = next.after;
        }
        assert_eq!(names.len(), keys);
    }
}

#[test]
fn the_journal_has_a_bound_and_a_difference_says_where_it_begins() {
    let mut config = hub_config();
    config.limits.journal_max = 3;
    let mut hub = HubSide::with(config);
    for n in 1..=9 {
        set(&mut hub, &format!("k{n}"), put(n));
    }
    for _ in 0..2 {
        let told = diff(&mut hub, 2, 9);
        assert_eq!(told.kept_after, Some(Revision::new(6)));
        let keys: Vec<&str> = told.changes.iter().map(|c| c.key.as_str()).collect();
        assert_eq!(keys, ["k7", "k8", "k9"]);
        hub.restart();
    }
}

#[test]
fn what_an_author_knew_is_its_cursor_and_what_others_had_done_since() {
    let (mut hub, mut a, mut b) = trio();
    b.write("seen", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    b.write("unseen", put(2));
    talk(&mut hub, &mut [&mut b]);
    a.write("own", put(3));
    a.write("k", put("decided on what was there"));
    a.connect(&mut hub, 7);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let write = history(&mut hub, "k").commits[0].writes[0].write.clone();
    let knew = |hub: &mut HubSide, write| {
        let (key, after) = (key("k"), None);
        ask(hub, PastAsk::Knew { key, write, after })
    };
    let Ok(PastAnswer::Knew(told)) = knew(&mut hub, write.clone()) else {
        panic!("it is in the history")
    };
    let Knew {
        seen, comparable, ..
    } = *told;
    assert_eq!(seen.map(|seen| seen.revision), Some(Revision::new(1)));
    assert!(comparable);
    let stale: Vec<&str> = told.stale.iter().map(|s| s.key.as_str()).collect();
    assert_eq!(stale, ["unseen"], "what it wrote itself it knew");
    let other = sync_core::WriteId::new(write.writer, sync_core::Seq::new(99));
    let error = knew(&mut hub, other).unwrap_err().to_string();
    assert!(error.contains("look at the key's history"), "{error}");
}

#[test]
fn what_is_remembered_is_bounded_whatever_comes() {
    let mut hub = HubSide::new();
    set(&mut hub, "large", put("x".repeat(100_000)));
    let told = history(&mut hub, "large");
    let commit = &told.commits[0];
    assert!(matches!(commit.value.omitted, Some(Omitted::Bytes(bytes)) if bytes > 100_000));
    assert_eq!(commit.writes[0].value, commit.value);
    // A set of many is not read anew for each element that comes.
    for n in 0..70 {
        set(&mut hub, "set", Operation::Insert(Value::from(n)));
    }
    let told = history(&mut hub, "set");
    assert_eq!(told.commits[0].value.omitted, Some(Omitted::Parts(70)));
    assert_eq!(told.commits[0].writes[0].value, is(69));
    let rows = hub.disk.rows().filter(|row| row.key[0] == b'}');
    let longest = rows.map(|row| row.value.len()).max();
    assert!(longest < Some(4_096), "{longest:?}");
}
