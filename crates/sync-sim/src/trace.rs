//! What happened, as a hash and, while a seed is replayed, as text.

use crate::world::{Event, World};

/// A running hash of everything that happened.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) hash: u64,
    pub(crate) print: bool,
}

impl Trace {
    pub(crate) fn new(print: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            print,
        }
    }

    /// Tells what happens while a seed is replayed.
    #[expect(clippy::print_stdout, reason = "a replayed seed tells what happens")]
    pub(crate) fn say(&self, text: impl FnOnce() -> String) {
        if self.print {
            println!("{}", text());
        }
    }

    pub(crate) fn absorb(&mut self, bytes: &[u8]) {
        // FNV-1a.
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl World {
    /// Notes an event that is about to happen; what it draws comes from a stream of its own.
    pub(crate) fn record(&mut self, event: &Event) {
        let code: (u8, u64, u64, &[u8]) = match event {
            Event::ToHub(session, frame) => (1, session.0, 0, frame),
            Event::ToReplica(session, frame) => (2, session.0, 0, frame),
            Event::HubDisk(run) => (3, *run, 0, &[]),
            Event::ReplicaDisk(n, run) => (4, *n as u64, *run, &[]),
            Event::HubTimer(run) => (5, *run, 0, &[]),
            Event::Called(call) => (14, call.run, call.ticket, &[]),
            Event::Loaded(run) => (15, *run, 0, &[]),
            Event::Read(read) => (17, read.run, read.ticket, &[]),
            Event::ReplicaTimer(n, run) => (6, *n as u64, *run, &[]),
            Event::HubClosed(session) => (7, session.0, 0, &[]),
            Event::ReplicaClosed(n, session) => (8, *n as u64, session.0, &[]),
            Event::Connect(n) => (9, *n as u64, 0, &[]),
            Event::Vote(n, proposal) => (16, *n as u64, proposal.bits(), &[]),
            Event::CrashHub(run) => (18, *run, 0, &[]),
            Event::CrashReplica(n, run) => (19, *n as u64, *run, &[]),
            Event::StartHub => (10, 0, 0, &[]),
            Event::StartReplica(n) => (11, *n as u64, 0, &[]),
            Event::Work => (12, 0, 0, &[]),
            Event::Fault => (13, 0, 0, &[]),
        };
        (self.random, self.nth) = self.streams.next(code.0, (code.1, code.2));
        self.trace.absorb(&[code.0]);
        self.trace.absorb(&self.now_us.to_le_bytes());
        self.trace.absorb(&code.1.to_le_bytes());
        self.trace.absorb(&code.2.to_le_bytes());
        self.trace.absorb(code.3);
        if self.trace.print {
            self.print_event(event);
        }
    }

    fn print_event(&self, event: &Event) {
        let text = match event {
            Event::ToHub(_, frame) | Event::ToReplica(_, frame) => {
                let message = sync_core::codec::decode(frame).expect("whole frames only");
                let segments: Vec<String> = message
                    .segments
                    .iter()
                    .map(|s| match sync_core::Segment::decode(s) {
                        Ok(s) => format!(
                            "{}@{}/{} live {:?} ctx {:?}",
                            s.key,
                            s.version,
                            s.revision,
                            s.entry
                                .writes()
                                .map(|(id, w)| format!("{id}={:?}@{}", w.payload, w.stamp))
                                .collect::<Vec<_>>(),
                            s.entry.context().spans()
                        ),
                        Err(error) => error.to_string(),
                    })
                    .collect();
                let name = if matches!(event, Event::ToHub(..)) {
                    "to hub"
                } else {
                    "from hub"
                };
                let (Event::ToHub(session, _) | Event::ToReplica(session, _)) = event else {
                    return;
                };
                format!("{name} {session:?} {:?} {segments:#?}", message.body)
            }
            other => format!("{other:?}"),
        };
        self.trace.say(|| format!("{:>10} {text}", self.now_us));
    }
}
