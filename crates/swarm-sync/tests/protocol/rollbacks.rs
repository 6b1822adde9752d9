//! A hub whose disk was put back to an earlier state: found by the simulation, told by hand.

use std::time::Duration;

use sync_core::{
    Answer, Ask, Body, Durability, Message, Operation, Reason, RequestError, Role, Seq, SessionId,
    Value, WriteId,
};
use sync_protocol::{Command, Fate};

use crate::disk::Image;
use crate::hand::{deliver, say};
use crate::stage::{
    AgentSide, HubSide, assert_equal, bodies, hub_config, key, put, read_reply, talk, trio,
    trio_with,
};

/// A cursor from before the push was confirmed looks valid to a hub that lost the push.
#[test]
fn a_hub_that_lost_a_confirmed_push_is_found_out() {
    let (mut hub, mut a, _) = trio();
    let backup = hub.disk.image();
    a.write("k", put("mine"));
    say(&mut hub, &mut a);
    // The confirmation arrives, the update does not: the cursor stays where it was.
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::Committed { .. })
    });
    assert_eq!(a.replica.pending_writes(), 0);
    a.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), Some("mine".into()));
    assert_equal(&hub, &[&a]);
}

/// Known numbers go back with the disk, and the hub gives the numbers of clients itself.
#[test]
fn a_client_never_gets_one_id_for_two_writes() {
    let mut hub = HubSide::new();
    let backup = hub.disk.image();
    let write = |hub: &mut HubSide| {
        let session = hub.connect(9, "client", Role::Client);
        let (key, operation) = (key("k"), put(1));
        let ask = Ask::Write {
            key,
            operation,
            metadata: None,
        };
        hub.hear(session, Message::from(Body::Request { request: 1, ask }));
        hub.settle();
        let said = std::mem::take(&mut hub.said);
        let ids = said
            .into_iter()
            .filter_map(|(_, message)| match read_reply(&message) {
                Some(Ok(Answer::Written(ack))) => ack.write_id,
                _ => None,
            });
        ids.collect::<Vec<_>>()
    };
    let first = write(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    let second = write(&mut hub);
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
}

/// Two concurrent writes, of `b`, which is cut off, the later one; what the disk was before.
fn race_behind_a_backup(hub: &mut HubSide, a: &mut AgentSide, b: &mut AgentSide) -> Image {
    a.write("other", put(0));
    talk(hub, &mut [a, b]);
    let backup = hub.disk.image();
    b.cut(hub);
    a.write("k", put("early"));
    b.mono += Duration::from_millis(5);
    b.write("k", put("late"));
    backup
}

/// The update that covers the loser is here, its receipt is gone with the hub's disk.
#[test]
fn a_fate_that_only_the_lost_hub_knew_is_told_as_unknown() {
    let (mut hub, mut a, mut b) = trio();
    let backup = race_behind_a_backup(&mut hub, &mut a, &mut b);
    talk(&mut hub, &mut [&mut a]);
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut b]);
    let session = a.session.expect("connected");
    assert!(hub.hub.receipts().count() > 0, "nobody has taken it");
    // `talk` has thrown away what was for `a`: it reads the change, but not the receipt.
    a.pass(Duration::from_secs(1));
    say(&mut hub, &mut a);
    for _ in 0..4 {
        deliver(&mut hub, &mut a, |body| {
            !matches!(body, Body::Receipts { .. })
        });
        say(&mut hub, &mut a);
    }
    assert_eq!((a.value("k"), a.receipts.len()), (Some("late".into()), 0));
    hub.hub.handle_disconnected(hub.now(), session);
    a.session = None;
    a.replica.handle_link_down(a.now());
    b.cut(&mut hub);
    a.restart();
    hub.disk.restore(backup);
    hub.restart();
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut b]);
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(a.value("k"), Some("late".into()));
    let told = a
        .receipts
        .iter()
        .find(|r| r.key == key("k"))
        .expect("it is told");
    assert_eq!(told.reason, Reason::Unknown);
    assert_eq!(told.discarded.value(), Some("early".into()));
}

/// The end of the own write comes with the repair that another one calls for, its receipt never.
#[test]
fn a_write_that_a_repair_ends_is_not_lost_with_the_hubs_disk() {
    let mut config = hub_config();
    config.limits.value_bytes_max = 32;
    config.limits.receipts_per_message = 1;
    let (mut hub, mut a, mut b) = trio_with(config);
    let field = |name: &str, value: Value| Operation::PutField(name.to_owned(), value);
    a.cut(&mut hub);
    a.write("k", field("x", "x".repeat(100).into()));
    a.write("k", field("y", 1.into()));
    a.connect(&mut hub, 3);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::DeltaReply { .. })
    });
    b.mono += Duration::from_millis(5);
    b.write("k", field("y", 2.into()));
    say(&mut hub, &mut b);
    hub.settle();
    let backup = hub.disk.image();
    say(&mut hub, &mut a);
    // Both are committed; one receipt fits a message. No update arrives.
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::Committed { .. } | Body::Receipts { .. })
    });
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::RepairReply { .. })
    });
    assert_eq!(a.receipts.len(), 1, "{:?}", a.receipts);
    a.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a]);
    let lost = a.receipts.iter().map(|r| r.discarded.field_name());
    assert_eq!(lost.collect::<Vec<_>>(), [Some("x"), Some("y")]);
}

/// A round that was open when an agent came back took its new write before the agent had told which
/// ends it took for granted: one of them seemed chosen, and its writer was never told.
#[test]
fn a_round_takes_nothing_from_an_agent_that_has_not_settled() {
    let (mut hub, mut a, mut b) = trio();
    let backup = race_behind_a_backup(&mut hub, &mut a, &mut b);
    say(&mut hub, &mut a);
    hub.settle();
    // Nothing of what the hub says reaches `a`: its write still waits there.
    a.cut(&mut hub);
    hub.said.clear();
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut b]);
    b.cut(&mut hub);
    assert_eq!(hub.hub.receipts().count(), 1);
    hub.disk.restore(backup);
    hub.restart();
    b.write("k", put("next"));
    b.connect(&mut hub, 4);
    let sync = Ask::Sync {
        keys: vec![key("k")].into(),
        timeout_ms: None,
    };
    hub.hub.handle_ask(hub.now(), 7, sync);
    hub.drain();
    let asked = bodies(&hub.said, SessionId(4));
    assert!(
        !asked
            .iter()
            .any(|body| matches!(body, Body::StateRequest { .. })),
        "{asked:?}"
    );
    talk(&mut hub, &mut [&mut b]);
    let Some(Ok(Answer::Synced(report))) = hub.take_answer(7) else {
        panic!("asked once it has settled");
    };
    assert_eq!(report.responded.len(), 1);
    a.connect(&mut hub, 5);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    assert_eq!(hub.value("k"), Some("next".into()));
    let told = a.receipts.iter().map(|r| (r.discarded.value(), &r.reason));
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(Some("early".into()), &Reason::Unknown)]);
}

/// Why its writes to one key came back to an agent.
fn reasons_of_k(agent: &AgentSide) -> Vec<&Reason> {
    let told = agent.receipts.iter().filter(|r| r.key == key("k"));
    told.map(|r| &r.reason).collect()
}

/// What a replica puts off to store is older than what it stores now: the fate it had noted came back to
/// its disk after the receipt had explained it, and was told again as unknown.
#[test]
fn an_explained_loss_is_not_told_again_as_unknown() {
    let (mut hub, mut a, mut b) = trio();
    a.write("other", put(0));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let backup = hub.disk.image();
    a.write("k", put("early"));
    b.mono += Duration::from_millis(5);
    b.write("k", put("late"));
    say(&mut hub, &mut b);
    say(&mut hub, &mut a);
    hub.settle();
    let mut said = std::mem::take(&mut hub.said);
    said.retain(|(to, _)| Some(*to) == a.session);
    // As if others had been told before it, and there was no room for this one in their message.
    said.sort_by_key(|(_, message)| matches!(message.body, Body::Receipts { .. }));
    for (_, message) in said {
        a.hear(message);
        a.settle();
    }
    say(&mut hub, &mut a);
    hub.settle();
    assert_eq!((a.receipts.len(), hub.hub.receipts().count()), (1, 0));
    a.cut(&mut hub);
    b.cut(&mut hub);
    a.restart();
    hub.disk.restore(backup);
    hub.restart();
    a.connect(&mut hub, 3);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_equal(&hub, &[&a, &b]);
    let mut reasons = reasons_of_k(&a);
    // Once a run, for as long as nobody has confirmed it.
    reasons.dedup();
    assert!(
        matches!(reasons[..], [Reason::Superseded { .. }]),
        "{reasons:?}"
    );
}

/// The end of the write is read with the offer's answer before its receipt is: whoever took the guess at
/// once had taken the answer with it.
#[test]
fn what_the_hub_finds_out_anew_is_not_told_as_unknown_first() {
    let (mut hub, mut a, mut b) = trio();
    a.write("other", put(0));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let backup = hub.disk.image();
    a.write("k", put("early"));
    talk(&mut hub, &mut [&mut a]);
    a.cut(&mut hub);
    b.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    b.mono += Duration::from_millis(50);
    let mut c = AgentSide::new("c");
    c.mono = b.mono;
    c.connect(&mut hub, 3);
    c.write("k", put("late"));
    talk(&mut hub, &mut [&mut c]);
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut c]);
    for _ in 0..2 {
        a.pass(Duration::from_secs(2));
        talk(&mut hub, &mut [&mut a, &mut c]);
    }
    let reasons = reasons_of_k(&a);
    assert!(
        matches!(reasons[..], [Reason::Superseded { .. }]),
        "{reasons:?}"
    );
}

/// The hub that had it is gone with its disk: nobody has it there, before the new one has said so.
#[test]
fn a_write_whose_hub_was_lost_is_not_said_to_be_there() {
    let mut config = hub_config();
    config.limits.page_bytes = 512;
    let (mut hub, mut a, mut b) = trio_with(config);
    for n in 0..4 {
        b.write(&format!("z{n}"), put("more than one page".repeat(20)));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    let backup = race_behind_a_backup(&mut hub, &mut a, &mut b);
    let write = WriteId::new(a.replica.writer().clone(), Seq::new(2));
    talk(&mut hub, &mut [&mut a]);
    assert!(matches!(a.replica.fate(&write), Fate::AtHub { .. }));
    b.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut b]);
    // It reads the change that ended it, and no receipt.
    a.pass(Duration::from_secs(1));
    say(&mut hub, &mut a);
    for _ in 0..4 {
        deliver(&mut hub, &mut a, |body| {
            !matches!(body, Body::Receipts { .. })
        });
        say(&mut hub, &mut a);
    }
    assert_eq!(a.value("k"), Some("late".into()));
    a.cut(&mut hub);
    b.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    let level = Durability::Replicas(1);
    let timeout = Duration::from_secs(1);
    a.connect(&mut hub, 4);
    a.settle();
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |body| {
        matches!(body, Body::DeltaReply { .. })
    });
    assert_eq!(a.replica.cursor(), None);
    assert_eq!(a.replica.fate(&write), Fate::Unknown);
    while a.replica.cursor().is_none() {
        a.settle();
        say(&mut hub, &mut a);
        deliver(&mut hub, &mut a, |_| true);
    }
    // It has read a page of what that hub has, and does not know all of it.
    assert_eq!(a.replica.fate(&write), Fate::Unknown);
    let waiting = a.command(Command::WaitForLevel {
        write,
        level,
        timeout,
    });
    a.pass(timeout);
    let Some(Err(RequestError::Unreached { reached, .. })) = a.answer(waiting) else {
        panic!("nobody has told what became of it")
    };
    assert_eq!(reached, Durability::Disk);
}

/// It still waits there, as its confirmation was lost. It came back to life at the hub and here, and its
/// writer was told that it is gone: whoever proposed it again counted it twice.
#[test]
fn a_write_that_is_told_as_gone_stays_dead_although_it_still_waits() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", Operation::Add(5));
    say(&mut hub, &mut a);
    hub.settle();
    let backup = hub.disk.image();
    talk(&mut hub, &mut [&mut b]);
    b.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut b]);
    // It reads the end of its write, and no confirmation.
    a.pass(Duration::from_secs(1));
    for _ in 0..4 {
        say(&mut hub, &mut a);
        deliver(&mut hub, &mut a, |body| {
            !matches!(body, Body::Committed { .. })
        });
    }
    assert_eq!((a.value("k"), a.replica.pending_writes()), (None, 1));
    a.cut(&mut hub);
    b.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    assert_eq!(hub.value("k"), Some(Value::Int(5)));
    a.connect(&mut hub, 3);
    talk(&mut hub, &mut [&mut a]);
    assert_equal(&hub, &[&a]);
    assert_eq!(reasons_of_k(&a), [&Reason::Unknown]);
    assert_eq!(hub.value("k"), None, "it is told as gone");
}
