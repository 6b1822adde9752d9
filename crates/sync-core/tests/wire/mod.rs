//! One of everything that crosses a link.

mod authority;
pub(crate) mod bodies;
pub(crate) mod past;
pub(crate) mod replies;
mod status;
mod sweeps;

use std::collections::BTreeMap;

use bytes::Bytes;
use sync_core::{
    AgentId, Context, Entry, Epoch, Incarnation, Key, Message, Metadata, Namespace, Note, Payload,
    Revision, Seen, Segment, Seq, Span, Stamp, Value, Version, Write, WriteId, Writer, codec,
};

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn agent(text: &str) -> AgentId {
    AgentId::new(text).unwrap()
}

pub(crate) fn namespace() -> Namespace {
    Namespace::new("notes").unwrap()
}

pub(crate) fn writer(name: &str, run: u64) -> Writer {
    Writer::new(agent(name), Incarnation::from_random(run))
}

pub(crate) fn id(name: &str, run: u64, seq: u64) -> WriteId {
    WriteId::new(writer(name, run), Seq::new(seq))
}

pub(crate) fn seen() -> Seen {
    Seen {
        epoch: Epoch::from_random(0xe0e0),
        revision: Revision::new(300),
    }
}

/// Every case of a value, and then inside each other.
pub(crate) fn value() -> Value {
    let leaves = vec![
        Value::Null,
        Value::Bool(false),
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::float(0.1).unwrap(),
        Value::from("∀ text"),
        Value::Bytes(vec![0, 255]),
        Value::List(Vec::new()),
    ];
    let fields = [
        ("", Value::Map(BTreeMap::new())),
        ("list", Value::List(leaves)),
    ];
    Value::Map(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn write(prev: u64, payload: Payload) -> Write {
    let stamp = Stamp::from_bits((1_700_000_000_000 << 16) | 7);
    Write {
        stamp,
        payload,
        prev: Seq::new(prev),
        over: Context::new(),
        note: None,
    }
}

/// Nothing at all, covers only, one write, and writes of every kind with every fact there is.
pub(crate) fn segments() -> Vec<Segment> {
    let over: Context = [
        Span::new(writer("agent-0", 9), Seq::new(1), Seq::new(250)),
        Span::new(writer("agent-1", 1), Seq::new(3), Seq::new(70_000)),
        Span::new(writer("agent-1", 1), Seq::new(1 << 33), Seq::new(1 << 34)),
    ]
    .into_iter()
    .collect();
    let metadata = Metadata::new(BTreeMap::from([("why".to_owned(), value())])).unwrap();
    let note = Note {
        metadata: Some(metadata),
        seen: Some(seen()),
        attempt: None,
    };
    let rich = Write {
        over: over.clone(),
        note: Some(Box::new(note)),
        ..write(5, Payload::put(&value()))
    };
    let one = Entry::of_write(id("agent-2", u64::MAX, 6), rich);
    let mut many = one.clone();
    for (seq, payload) in [
        (1, Payload::absent()),
        (300, Payload::count(-1)),
        (70_000, Payload::element(&Value::from("x"))),
        (u64::MAX, Payload::element(&value())),
    ] {
        many.join(Entry::of_write(
            id("agent-3", 3, seq),
            write(seq - 1, payload),
        ));
    }
    for (seq, seen) in [(7, None), (8, Some(seen()))] {
        let (metadata, attempt) = (None, Some(authority::attempt().id()));
        let note = Note {
            metadata,
            seen,
            attempt,
        };
        let decided = Write {
            note: Some(Box::new(note)),
            ..write(seq - 1, Payload::decreed(&value()))
        };
        many.join(Entry::of_write(id("agent-4", 4, seq), decided));
    }
    let entries = [Entry::new(), Entry::covering(over), one, many];
    let longest = "k".repeat(1024);
    let keys = ["k", "any thing / ∀", "a\0b\n", &longest];
    let numbered = (1_u64..).zip(entries.into_iter().zip(keys));
    let segment = |(number, (entry, text)): (u64, (Entry, &str))| Segment {
        key: key(text),
        version: Version::new(number),
        revision: Revision::new(number << 20),
        entry,
    };
    numbered.map(segment).collect()
}

/// Every message there is, those with state among them with zero, one and many segments.
pub(crate) fn messages() -> Vec<Message> {
    let encoded: Vec<Bytes> = segments().iter().map(Segment::encode).collect();
    let mut messages: Vec<Message> = bodies::all().into_iter().map(Message::from).collect();
    let first = messages[0].body.clone();
    messages.push(Message::with(first.clone(), encoded[..1].to_vec()));
    messages.push(Message::with(first, encoded));
    messages
}

/// What the receiver sees of a message.
pub(crate) fn frame(message: &Message) -> Bytes {
    codec::encode(message).to_bytes()
}
