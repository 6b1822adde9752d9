//! Many keys that change at once: neither a commit nor an answer grows with them.

use std::time::Duration;

use sync_core::{Answer, Ask, Delta, MergeRule, Since, Ttl};

use crate::stage::{AgentSide, HubSide, policy, put, talk, trio};

const MANY: usize = 2_500;

fn write_many(agent: &mut AgentSide) {
    for n in 0..MANY {
        agent.write(&format!("k{n}"), put(1));
    }
}

fn delta(hub: &mut HubSide, since: Since) -> Delta {
    match hub.ask(Ask::Delta(since)) {
        Some(Ok(Answer::Delta(delta))) => delta,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_ends_at_the_same_time_ends_in_commits_of_their_own() {
    let (mut hub, mut a, mut b) = trio();
    let after = Duration::from_secs(5);
    let refresh = false;
    hub.govern(vec![policy("*", |p| p.ttl = Some(Ttl { after, refresh }))]);
    write_many(&mut a);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let before = hub.hub.revision().get();
    hub.pass(Duration::from_secs(6));
    assert_eq!(
        hub.hub.revision().get(),
        before + 1,
        "others are not kept waiting"
    );
    for _ in 0..2 {
        let due = hub.hub.poll_timeout().expect("there is more");
        assert!(due <= hub.mono, "at once");
        hub.pass(Duration::ZERO);
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.hub.revision().get(), before + 3);
    assert_eq!((hub.hub.keyspace().live_keys(), b.value("k7")), (0, None));
}

#[test]
fn a_table_that_decides_many_keys_does_so_in_several_commits() {
    let (mut hub, mut a, mut b) = trio();
    hub.govern(vec![policy("*", |p| p.rule = Some(MergeRule::Causal))]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    b.cut(&mut hub);
    write_many(&mut a);
    write_many(&mut b);
    a.connect(&mut hub, 3);
    b.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let before = hub.hub.revision().get();
    hub.govern(Vec::new());
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.hub.revision().get(), before + 3);
    assert_eq!(a.receipts.len() + b.receipts.len(), MANY);
}

/// What is told of a key takes room, too, where its value takes none.
#[test]
fn a_page_without_values_ends() {
    let (mut hub, mut a, mut b) = trio();
    write_many(&mut a);
    talk(&mut hub, &mut [&mut a, &mut b]);
    let before = hub.hub.revision();
    hub.ask(Ask::Clear(None));
    let first = delta(&mut hub, Since::Revision(before));
    assert!(first.more, "{} keys", first.changes.len());
    let rest = delta(&mut hub, Since::Cursor(first.to));
    assert_eq!(first.changes.len() + rest.changes.len(), MANY);
}
