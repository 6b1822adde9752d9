//! Questions about the past.

use serde_json::Value as Json;
use swarm_sync::{Key, Revision, Since, Version, WriteId};

use super::{Fields, Refused, key_of};

/// Commits that are answered unless the request says how many.
const COMMITS: u32 = 16;

/// What to ask about the past.
#[derive(Debug)]
pub(crate) enum PastRequest {
    History {
        key: Key,
        upto: Option<Version>,
        limit: u32,
    },
    StateAt(Key, Since),
    Diff {
        from: Since,
        to: Option<Since>,
        /// Only keys after this one, as `next` says it.
        after: Option<Key>,
    },
    Knew {
        key: Key,
        write: WriteId,
        after: Option<Revision>,
    },
}

impl Fields {
    pub(super) fn history(&mut self) -> Result<PastRequest, Refused> {
        Ok(PastRequest::History {
            key: self.key()?,
            upto: self.optional_number("upto")?.map(Version::new),
            limit: match self.optional_number("limit")? {
                Some(limit) => u32::try_from(limit).unwrap_or(u32::MAX),
                None => COMMITS,
            },
        })
    }

    pub(super) fn diff(&mut self) -> Result<PastRequest, Refused> {
        let from = self.since("from")?;
        let missing = || self.mistyped("from", "a revision (a whole number) or a cursor");
        Ok(PastRequest::Diff {
            from: from.ok_or_else(missing)?,
            to: self.since("to")?,
            after: match self.take("after") {
                None | Some(Json::Null) => None,
                Some(Json::String(key)) => Some(key_of(&key)?),
                Some(_) => return Err(self.mistyped("after", "a key, as \"next\" says it")),
            },
        })
    }

    pub(super) fn knew(&mut self) -> Result<PastRequest, Refused> {
        let write = self.text("write")?.parse::<WriteId>();
        Ok(PastRequest::Knew {
            write: write.map_err(|e| Refused::bad(e.to_string()))?,
            key: self.key()?,
            after: self.optional_number("after")?.map(Revision::new),
        })
    }

    fn optional_number(&mut self, name: &str) -> Result<Option<u64>, Refused> {
        match self.peek(name) {
            None => Ok(None),
            Some(_) => self.number(name).map(Some),
        }
    }
}
