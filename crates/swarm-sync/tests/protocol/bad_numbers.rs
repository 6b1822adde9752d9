//! Numbers that cannot be, told by peers: they move nothing, and none of the hub's own is used up.

use bytes::Bytes;
use sync_core::{
    Ask, Body, Context, Cursor, Entry, Epoch, Incarnation, Message, Payload, RequestError,
    Revision, Role, Segment, Seq, SessionId, Since, Stamp, Value, Version, Write, WriteId, Writer,
};

use crate::deciding::{cas, decide};
use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, WALL_MS, key, put, talk, trio};

/// More than any hub has counted to, and what is left of the numbers after them.
const FAR: [u64; 4] = [1 << 33, 1 << 63, u64::MAX - 1, u64::MAX];

fn version(hub: &HubSide) -> u64 {
    let state = hub.hub.keyspace().get(&key("k"));
    state.expect("it is there").version().get()
}

/// A member that has not said where it stands.
fn stranger(hub: &mut HubSide, session: u64) -> SessionId {
    hub.connect(session, "liar", Role::Member)
}

/// All that somebody holds: one write to `k`, which it says has the version.
fn offer(session: SessionId, version: u64) -> Message {
    let writer = Writer::new(
        "liar".try_into().expect("a name"),
        Incarnation::from_random(7),
    );
    let write = Write {
        stamp: Stamp::at_millis(WALL_MS),
        payload: Payload::put(&Value::Int(1)),
        prev: Seq::new(session.0 - 1),
        over: Context::new(),
        note: None,
    };
    let segment = Segment {
        key: key("k"),
        version: Version::new(version),
        revision: Revision::new(version),
        entry: Entry::of_write(WriteId::new(writer, Seq::new(session.0)), write),
    };
    let body = Body::Offer {
        offer: 1,
        index: 0,
        last: true,
    };
    Message::with(body, vec![segment.encode()])
}

fn position(epoch: u64, revision: u64) -> Cursor {
    Cursor {
        epoch: Epoch::from_random(epoch),
        revision: Revision::new(revision),
        head: Revision::new(revision),
    }
}

fn read_from(hub: &mut HubSide, session: SessionId, cursor: Cursor) {
    let body = Body::DeltaRequest {
        request: 1,
        cursor: Some(cursor),
        resume: None,
        policies: 0,
    };
    hub.hear(session, body);
    hub.settle();
}

/// Bad input, row 11. Found: a version of 2^64 - 1 was taken over with what came with it, and as no number
/// follows it, whoever expected it of a compare-and-set had it met for ever.
#[test]
fn a_version_that_cannot_be_is_not_taken_over() {
    for (number, far) in (10..).zip(FAR) {
        let (mut hub, mut a, mut b) = trio();
        a.write("k", put("there"));
        talk(&mut hub, &mut [&mut a, &mut b]);
        let liar = stranger(&mut hub, number);
        hub.hear(liar, offer(liar, far));
        hub.settle();
        let before = version(&hub);
        assert!(before < 10, "{far} is believed: {before}");
        a.write("k", put("next"));
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(version(&hub), before + 1);
        // Nobody has read the far one here.
        let refused = decide(&mut hub, &mut [&mut a, &mut b], cas("k", far, 1));
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, RequestError::Conflict { .. }),
            "{refused}"
        );
    }
}

/// Bad input, row 11. A version that a lost disk may have given out is not given out again.
#[test]
fn a_version_that_may_be_is_exceeded() {
    let (mut hub, mut a, mut b) = trio();
    let agent = stranger(&mut hub, 10);
    hub.hear(agent, offer(agent, 1 << 20));
    hub.settle();
    assert!(version(&hub) > 1 << 20);
    let before = version(&hub);
    a.write("k", put("next"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(version(&hub), before + 1);
}

/// Bad input, row 11: of the revision.
#[test]
fn a_position_that_cannot_be_uses_no_numbers_up() {
    for (number, far) in (10..).zip(FAR) {
        // Of a run that was lost, and of the one that runs.
        for epoch in [77, 1] {
            let (mut hub, mut a, mut b) = trio();
            let liar = stranger(&mut hub, number);
            let before = hub.hub.revision();
            read_from(&mut hub, liar, position(epoch, far));
            let asked = hub.ask(Ask::Delta(Since::Revision(Revision::new(far))));
            let refused = asked.expect("at once").expect_err("it is ahead");
            assert_eq!(refused.kind(), "ahead");
            let asked = hub.ask(Ask::Delta(Since::Cursor(position(epoch, far))));
            asked.expect("at once").expect_err("it is of no log");
            a.write("k", put(1));
            talk(&mut hub, &mut [&mut a, &mut b]);
            assert_eq!(hub.hub.revision(), before.next(), "{far}");
        }
    }
}

/// Bad input, row 11: what an agent says of itself is its own affair, and of nobody else.
#[test]
fn who_confirms_what_there_is_not_moves_nothing() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let (epoch, before) = (hub.hub.epoch(), hub.hub.revision());
    let session = b.session.expect("connected");
    for far in FAR {
        let revision = Revision::new(far);
        hub.hear(session, Body::Ack { epoch, revision });
        hub.settle();
    }
    assert!(hub.closed.is_empty());
    a.write("k", put(2));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.hub.revision(), before.next());
    assert_eq!(b.value("k"), Some(2.into()));
}

/// Bad input, row 11: a push that vouches for every number there is. Its own run has none left; others
/// have theirs.
#[test]
fn a_push_up_to_the_last_number_takes_none_from_others() {
    let (mut hub, mut a, mut b) = trio();
    let liar = stranger(&mut hub, 10);
    let body = Body::DeltaRequest {
        request: 1,
        cursor: None,
        resume: None,
        policies: 0,
    };
    hub.hear(liar, body);
    let body = Body::Push {
        incarnation: Incarnation::from_random(7),
        after: Seq::new(0),
        upto: Seq::new(u64::MAX),
        seqs: Vec::new().into(),
    };
    hub.hear(liar, Message::with(body.clone(), Vec::<Bytes>::new()));
    hub.hear(liar, Message::with(body, Vec::<Bytes>::new()));
    hub.settle();
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some(1.into()));
    assert_eq!(b.value("k"), Some(1.into()));
}

/// Bad input, row 23: values that a replica cannot decide among do not pile up there without bound.
#[test]
fn a_replica_with_too_many_values_to_decide_among_needs_its_hub() {
    let mut hub = HubSide::new();
    let mut a = AgentSide::with("a", |config| config.limits.siblings_max = 0);
    let mut b = AgentSide::new("b");
    a.connect(&mut hub, 1);
    b.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.cut(&mut hub);
    a.write("k", put("mine"));
    b.write("k", put("theirs"));
    talk(&mut hub, &mut [&mut b]);
    // It reads what there is, and what it has written is not decided yet.
    a.connect(&mut hub, 3);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    let request = a.begin("k", put("one more"));
    a.settle();
    let refused = a.answer(request).expect("at once").unwrap_err();
    assert!(
        matches!(refused, RequestError::TooManySiblings { .. }),
        "{refused}"
    );
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.write("k", put("decided"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("k"), Some("decided".into()));
}
