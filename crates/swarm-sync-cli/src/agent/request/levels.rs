//! What a write waits for, what a read waits for, and which write is meant.

use std::time::Duration;

use swarm_sync::{Durability, IdError, WriteId};

use super::fields::Fields;
use super::{PastRequest, Refused, Request};

/// What a write is to reach before it is answered.
#[derive(Debug)]
pub(in super::super) struct Wait {
    pub(in super::super) level: Durability,
    pub(in super::super) timeout: Option<Duration>,
}

impl Fields {
    pub(super) fn get(&mut self) -> Result<Request, Refused> {
        let key = self.key()?;
        if let Some(at) = self.since("at")? {
            return Ok(Request::Past(PastRequest::StateAt(key, at)));
        }
        let at_least = match self.since("at_least")? {
            None => None,
            Some(at) => Some((at, self.timeout()?)),
        };
        Ok(Request::Get { key, at_least })
    }

    /// The level that a write is to reach.
    pub(super) fn wait(&mut self) -> Result<Option<Wait>, Refused> {
        let Some(level) = self.optional_text("level")? else {
            return Ok(None);
        };
        let level = match level.as_str() {
            "disk" => Durability::Disk,
            "hub" => Durability::Hub,
            "replicas" => {
                let count = u32::try_from(self.number("replicas")?).ok();
                let count = count.filter(|count| *count > 0);
                let expected =
                    || self.mistyped("replicas", "how many agents, from 1 to 4294967295");
                Durability::Replicas(count.ok_or_else(expected)?)
            }
            _ => return Err(self.mistyped("level", "\"disk\", \"hub\" or \"replicas\"")),
        };
        let timeout = self.timeout()?;
        Ok(Some(Wait { level, timeout }))
    }

    pub(super) fn write_id(&mut self) -> Result<WriteId, Refused> {
        let write = self.text("write")?;
        write
            .parse()
            .map_err(|e: IdError| Refused::bad(e.to_string()))
    }
}
