//! Writes that are made at the hub: in whose name, under which number.

use sync_core::{AgentId, Entry, Key, Now, Role, WriteId, Writer};

use super::admit::Source;
use super::commit::Commit;
use super::{Hub, ReplyTo};
use crate::rows;

impl Hub {
    /// A client writes under its own name, everybody else under the hub's. The hub numbers either's
    /// writes, and may lose count with its disk: so the run is the hub's. One writer for all
    /// connections under a name, because every writer costs each key that it touches a few bytes for
    /// good.
    pub(super) fn writer_for(&mut self, to: ReplyTo) -> Writer {
        let client = self.peer(to).filter(|peer| peer.role == Role::Client);
        let name = client.map(|peer| peer.agent.clone());
        self.writer_named(name.unwrap_or_else(|| self.writer.agent().clone()))
    }

    /// Whoever writes at the hub in somebody's name.
    pub(super) fn writer_named(&mut self, name: AgentId) -> Writer {
        if name == *self.writer.agent() {
            return self.writer.clone();
        }
        let writer = Writer::new(name, self.writer.incarnation());
        self.space.intern(&writer)
    }

    /// The id of the next write that is made here in a writer's name.
    pub(super) fn next_id(&self, writer: &Writer) -> WriteId {
        let last = self.known.get(writer).copied().unwrap_or_default();
        WriteId::new(writer.clone(), last.next())
    }

    /// Admits a write that was made here: its number is used up with it.
    pub(super) fn admit_own(
        &mut self,
        commit: &mut Commit,
        now: Now,
        key: &Key,
        id: &WriteId,
        delta: Entry,
    ) {
        commit.with_row(rows::put_known(&id.writer, id.seq));
        self.known.insert(id.writer.clone(), id.seq);
        self.admit(commit, now, key, delta, Source::Here);
    }
}
