//! Messages that break the protocol close their connection and change nothing.

use bytes::Bytes;
use sync_core::{
    AgentId, Body, Context, Entry, Incarnation, Message, Payload, Revision, Role, Segment, Seq,
    SessionId, Stamp, Value, Version, Write, WriteId, Writer,
};

use crate::stage::{HubSide, WALL_MS, key, talk, trio};

fn segment(writer: &Writer, seq: u64) -> Bytes {
    segment_at(WALL_MS, writer, seq)
}

fn segment_at(millis: u64, writer: &Writer, seq: u64) -> Bytes {
    let write = Write {
        stamp: Stamp::at_millis(millis),
        payload: Payload::put(&Value::Int(1)),
        prev: Seq::new(seq - 1),
        over: Context::new(),
        note: None,
    };
    let entry = Entry::of_write(WriteId::new(writer.clone(), Seq::new(seq)), write);
    let (version, revision) = (Version::default(), Revision::default());
    Segment {
        key: key("k"),
        version,
        revision,
        entry,
    }
    .encode()
}

fn push(upto: u64, seqs: &[u64], segments: Vec<Bytes>) -> Message {
    let seqs: Vec<Seq> = seqs.iter().copied().map(Seq::new).collect();
    let incarnation = Incarnation::from_random(1);
    let (after, upto) = (Seq::new(0), Seq::new(upto));
    Message::with(
        Body::Push {
            incarnation,
            after,
            upto,
            seqs: seqs.into(),
        },
        segments,
    )
}

fn assert_refused(hub: &mut HubSide, session: SessionId, message: Message) {
    let (digest, revision) = (hub.hub.digest(), hub.hub.revision());
    let what = format!("{:?}", message.body);
    hub.hear(session, message);
    hub.settle();
    assert_eq!(
        (hub.hub.digest(), hub.hub.revision()),
        (digest, revision),
        "{what}"
    );
    let (closed, reason) = hub
        .closed
        .pop()
        .unwrap_or_else(|| panic!("not refused: {what}"));
    assert_eq!(closed, session);
    assert!(reason.len() > 10, "{what}: no sentence: {reason}");
}

/// Bad input, row 10.
#[test]
fn a_push_must_be_its_own_writers_exact_delta() {
    let mine = Writer::new(AgentId::new("a").unwrap(), Incarnation::from_random(1));
    let another = Writer::new(AgentId::new("b").unwrap(), Incarnation::from_random(1));
    let cases = [
        push(1, &[1], vec![segment(&another, 1)]),
        push(2, &[2], vec![segment(&mine, 1)]),
        push(1, &[1], vec![Bytes::from_static(b"rubbish")]),
        push(1, &[1], Vec::new()),
        push(2, &[2, 1], vec![segment(&mine, 2), segment(&mine, 1)]),
        push(1, &[2], vec![segment(&mine, 2)]),
    ];
    for (number, case) in (10..).zip(cases) {
        let (mut hub, mut a, mut b) = trio();
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.cut(&mut hub);
        let session = hub.connect(number, "a", Role::Member);
        hub.hear(
            session,
            Body::DeltaRequest {
                request: 1,
                cursor: None,
                resume: None,
                policies: 0,
            },
        );
        hub.settle();
        hub.said.clear();
        assert_refused(&mut hub, session, case);
        // Nobody else is disturbed.
        b.write("other", crate::stage::put(1));
        talk(&mut hub, &mut [&mut b]);
        assert_eq!(hub.value("other"), Some(Value::Int(1)));
    }
}

#[test]
fn nothing_is_pushed_before_the_cursor_is_settled() {
    let mut hub = HubSide::new();
    let session = hub.connect(1, "a", Role::Member);
    hub.settle();
    let mine = Writer::new(AgentId::new("a").unwrap(), Incarnation::from_random(1));
    hub.hear(session, push(1, &[1], vec![segment(&mine, 1)]));
    hub.settle();
    assert_eq!(hub.value("k"), None);
    assert!(hub.said.is_empty());
}

/// Bad input, row 6.
#[test]
fn messages_of_the_wrong_direction_and_of_clients_are_refused() {
    let wrong = || Body::OfferAck { offer: 1, index: 0 };
    let (mut hub, mut a, _b) = trio();
    assert_refused(&mut hub, a.session.unwrap(), wrong().into());
    let client = hub.connect(7, "cli", Role::Client);
    assert_refused(&mut hub, client, push(1, &[], Vec::new()));
    // And at the agent.
    let digest = a.replica.digest();
    a.hear(Body::Ping { nonce: 1 });
    assert!(
        a.closed
            .pop()
            .is_some_and(|reason| reason.contains("only agents send"))
    );
    assert_eq!(a.replica.digest(), digest);
}

#[test]
fn one_id_with_two_writes_raises_an_alarm_and_both_sides_keep_the_same() {
    let (mut hub, mut a, mut b) = trio();
    a.write("k", crate::stage::put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let entry = hub.hub.keyspace().get(&key("k")).unwrap().entry().clone();
    let (id, write) = entry
        .writes()
        .next()
        .map(|(i, w)| (i.clone(), w.clone()))
        .unwrap();
    // A copy of a's disk has given the same id to another write.
    let payload = Payload::put(&Value::Int(2));
    let other = Entry::of_write(id, Write { payload, ..write });
    let segment = Segment {
        key: key("k"),
        version: Version::new(1),
        revision: Revision::new(1),
        entry: other,
    };
    let session = b.session.unwrap();
    let offer = Body::Offer {
        offer: 99,
        index: 0,
        last: true,
    };
    hub.hear(session, Message::with(offer, vec![segment.encode()]));
    hub.settle();
    let Some(Ok(sync_core::Answer::Status(status))) = hub.ask(sync_core::Ask::Status) else {
        panic!("no status")
    };
    assert_eq!(status.id_alarms, 1);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(a.value("k"), hub.value("k"));
}

/// Bad input, row 10.
#[test]
fn nobody_comes_in_under_the_hubs_own_name() {
    for role in [Role::Member, Role::Client] {
        let (mut hub, mut a, _b) = trio();
        let impostor = hub.connect(7, "hub", role);
        hub.settle();
        let (closed, reason) = hub.closed.pop().expect("disconnected");
        assert_eq!(closed, impostor);
        assert!(reason.contains("the hub's own"), "{reason}");
        let mut roster = hub.hub.roster();
        assert!(roster.all(|name| name.as_str() != "hub"));
        drop(roster);
        a.write("k", crate::stage::put(1));
        talk(&mut hub, &mut [&mut a]);
        assert_eq!(hub.value("k"), Some(Value::Int(1)));
    }
}

/// What it has to undo is told by name, so there has to be an end to it.
#[test]
fn who_takes_no_refusal_is_heard_no_further() {
    let mut hub = HubSide::new();
    let session = hub.connect(1, "a", Role::Member);
    let request = Body::DeltaRequest {
        request: 1,
        cursor: None,
        resume: None,
        policies: 0,
    };
    hub.hear(session, request);
    hub.settle();
    let mine = Writer::new(AgentId::new("a").unwrap(), Incarnation::from_random(1));
    let future = |after: u64, upto: u64| {
        let seqs: Vec<Seq> = (after + 1..=upto).map(Seq::new).collect();
        let segments = seqs
            .iter()
            .map(|seq| segment_at(2 * WALL_MS, &mine, seq.get()));
        let segments: Vec<Bytes> = segments.collect();
        let body = Body::Push {
            incarnation: Incarnation::from_random(1),
            after: Seq::new(after),
            upto: Seq::new(upto),
            seqs: seqs.into(),
        };
        Message::with(body, segments)
    };
    let most = sync_protocol::REFUSALS_WAITING_MAX as u64;
    for after in (0..most).step_by(512) {
        hub.hear(session, future(after, after + 512));
        hub.settle();
        hub.said.clear();
    }
    let is_heard = |hub: &mut HubSide| {
        hub.hear(session, future(most, most + 1));
        hub.settle();
        let said: Vec<Message> = hub.said.drain(..).map(|(_, message)| message).collect();
        let told = |message: &Message| matches!(message.body, Body::Receipts { .. });
        assert!(said.iter().any(told), "it is told what waits");
        said.iter()
            .any(|m| matches!(m.body, Body::Committed { .. }))
    };
    assert!(!is_heard(&mut hub));
    let waiting = hub.hub.receipts().count() as u64;
    assert_eq!(waiting, most);
    let first = WriteId::new(mine.clone(), Seq::new(1));
    let writes = vec![first].into();
    hub.hear(session, Body::ReceiptsTaken { writes });
    hub.settle();
    assert!(is_heard(&mut hub));
}
