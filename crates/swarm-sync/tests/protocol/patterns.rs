//! What a peer may ask about many keys at a time, and what that may cost the hub.

use std::time::Duration;

use sync_core::{
    Answer, Ask, Body, Cursor, Operation, Pattern, RequestError, Role, Since, Watched,
};

use crate::stage::{AgentSide, HubSide, put, talk, trio};

fn pattern(text: impl Into<String>) -> Pattern {
    Pattern::new(text).expect("a pattern")
}

fn keys(pattern: Pattern) -> Ask {
    let after = None;
    Ask::Keys { pattern, after }
}

fn watch(pattern: Pattern) -> Ask {
    Ask::Watch {
        pattern,
        from: None,
        wait_ms: 0,
    }
}

/// Where a watch that begins now begins.
fn begin(hub: &mut HubSide, text: &str) -> Cursor {
    assert!(hub.ask(watch(pattern(text))).is_none());
    hub.pass(Duration::ZERO);
    let Some(Ok(Answer::Watched(watched))) = hub.take_answer(u64::MAX) else {
        panic!("it waits no longer than that")
    };
    watched.to
}

/// What is answered at once to a watcher that is there.
fn changes_after(hub: &mut HubSide, text: &str, from: Cursor) -> Watched {
    let ask = Ask::Watch {
        pattern: pattern(text),
        from: Some(Since::Cursor(from)),
        wait_ms: 1_000,
    };
    match hub.ask(ask) {
        Some(Ok(Answer::Watched(watched))) => watched,
        other => panic!("{other:?}"),
    }
}

fn write_twice(hub: &mut HubSide, a: &mut AgentSide, b: &mut AgentSide) {
    for n in 1..=2 {
        a.write("k", put(n));
        talk(hub, &mut [a, b]);
    }
}

#[test]
fn keys_are_listed_by_pattern() {
    let (mut hub, mut a, mut b) = trio();
    for name in ["task_1", "task_2", "other"] {
        a.write(name, put(1));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    let Some(Ok(Answer::Keys { keys, next: None })) = hub.ask(keys(pattern("task_?"))) else {
        panic!("a list of keys")
    };
    let keys: Vec<&str> = keys.iter().map(sync_core::Key::as_str).collect();
    assert_eq!(keys, ["task_1", "task_2"]);
}

/// Held against every key, a long one would stop the hub for everybody else.
#[test]
fn a_pattern_that_would_cost_too_much_is_refused_in_a_sentence() {
    let mut hub = HubSide::new();
    let long = || pattern(format!("*{}", "a*b".repeat(100)));
    for ask in [keys(long()), watch(long())] {
        let Some(Err(RequestError::Invalid { reason })) = hub.ask(ask) else {
            panic!("it is too long")
        };
        assert!(reason.contains("301 bytes; the limit"), "{reason}");
    }
    let most = || pattern("x".repeat(256));
    assert!(matches!(hub.ask(keys(most())), Some(Ok(_))));
    assert!(hub.ask(watch(most())).is_none(), "it waits");
}

/// Else every change would be held against it, and kept for it, for as long as the hub runs.
#[test]
fn a_pattern_that_nobody_asks_for_any_more_is_forgotten() {
    let (mut hub, mut a, mut b) = trio();
    let from = begin(&mut hub, "*");
    write_twice(&mut hub, &mut a, &mut b);
    let kept = changes_after(&mut hub, "*", from);
    assert_eq!((kept.changes.len(), kept.compacted), (2, false));
    let due = hub.hub.poll_timeout().expect("it is to be forgotten");
    hub.pass(due.saturating_sub(hub.mono));
    assert!(
        hub.hub.poll_timeout().is_none(),
        "there is nothing left to do"
    );
    write_twice(&mut hub, &mut a, &mut b);
    let last = changes_after(&mut hub, "*", kept.to);
    assert_eq!((last.changes.len(), last.compacted), (1, true));
}

#[test]
fn a_hub_that_is_never_idle_forgets_patterns_too() {
    let (mut hub, mut a, mut b) = trio();
    let from = begin(&mut hub, "*");
    // Its driver has not got round to time having passed.
    hub.mono += Duration::from_mins(3);
    write_twice(&mut hub, &mut a, &mut b);
    let last = changes_after(&mut hub, "*", from);
    assert_eq!((last.changes.len(), last.compacted), (1, true));
}

/// Bad input, row 20.
#[test]
fn one_peer_does_not_use_up_the_patterns_of_the_others() {
    let (mut hub, mut a, mut b) = trio();
    for session in 10..30 {
        let greedy = hub.connect(session, "greedy", Role::Client);
        for n in 0..60 {
            let ask = watch(pattern(format!("greedy_{session}_{n}")));
            let request = n;
            hub.hear(greedy, Body::Request { request, ask });
        }
        hub.pass(Duration::ZERO);
    }
    let from = begin(&mut hub, "k");
    write_twice(&mut hub, &mut a, &mut b);
    let kept = changes_after(&mut hub, "k", from);
    assert_eq!((kept.changes.len(), kept.compacted), (2, false));
}

/// Keys that a pattern has to be held against to its end, and the one that matches.
fn write_long_keys(hub: &mut HubSide, a: &mut AgentSide) {
    for n in 0..300 {
        a.write(&format!("{}{n:04}", "a".repeat(1_000)), put(1));
    }
    a.write(&format!("{}b", "a".repeat(1_000)), put(1));
    talk(hub, &mut [a]);
}

/// Takes long because of its `?`.
fn dear() -> Pattern {
    pattern(format!("*?{}b*", "a".repeat(100)))
}

#[test]
fn a_listing_ends_where_enough_was_looked_at_and_goes_on_from_there() {
    let (mut hub, mut a, _) = trio();
    write_long_keys(&mut hub, &mut a);
    let (mut found, mut pages, mut after) = (0, 0, None);
    loop {
        let pattern = dear();
        let Some(Ok(Answer::Keys { keys, next })) = hub.ask(Ask::Keys { pattern, after }) else {
            panic!("a list of keys")
        };
        found += keys.len();
        pages += 1;
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, 1);
    assert!(pages > 5, "{pages} answers for all that work");
}

/// Each part between two stars is looked for, also one that is empty.
#[test]
fn a_pattern_of_many_stars_is_charged_for_each() {
    let (mut hub, mut a, _) = trio();
    for n in 0..2_000 {
        a.write(&format!("k{n}"), put(1));
    }
    talk(&mut hub, &mut [&mut a]);
    let stars = pattern(format!("{}X", "*".repeat(255)));
    let Some(Ok(Answer::Keys { keys: found, next })) = hub.ask(keys(stars)) else {
        panic!("a list of keys")
    };
    assert!(found.is_empty() && next.is_some(), "it ends before all are");
    let Some(Ok(Answer::Keys { next, .. })) = hub.ask(keys(pattern("*X"))) else {
        panic!("a list of keys")
    };
    assert!(next.is_none());
}

#[test]
fn a_watch_is_told_how_far_was_looked_and_goes_on_from_there() {
    let (mut hub, mut a, _) = trio();
    write_long_keys(&mut hub, &mut a);
    let (mut found, mut answers, mut from) = (0, 0, Since::START);
    loop {
        let ask = Ask::Watch {
            pattern: dear(),
            from: Some(from),
            wait_ms: 1_000,
        };
        let Some(answer) = hub.ask(ask) else { break };
        let Ok(Answer::Watched(watched)) = answer else {
            panic!("{answer:?}")
        };
        found += watched.changes.len();
        answers += 1;
        from = Since::Cursor(watched.to);
        if watched.to.revision == hub.hub.revision() {
            break;
        }
    }
    assert_eq!(found, 1);
    assert!(answers > 1, "it was asked further");
}

/// Reading it at every commit would cost the hub its size each time, for somebody who may have gone.
#[test]
fn a_large_value_is_read_for_those_who_wait_for_it() {
    let (mut hub, mut a, mut b) = trio();
    for n in 0..300 {
        a.write("set", Operation::Insert(n.into()));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    let from = begin(&mut hub, "set");
    let add = |hub: &mut HubSide, a: &mut AgentSide, n: i64| {
        a.write("set", Operation::Insert(n.into()));
        talk(hub, &mut [a]);
    };
    let ask = |from| Ask::Watch {
        pattern: pattern("set"),
        from: Some(Since::Cursor(from)),
        wait_ms: 1_000,
    };
    assert!(hub.ask(ask(from)).is_none(), "it waits");
    add(&mut hub, &mut a, 300);
    let Some(Ok(Answer::Watched(waited))) = hub.take_answer(u64::MAX) else {
        panic!("it has waited for this")
    };
    assert_eq!((waited.changes.len(), waited.compacted), (1, false));
    for n in 301..304 {
        add(&mut hub, &mut a, n);
    }
    let last = changes_after(&mut hub, "set", waited.to);
    assert_eq!((last.changes.len(), last.compacted), (1, true));
    assert!(hub.ask(ask(last.to)).is_none(), "it is in step again");
    add(&mut hub, &mut a, 304);
    let Some(Ok(Answer::Watched(next))) = hub.take_answer(u64::MAX) else {
        panic!("it has waited for this")
    };
    assert_eq!((next.changes.len(), next.compacted), (1, false));
}

#[test]
fn who_has_the_most_questions_makes_room_for_others() {
    let (mut hub, mut a, _) = trio();
    let ask = |pattern| Ask::Watch {
        pattern,
        from: None,
        wait_ms: 60_000,
    };
    let honest = hub.connect(9, "honest", Role::Client);
    let request = 1;
    hub.hear(
        honest,
        Body::Request {
            request,
            ask: ask(pattern("k")),
        },
    );
    for session in 10..30 {
        let greedy = hub.connect(session, "greedy", Role::Client);
        for request in 0..60 {
            let pattern = pattern(format!("{session}_{request}"));
            let ask = ask(pattern);
            hub.hear(greedy, Body::Request { request, ask });
        }
    }
    hub.settle();
    let ended = |hub: &HubSide, of: u64| {
        let to = |(session, _): &&(sync_core::SessionId, _)| session.0 == of;
        hub.said.iter().filter(to).count()
    };
    assert_eq!(ended(&hub, 9), 0, "one question is not too many");
    let sum: usize = (10..30).map(|session| ended(&hub, session)).sum();
    assert_eq!(sum, 1 + 20 * 60 - 1_024);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
}

/// Those who are woken for nothing ask again, in their turn, and what they have waited through is behind
/// them.
#[test]
fn a_commit_looks_for_so_long_and_wakes_the_rest() {
    let (mut hub, mut a, _) = trio();
    a.write("k", put(0));
    talk(&mut hub, &mut [&mut a]);
    for request in 0..1_024 {
        let ask = Ask::Watch {
            pattern: pattern(format!("{}{request}", "*".repeat(240))),
            from: None,
            wait_ms: 60_000,
        };
        hub.hub.handle_ask(hub.now(), request, ask);
    }
    let before = hub.hub.revision();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a]);
    assert!(hub.hub.revision() > before);
    assert!(!hub.answers.is_empty(), "all of them were looked at");
    for (_, answer) in hub.answers {
        let Ok(Answer::Watched(watched)) = answer else {
            panic!("{answer:?}")
        };
        assert!(watched.changes.is_empty() && watched.to.revision >= before);
    }
}
