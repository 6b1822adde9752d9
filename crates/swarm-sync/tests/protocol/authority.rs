//! Commits with expectations: what happens if they hold, and that nothing does if not.

use std::time::Duration;

use sync_core::{Ask, AuthorityAsk, MergeRule, Operation, Reason, RequestError, Value, Version};
use sync_protocol::Command;

use crate::deciding::{LONG, cas, commit, decide, delete, expect, read, set};
use crate::stage::{assert_equal, key, only_receipt, policy, put, talk, trio};

#[test]
fn of_two_who_compare_the_same_version_one_sets() {
    let (mut hub, mut a, mut b) = trio();
    let asks = [("a", &mut a), ("b", &mut b)].map(|(value, agent)| {
        let ask = cas("k", 0, value);
        agent.command(Command::Decide { ask, timeout: LONG })
    });
    talk(&mut hub, &mut [&mut a, &mut b]);
    let won = read(a.answer(asks[0]).unwrap()).unwrap();
    assert_eq!(won.versions.0, [(key("k"), Some(Version::new(1)))]);
    assert_eq!(won.revision, hub.hub.revision());
    let lost = read(b.answer(asks[1]).unwrap()).unwrap_err();
    let RequestError::Conflict { current } = &lost else {
        panic!("{lost}")
    };
    assert_eq!(current[0].version, Version::new(1));
    assert_eq!(current[0].value, Some("a".into()));
    let sentence = "\"k\" has version 1, no value was expected; nothing was changed: decide anew on what is there";
    assert_eq!(lost.to_string(), sentence);
    assert_eq!(b.value("k"), Some("a".into()));
    assert_equal(&hub, &[&a, &b]);
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
}

#[test]
fn the_author_is_shown_and_what_it_replaced_was_chosen() {
    let (mut hub, mut a, mut b) = trio();
    decide(&mut hub, &mut [&mut a, &mut b], cas("k", 0, 1)).unwrap();
    decide(&mut hub, &mut [&mut b, &mut a], cas("k", 1, 2)).unwrap();
    let shown = a.replica.get(a.now(), &key("k")).unwrap();
    assert_eq!(shown.agent.unwrap().as_str(), "b");
    assert_eq!(shown.metadata.rule, Some(MergeRule::Authority));
    assert!(a.receipts.is_empty() && b.receipts.is_empty());
    assert_eq!(hub.hub.receipts().count(), 0);
}

#[test]
fn several_keys_change_together_or_not_at_all() {
    let (mut hub, mut a, mut b) = trio();
    let all = &mut [&mut a, &mut b];
    decide(&mut hub, all, cas("x", 0, 1)).unwrap();
    let before = hub.hub.revision();
    let transfer = |x, y| {
        commit(
            vec![expect("x", x), expect("y", y)],
            vec![set("x", 2), set("y", 3), delete("z")],
        )
    };
    let refused = decide(&mut hub, all, transfer(1, 1)).unwrap_err();
    assert_eq!(refused.kind(), "conflict");
    assert_eq!(hub.hub.revision(), before);
    let done = decide(&mut hub, all, transfer(1, 0)).unwrap();
    assert_eq!(done.revision.get(), before.get() + 1);
    assert_eq!(hub.value("x"), Some(2.into()));
    assert_eq!(hub.value("y"), Some(3.into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_key_is_deleted_if_it_is_at_the_version() {
    let (mut hub, mut a, mut b) = trio();
    let all = &mut [&mut a, &mut b];
    decide(&mut hub, all, cas("k", 0, 1)).unwrap();
    let drop = |version| commit(vec![expect("k", version)], vec![delete("k")]);
    assert_eq!(
        decide(&mut hub, all, drop(2)).unwrap_err().kind(),
        "conflict"
    );
    assert_eq!(hub.value("k"), Some(1.into()));
    let gone = decide(&mut hub, all, drop(1)).unwrap();
    assert_eq!(gone.versions.0, [(key("k"), None)]);
    assert_eq!(all[1].value("k"), None);
    decide(&mut hub, all, cas("k", 0, 2)).unwrap();
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn plain_writes_are_refused_where_they_are_made() {
    let (mut hub, mut a, mut b) = trio();
    decide(&mut hub, &mut [&mut a, &mut b], cas("k", 0, 1)).unwrap();
    let operations = [
        put("x"),
        Operation::Delete,
        Operation::Add(1),
        Operation::Insert("x".into()),
        Operation::PutField("f".to_owned(), "x".into()),
    ];
    for operation in operations {
        let request = b.begin("k", operation.clone());
        b.settle();
        let error = b.answer(request).unwrap().unwrap_err().to_string();
        assert!(error.contains("use compare-and-set"), "{error}");
        let write = Ask::Write {
            key: key("k"),
            operation,
            metadata: None,
        };
        let error = hub.ask(write).unwrap().unwrap_err().to_string();
        assert!(error.contains("use compare-and-set"), "{error}");
    }
    assert_equal(&hub, &[&a, &b]);
}

/// It was made while nobody knew better: it comes back, and the decision stands.
#[test]
fn a_plain_write_made_before_comes_back() {
    let (mut hub, mut a, mut b) = trio();
    b.cut(&mut hub);
    b.mono += Duration::from_secs(5);
    b.write("k", put("plain"));
    decide(&mut hub, &mut [&mut a], cas("k", 0, "decided")).unwrap();
    b.connect(&mut hub, 7);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let rule = MergeRule::Authority;
    assert_eq!(only_receipt(&b).reason, Reason::RuleMismatch { rule });
    assert_eq!(b.value("k"), Some("decided".into()));
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_plain_value_becomes_the_hubs_and_other_rules_do_not() {
    let (mut hub, mut a, mut b) = trio();
    a.write("plain", put(1));
    a.write("count", Operation::Add(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let all = &mut [&mut a, &mut b];
    decide(&mut hub, all, cas("plain", 1, 2)).unwrap();
    let error = decide(&mut hub, all, cas("count", 1, 2)).unwrap_err();
    assert_eq!(error.kind(), "operation");
    assert!(
        error.to_string().contains("under the rule counter"),
        "{error}"
    );
    hub.govern(vec![policy("lww.*", |p| p.rule = Some(MergeRule::Lww))]);
    let error = decide(&mut hub, all, cas("lww.x", 0, 2)).unwrap_err();
    assert!(
        error.to_string().contains("set the rule authority"),
        "{error}"
    );
    assert_equal(&hub, &[&a, &b]);
}

#[test]
fn a_policy_refuses_plain_writes_from_the_start() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![policy("cas.*", |p| {
        p.rule = Some(MergeRule::Authority);
    })]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let request = a.begin("cas.x", put(1));
    a.settle();
    assert_eq!(a.answer(request).unwrap().unwrap_err().kind(), "operation");
    decide(&mut hub, &mut [&mut a, &mut b], cas("cas.x", 0, 1)).unwrap();
}

#[test]
fn cut_off_it_is_refused_and_nothing_is_written() {
    let (mut hub, mut a, _b) = trio();
    a.cut(&mut hub);
    let ask = cas("k", 0, 1);
    let request = a.command(Command::Decide { ask, timeout: LONG });
    a.settle();
    let error = a.answer(request).unwrap().unwrap_err();
    assert_eq!(error.kind(), "unavailable");
    assert_eq!((a.value("k"), a.replica.pending_writes()), (None, 0));
}

#[test]
fn what_takes_too_long_says_that_it_may_still_happen() {
    let (mut hub, mut a, _b) = trio();
    let timeout = Duration::from_secs(1);
    let ask = cas("k", 0, 1);
    let request = a.command(Command::Decide { ask, timeout });
    a.cut(&mut hub);
    a.pass(timeout);
    a.settle();
    let error = a.answer(request).unwrap().unwrap_err();
    assert_eq!(error.kind(), "deadline");
    assert!(error.to_string().contains("it may still happen"), "{error}");
    assert_eq!(a.replica.poll_timeout(), None);
}

#[test]
fn bad_input_gets_a_sentence_and_changes_nothing() {
    let (mut hub, mut a, mut b) = trio();
    let all = &mut [&mut a, &mut b];
    decide(&mut hub, all, cas("k", 0, 1)).unwrap();
    let before = hub.hub.digest();
    let many = || (0..1_001).map(|n| set(&format!("k{n}"), 1)).collect();
    let mut with_metadata = cas("k", 1, 2);
    if let AuthorityAsk::Commit { metadata, .. } = &mut with_metadata {
        *metadata = Some(3.into());
    }
    let cases = [
        (
            commit(vec![], vec![set("k", 2), delete("k")]),
            "name it once",
        ),
        (commit(vec![], many()), "the limit is 1000"),
        (cas("k", 9, 2), "version 9 was expected"),
        (cas("k", 1, Value::Bytes(vec![0; 600_000])), "the limit is"),
        (with_metadata, "metadata must be a map"),
    ];
    for (ask, words) in cases {
        let error = decide(&mut hub, all, ask).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(hub.hub.digest(), before);
}
