//! One key's state on the wire and in stores: independent, length-prefixed by its carrier, encoded
//! once per commit.

use bincode::{Decode, Encode};
use bytes::Bytes;

use crate::authority::AttemptId;
use crate::codec::{self, List};
use crate::context::{Context, Span};
use crate::cursor::Seen;
use crate::entry::Entry;
use crate::error::DecodeError;
use crate::id::{AgentId, Incarnation, Key, Revision, Seq, Version, WriteId, Writer};
use crate::payload::Payload;
use crate::stamp::Stamp;
use crate::write::{Metadata, Note, Write};

const WHAT: &str = "a segment";

/// A state or delta of one key with the numbers that the hub gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The key.
    pub key: Key,
    /// Its version at the sender, 0 before the first commit.
    pub version: Version,
    /// The commit that last changed it, 0 before the first.
    pub revision: Revision,
    /// The state or delta.
    pub entry: Entry,
}

/// Writers are named once per segment and counted from there.
#[derive(Encode, Decode)]
struct Wire {
    key: Key,
    version: Version,
    revision: Revision,
    writers: List<(AgentId, Incarnation)>,
    context: List<WireSpan>,
    writes: List<WireWrite>,
}

#[derive(Encode, Decode)]
struct WireSpan {
    writer: u32,
    first: u64,
    more: u64,
}

#[derive(Encode, Decode)]
pub(crate) struct WireWrite {
    writer: u32,
    seq: Seq,
    prev: Seq,
    stamp: Stamp,
    payload: Payload,
    over: List<WireSpan>,
    metadata: Option<Metadata>,
    origin: Origin,
}

/// What its writer had seen, and the request it was made for, which few have: one byte for both.
#[derive(Encode, Decode)]
enum Origin {
    Unknown,
    Seen(Seen),
    Asked(AttemptId, Option<Seen>),
}

impl Origin {
    fn of(write: &Write) -> Self {
        match (write.attempt(), write.seen()) {
            (Some(attempt), seen) => Self::Asked(attempt, seen),
            (None, Some(seen)) => Self::Seen(seen),
            (None, None) => Self::Unknown,
        }
    }

    fn parts(self) -> (Option<AttemptId>, Option<Seen>) {
        match self {
            Self::Unknown => (None, None),
            Self::Seen(seen) => (None, Some(seen)),
            Self::Asked(attempt, seen) => (Some(attempt), seen),
        }
    }
}

impl Segment {
    /// The bytes. O(size).
    pub fn encode(&self) -> Bytes {
        encode_parts(&self.key, self.version, self.revision, &self.entry)
    }

    /// Reads them back. Equal writers share one allocation.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire: Wire = codec::from_bytes(WHAT, bytes)?;
        let names: Vec<Writer> = wire
            .writers
            .0
            .into_iter()
            .map(|(agent, run)| Writer::new(agent, run))
            .collect();
        let context = read_context(&names, &wire.context)?;
        let writes = wire.writes.0.into_iter().map(|w| read_write(&names, w));
        let entry = Entry::from_parts(writes.collect::<Result<Vec<_>, _>>()?, context)
            .ok_or_else(|| malformed("a live write is not in its context"))?;
        Ok(Self {
            key: wire.key,
            version: wire.version,
            revision: wire.revision,
            entry,
        })
    }

    /// Reads all that a message carries, or none of it.
    pub fn decode_all(segments: &[Bytes]) -> Result<Vec<Self>, DecodeError> {
        segments.iter().map(|bytes| Self::decode(bytes)).collect()
    }
}

/// Encodes a segment from borrowed parts.
pub fn encode_parts(key: &Key, version: Version, revision: Revision, entry: &Entry) -> Bytes {
    let mut table = Table::default();
    let context = table.context(entry.context());
    let writes = entry
        .writes()
        .map(|(id, write)| table.write(id, write))
        .collect();
    let names = table.names();
    codec::to_bytes(&Wire {
        key: key.clone(),
        version,
        revision,
        writers: names,
        context,
        writes,
    })
}

/// Encodes one live write of a key as a segment of its own. Not a delta: it covers nothing else.
pub fn encode_write(key: &Key, id: &WriteId, write: &Write) -> Bytes {
    let mut table = Table::default();
    let writes = List(vec![table.write(id, write)]);
    let context = List(vec![WireSpan {
        writer: table.index(&id.writer),
        first: id.seq.get(),
        more: 0,
    }]);
    let names = table.names();
    let (version, revision) = (Version::default(), Revision::default());
    codec::to_bytes(&Wire {
        key: key.clone(),
        version,
        revision,
        writers: names,
        context,
        writes,
    })
}

/// The writers met while encoding, in order.
#[derive(Default)]
struct Table<'a> {
    writers: Vec<&'a Writer>,
    /// How many of them, from the first, ascend: those of the context, which are searched by halves
    /// (a counter keeps one writer for every run of every agent).
    ascending: usize,
    /// Behind the one that was named last: what a write replaces is mostly of the writers of the
    /// context, in the same order.
    next: usize,
}

impl<'a> Table<'a> {
    fn index(&mut self, writer: &'a Writer) -> u32 {
        let ascends = self.ascending == self.writers.len()
            && self.writers.last().is_none_or(|last| *last < writer);
        let known = if ascends { None } else { self.find(writer) };
        let at = known.unwrap_or_else(|| {
            self.ascending += usize::from(ascends);
            self.writers.push(writer);
            self.writers.len() - 1
        });
        self.next = at + 1;
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn find(&self, writer: &Writer) -> Option<usize> {
        if self
            .writers
            .get(self.next)
            .is_some_and(|held| *held == writer)
        {
            return Some(self.next);
        }
        let (ascending, rest) = self.writers.split_at(self.ascending);
        ascending.binary_search(&writer).ok().or_else(|| {
            let at = rest.iter().rposition(|held| *held == writer)?;
            Some(ascending.len() + at)
        })
    }

    fn context(&mut self, context: &'a Context) -> List<WireSpan> {
        if self.writers.is_empty() {
            self.writers.reserve(context.spans().len());
        }
        let spans = context.spans().iter().map(|span| WireSpan {
            writer: self.index(&span.writer),
            first: span.first.get(),
            more: span.last.get() - span.first.get(),
        });
        spans.collect()
    }

    fn write(&mut self, id: &'a WriteId, write: &'a Write) -> WireWrite {
        // First: these ascend, and finding one among others that do not costs as many comparisons.
        let over = self.context(&write.over);
        WireWrite {
            writer: self.index(&id.writer),
            seq: id.seq,
            prev: write.prev,
            stamp: write.stamp,
            payload: write.payload.clone(),
            over,
            metadata: write.metadata().cloned(),
            origin: Origin::of(write),
        }
    }

    fn names(&self) -> List<(AgentId, Incarnation)> {
        self.writers
            .iter()
            .map(|w| (w.agent().clone(), w.incarnation()))
            .collect()
    }
}

fn read_context(writers: &[Writer], spans: &[WireSpan]) -> Result<Context, DecodeError> {
    // They are read already: their number is no claim.
    let mut context = Context::with_capacity(spans.len());
    for span in spans {
        let last = span.first.checked_add(span.more).filter(|_| span.first > 0);
        let last = last.ok_or_else(|| malformed("a range leaves the numbers there are"))?;
        let writer = named(writers, span.writer)?.clone();
        let span = Span::new(writer, Seq::new(span.first), Seq::new(last));
        // As every encoder writes them. Any order would cost n² to sort in.
        if !context.push(span) {
            return Err(malformed("ranges do not ascend"));
        }
    }
    Ok(context)
}

fn read_write(writers: &[Writer], wire: WireWrite) -> Result<(WriteId, Write), DecodeError> {
    if wire.prev >= wire.seq {
        return Err(malformed("a write does not follow its predecessor"));
    }
    let (attempt, seen) = wire.origin.parts();
    let note = Note {
        metadata: wire.metadata,
        seen,
        attempt,
    };
    let write = Write {
        stamp: wire.stamp,
        payload: wire.payload,
        prev: wire.prev,
        over: read_context(writers, &wire.over)?,
        note: (note != Note::default()).then(|| Box::new(note)),
    };
    Ok((
        WriteId::new(named(writers, wire.writer)?.clone(), wire.seq),
        write,
    ))
}

fn named(writers: &[Writer], index: u32) -> Result<&Writer, DecodeError> {
    writers
        .get(index as usize)
        .ok_or_else(|| malformed("a writer is not in the table"))
}

fn malformed(reason: &str) -> DecodeError {
    DecodeError::Malformed {
        what: WHAT,
        offset: 0,
        reason: reason.to_owned(),
    }
}
