//! Whose writes the value of a key is made of, in a sentence.

use std::collections::BTreeMap;

use sync_core::{AgentId, Entry, PastCommit, PastWrite, Write, WriteId};

use super::record::VALUE_BYTES_MAX;

/// Live writes that are looked at: an explanation of a set of a million elements costs no more.
const LOOKED_AT_MAX: usize = 4_096;

/// Agents that are named.
const NAMED_MAX: usize = 16;

/// What one agent has written of a value.
struct Part<'a> {
    writes: usize,
    newest: (&'a WriteId, &'a Write),
}

/// Whose the value is, unless it is of one write that the commits tell of. None without a value.
pub(super) fn whose(entry: &Entry, commits: &[PastCommit]) -> Option<String> {
    let live = || {
        entry
            .writes()
            .filter(|(_, w)| !w.payload.kind().is_absence())
    };
    let (first, _) = live().next()?;
    let mut told = commits.iter().flat_map(|commit| commit.writes.iter());
    if entry.live_count() == 1 && told.any(|write| write.write == *first) {
        return None;
    }
    let mut parts: BTreeMap<&AgentId, Part<'_>> = BTreeMap::new();
    for (id, write) in live().take(LOOKED_AT_MAX) {
        let newest = (id, write);
        let part = parts.entry(id.writer.agent());
        let part = part.or_insert(Part { writes: 0, newest });
        part.writes += 1;
        let held = part.newest;
        if (write.stamp, id) > (held.1.stamp, held.0) {
            part.newest = newest;
        }
    }
    let unseen = entry.live_count().saturating_sub(LOOKED_AT_MAX);
    Some(sentence(&parts, unseen))
}

fn sentence(parts: &BTreeMap<&AgentId, Part<'_>>, unseen: usize) -> String {
    let named = parts.iter().take(NAMED_MAX);
    let mut told: Vec<String> = named.map(|(agent, part)| part.told(agent)).collect();
    let more = parts.len() - told.len();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    let unseen = match unseen {
        0 => String::new(),
        unseen => format!(" Whose {unseen} more of its writes are was not looked at."),
    };
    format!("What it shows was written by {}.{unseen}", told.join("; "))
}

impl Part<'_> {
    fn told(&self, agent: &AgentId) -> String {
        let (id, write) = self.newest;
        // Metadata is told with the commit.
        let room = write.payload.as_bytes().len().min(VALUE_BYTES_MAX);
        let did = PastWrite::of(id, write, room);
        match self.writes {
            1 => format!("{agent}, which {did}"),
            writes => format!("{agent}, whose latest of {writes} writes {did}"),
        }
    }
}
