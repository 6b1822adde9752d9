//! A swarm that holds all it may: only growth is refused. Bad input, rows 20 and 23.

use sync_core::{
    Answer, Ask, MergeRule, Operation, Quota, Reason, Receipt, RequestError, Value, Verdict, Vote,
};

use crate::ballots::{decision, propose, that_writes, vote};
use crate::claims::claim;
use crate::deciding::{cas, commit, decide, delete, set};
use crate::stage::{
    AgentSide, HubSide, assert_equal, hub_config, key, policy, put, talk, trio_with,
};

const LIMIT: u64 = 2_000;

fn of_keys(keys_max: u64) -> (HubSide, AgentSide, AgentSide) {
    let mut config = hub_config();
    config.limits.keys_max = keys_max;
    trio_with(config)
}

fn of_bytes() -> (HubSide, AgentSide, AgentSide) {
    let mut config = hub_config();
    config.limits.state_bytes_max = LIMIT;
    trio_with(config)
}

fn is_over(receipt: &Receipt, quota: Quota, limit: u64) -> bool {
    receipt.reason == Reason::QuotaExceeded { quota, limit }
}

fn is_refused(error: &RequestError) -> bool {
    let sentence = error.to_string();
    error.kind() == "quota-exceeded" && sentence.contains("may hold 1 keys")
}

/// Bad input, row 20.
#[test]
fn a_key_too_many_comes_back_with_reason_and_value_and_reads_go_on() {
    let (mut hub, mut a, mut b) = of_keys(2);
    a.write("k", put(1));
    a.write("l", put(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("m", put("mine"));
    b.write("k", put(3));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.receipts.len(), 1, "{:?}", b.receipts);
    let receipt = &b.receipts[0];
    assert!(is_over(receipt, Quota::Keys, 2), "{receipt}");
    assert_eq!(receipt.reason.kind(), "quota-exceeded");
    assert_eq!(receipt.discarded.value(), Some("mine".into()));
    assert!(receipt.refused());
    assert_eq!(hub.value("m"), None);
    assert_eq!(hub.value("k"), Some(3.into()), "no key more");
    let read = hub.ask(Ask::Get(key("k")));
    assert!(matches!(read, Some(Ok(Answer::State(Some(_))))), "{read:?}");
    assert_equal(&hub, &[&a, &b]);
}

/// Bad input, row 20.
#[test]
fn a_delete_makes_room_again() {
    let (mut hub, mut a, mut b) = of_keys(1);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    b.write("l", put(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!((hub.value("l"), b.receipts.len()), (None, 1));
    b.write("k", Operation::Delete);
    b.write("l", put(3));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!((hub.value("k"), hub.value("l")), (None, Some(3.into())));
    assert_eq!(b.receipts.len(), 1);
    assert_equal(&hub, &[&a, &b]);
}

/// Bad input, row 20.
#[test]
fn bytes_are_bounded_and_what_makes_nothing_larger_enters_all_the_same() {
    let (mut hub, mut a, mut b) = of_bytes();
    a.write("k", put("x".repeat(1_900)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let full = hub.hub.keyspace().weight();
    assert!(full <= LIMIT && full + 100 > LIMIT, "{full}");
    b.write("l", put("y".repeat(100)));
    b.write("k", put("z".repeat(1_901)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.write("k", put("w".repeat(1_990)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let reasons = a.receipts.iter().chain(&b.receipts);
    assert!(reasons.clone().all(|r| is_over(r, Quota::Bytes, LIMIT)));
    assert_eq!(hub.value("l"), None);
    // As long as what it replaces, and with a note of it: that may be over.
    let there = "v".repeat(1_900);
    for agent in [&mut a, &mut b] {
        agent.write("k", put(there.as_str()));
    }
    talk(&mut hub, &mut [&mut a]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(there.as_str().into()));
    assert_equal(&hub, &[&a, &b]);
    a.write("k", put("short"));
    b.write("l", put("y".repeat(100)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(hub.value("k").is_some() && hub.value("l").is_some());
}

/// Bad input, row 20.
#[test]
fn what_is_there_is_counted_again_after_a_restart_and_stays_under_a_lower_bound() {
    let (mut hub, mut a, mut b) = of_keys(3);
    for name in ["k", "l", "m"] {
        a.write(name, put(1));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    b.cut(&mut hub);
    let before = hub.hub.keyspace().weight();
    hub.config.limits.keys_max = 2;
    hub.config.limits.state_bytes_max = 1;
    hub.restart();
    assert_eq!(hub.hub.keyspace().weight(), before);
    a.connect(&mut hub, 11);
    b.connect(&mut hub, 12);
    b.write("n", put(1));
    b.write("l", put(2));
    b.write("m", Operation::Delete);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.receipts.len(), 1, "{:?}", b.receipts);
    assert!(is_over(&b.receipts[0], Quota::Keys, 2));
    let there = ["k", "l", "m", "n"].map(|name| hub.value(name));
    assert_eq!(there, [Some(1.into()), Some(2.into()), None, None]);
    assert_equal(&hub, &[&a, &b]);
}

/// They were acknowledged: a bound does not lose them.
/// Bad input, row 20.
#[test]
fn what_replicas_hold_comes_back_to_a_hub_that_lost_its_disk_although_it_is_over() {
    let (mut hub, mut a, mut b) = of_keys(2);
    a.write("k", put(1));
    a.write("l", put(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    let mut config = hub_config();
    config.limits.keys_max = 1;
    let mut empty = HubSide::with(config);
    a.connect(&mut empty, 3);
    talk(&mut empty, &mut [&mut a]);
    assert_eq!(empty.value("k"), Some(1.into()));
    assert_eq!(empty.value("l"), Some(2.into()));
}

/// Bad input, row 20.
#[test]
fn what_the_hub_decides_or_writes_is_refused_with_the_bound() {
    let (mut hub, mut a, _) = of_keys(1);
    decide(&mut hub, &mut [&mut a], cas("k", 0, 1)).expect("room for one");
    let full = decide(&mut hub, &mut [&mut a], cas("l", 0, 1)).expect_err("no room");
    assert!(is_refused(&full), "{full}");
    let write = Ask::Write {
        key: key("l"),
        operation: put(1),
        metadata: None,
    };
    let full = hub.ask(write).expect("answered").expect_err("no room");
    assert!(is_refused(&full), "{full}");
    let full = claim(&mut hub, &mut [&mut a], 1_000).expect_err("no room");
    assert!(is_refused(&full), "{full}");
    let moved = commit(Vec::new(), vec![delete("k"), set("l", 2)]);
    decide(&mut hub, &mut [&mut a], moved).expect("one goes, one comes");
    assert_eq!((hub.value("k"), hub.value("l")), (None, Some(2.into())));
    let cleared = hub.ask(Ask::Clear(Some(key("l"))));
    assert!(matches!(cleared, Some(Ok(Answer::Cleared(1)))));
    claim(&mut hub, &mut [&mut a], 1_000).expect("room again");
}

/// Bad input, row 20.
#[test]
fn what_was_approved_and_has_no_room_is_decided_and_not_committed() {
    let (mut hub, mut a, mut b) = of_keys(1);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    propose(&mut hub, that_writes("plan", put("ship it")));
    talk(&mut hub, &mut [&mut a, &mut b]);
    vote(&mut a, Vote::For);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let decision = decision(&mut hub);
    assert_eq!(decision.verdict, Verdict::Approved);
    let reason = decision.not_committed.expect("there is no room");
    assert!(reason.contains("may hold 1 keys"), "{reason}");
    assert_eq!(hub.value("plan"), None);
}

/// Bad input, rows 20 and 23.
#[test]
fn a_counter_that_is_there_counts_on_and_elements_of_a_set_are_bounded() {
    let (mut hub, mut a, mut b) = of_bytes();
    hub.govern(vec![policy("s", |p| p.rule = Some(MergeRule::Set))]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.write("n", Operation::Add(5));
    for i in 0..100 {
        a.write("s", Operation::Insert(Value::from(i)));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(a.receipts.len() > 40, "{}", a.receipts.len());
    assert!(hub.hub.keyspace().weight() <= LIMIT);
    a.write("n", Operation::Add(5));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("n"), Some(10.into()));
    assert_equal(&hub, &[&a, &b]);
}
