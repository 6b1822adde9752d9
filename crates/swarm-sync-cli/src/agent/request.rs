//! Requests: one JSON object each, checked in full before anything is done.

// Named, because the fuzz checks read this file in from elsewhere.
#[path = "request/authority.rs"]
pub(super) mod authority;
#[path = "request/fields.rs"]
mod fields;
#[path = "request/levels.rs"]
mod levels;
#[path = "request/memory.rs"]
mod memory;
#[path = "request/past.rs"]
mod past;
#[path = "request/voting.rs"]
mod voting;

use std::time::Duration;

use serde_json::{Map, Value as Json};
use swarm_sync::{
    Ballot, Cursor, Durability, Key, Operation, Pattern, ProposalDraft, ProposalId, RequestError,
    Revision, Since, Value, WriteId,
};

use crate::json::{Parsed, current, number_range_but, parse_object};
use crate::output::shorten;
use crate::position;

pub(super) use self::authority::AuthorityRequest;
use self::fields::{Fields, key_of, value_of};
pub(super) use self::levels::Wait;
pub(super) use self::memory::MemoryRequest;
pub(super) use self::past::PastRequest;
use super::lines::{LINE_BYTES_MAX, Line};

/// Longest wait a request may ask for.
const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// Fields with a whole number that is no value of the data model. Whoever reads one says what it must be.
const COUNTS: &[&str] = &[
    "expected",
    "at",
    "at_least",
    "from",
    "to",
    "since",
    "timeout_ms",
    "lease_ms",
    "replicas",
    "watch",
    "limit",
    "upto",
    "after",
];

const OPS: &str = "set, delete, add, insert, remove, put, unset, get, version, keys, cursor, delta, sync, \
    clear, watch, unwatch, policies, explain, history, diff, knew, cas, claim, renew, release, memory, propose, vote, flush, wait, offline, online, digest, status, receipts, \
    repropose, ack_receipt, fate, quit";

/// What a program asks of its agent.
#[derive(Debug)]
pub(super) enum Request {
    Write {
        key: Key,
        operation: Operation,
        metadata: Option<Value>,
        wait: Option<Wait>,
    },
    Get {
        key: Key,
        /// A position up to which all is to be held first, and how long to wait for it.
        at_least: Option<(Since, Option<Duration>)>,
    },
    Version(Key),
    Keys(Pattern),
    Cursor,
    Delta(Since),
    Sync {
        keys: Vec<Key>,
        timeout: Option<Duration>,
    },
    /// Without a key: all of the swarm's.
    Clear(Option<Key>),
    Flush {
        level: Durability,
        timeout: Option<Duration>,
    },
    Wait {
        timeout: Option<Duration>,
    },
    Online(bool),
    Digest,
    Status,
    Receipts(Forget),
    /// By the write that came back.
    Repropose(WriteId),
    AckReceipt(WriteId),
    Fate(WriteId),
    Watch {
        pattern: Pattern,
        /// None: after what the replica holds.
        from: Option<Since>,
    },
    /// By its number.
    Unwatch(u64),
    Policies,
    Explain(Key),
    Past(PastRequest),
    Authority(AuthorityRequest),
    Memory(MemoryRequest),
    Propose {
        draft: Box<ProposalDraft>,
        /// Whether to wait until the connected agents hold what was approved.
        sync: bool,
    },
    Vote {
        proposal: ProposalId,
        ballot: Ballot,
    },
    Quit,
}

/// Which receipts to forget.
#[derive(Debug)]
pub(super) enum Forget {
    None,
    All,
    Writes(Vec<WriteId>),
}

/// A request that was refused or failed.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// What the keys hold that were not as expected.
    pub(super) current: Option<Json>,
}

impl Refused {
    /// The request itself is not valid.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self {
            kind: "bad-request",
            message: message.into(),
            current: None,
        }
    }
}

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Self {
        Self {
            kind: error.kind(),
            message: error.to_string(),
            current: current(&error),
        }
    }
}

/// Reads a line: its id, as far as it can be read, and what it asks for.
pub(super) fn read(line: Line) -> (Json, Result<Request, Refused>) {
    let bytes = match line {
        Line::Bytes(bytes) => bytes,
        Line::TooLong(start) => {
            let message = format!(
                "a line is over {LINE_BYTES_MAX} bytes and was skipped; send smaller values"
            );
            return (id_in(&start), Err(Refused::bad(message)));
        }
    };
    let mut parsed = Parsed::default();
    let result = match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text, &mut parsed),
        Err(error) => {
            // For the id only.
            let _ = parse_object(&String::from_utf8_lossy(&bytes), &mut parsed);
            let at = error.valid_up_to();
            let message = format!("the line is not UTF-8 at byte {at}; JSON is sent as UTF-8");
            Err(Refused::bad(message))
        }
    };
    (parsed.id.unwrap_or_default(), result)
}

/// The id, if it is whole in the start of a line.
fn id_in(start: &[u8]) -> Json {
    let start = String::from_utf8_lossy(start);
    // A number at the end may go on in what was skipped.
    let whole = start.trim_end_matches(|c: char| c.is_ascii_digit() || "+-.eE".contains(c));
    let mut parsed = Parsed::default();
    // It is not whole, and said to be too long.
    let _ = parse_object(whole, &mut parsed);
    parsed.id.unwrap_or_default()
}

fn parse(text: &str, parsed: &mut Parsed) -> Result<Request, Refused> {
    parse_object(text, parsed).map_err(Refused::bad)?;
    if let Some(error) = number_range_but(text, COUNTS) {
        return Err(RequestError::from(error).into());
    }
    let mut fields = Fields::of(std::mem::take(&mut parsed.fields))?;
    let request = fields.request()?;
    fields.end()?;
    Ok(request)
}

impl Fields {
    fn request(&mut self) -> Result<Request, Refused> {
        Ok(match self.op.as_str() {
            "set" => self.set()?,
            "delete" | "add" | "insert" | "remove" | "put" | "unset" => {
                let operation = self.operation()?;
                self.write(operation)?
            }
            "get" => self.get()?,
            "version" => Request::Version(self.key()?),
            "keys" => Request::Keys(self.pattern_or_any()?),
            "cursor" => Request::Cursor,
            "delta" => Request::Delta(self.since("since")?.unwrap_or(Since::START)),
            "watch" => Request::Watch {
                pattern: self.pattern()?,
                from: self.since("from")?,
            },
            "unwatch" => Request::Unwatch(self.number("watch")?),
            "policies" => Request::Policies,
            "explain" => Request::Explain(self.key()?),
            "history" => Request::Past(self.history()?),
            "cas" | "claim" | "renew" | "release" => Request::Authority(self.authority()?),
            "diff" => Request::Past(self.diff()?),
            "knew" => Request::Past(self.knew()?),
            "memory" => Request::Memory(self.memory()?),
            "propose" => self.propose()?,
            "vote" => self.vote()?,
            "sync" => Request::Sync {
                keys: self.keys()?,
                timeout: self.timeout()?,
            },
            "clear" => self.clear()?,
            "flush" => Request::Flush {
                level: self.level()?,
                timeout: self.timeout()?,
            },
            "wait" => Request::Wait {
                timeout: self.timeout()?,
            },
            "offline" => Request::Online(false),
            "online" => Request::Online(true),
            "digest" => Request::Digest,
            "status" => Request::Status,
            "receipts" => Request::Receipts(self.forget()?),
            "repropose" => Request::Repropose(self.write_id()?),
            "fate" => Request::Fate(self.write_id()?),
            "ack_receipt" => Request::AckReceipt(self.write_id()?),
            "quit" => Request::Quit,
            other => {
                return Err(Refused::bad(format!(
                    "there is no op {:?}; the ops are {OPS}",
                    shorten(other)
                )));
            }
        })
    }

    /// What a write other than `set` does.
    fn operation(&mut self) -> Result<Operation, Refused> {
        Ok(match self.op.as_str() {
            "add" => Operation::Add(self.integer("amount")?),
            "insert" => Operation::Insert(self.value("element")?),
            "remove" => Operation::Remove(self.value("element")?),
            "put" => Operation::PutField(self.text("field")?, self.value("value")?),
            "unset" => Operation::UnsetField(self.text("field")?),
            _ => {
                // Nothing is needed; `null` is what a general client sends for it.
                if self.peek("value").is_some_and(Json::is_null) {
                    self.take("value");
                }
                Operation::Delete
            }
        })
    }

    fn set(&mut self) -> Result<Request, Refused> {
        let metadata = match self.take("metadata") {
            None => None,
            Some(Json::Object(map)) => Some(value_of(Json::Object(map))?),
            Some(_) => return Err(self.mistyped("metadata", "an object")),
        };
        Ok(Request::Write {
            operation: Operation::Put(self.value("value")?),
            key: self.key()?,
            metadata,
            wait: self.wait()?,
        })
    }

    fn write(&mut self, operation: Operation) -> Result<Request, Refused> {
        Ok(Request::Write {
            key: self.key()?,
            operation,
            metadata: None,
            wait: self.wait()?,
        })
    }

    fn clear(&mut self) -> Result<Request, Refused> {
        let all = self.flag("all")?;
        match (self.peek("key").is_some(), all) {
            (true, false) => Ok(Request::Clear(Some(self.key()?))),
            (false, true) => Ok(Request::Clear(None)),
            _ => Err(Refused::bad(
                "`clear` needs either \"key\", or \"all\":true for the whole swarm",
            )),
        }
    }

    fn forget(&mut self) -> Result<Forget, Refused> {
        match self.take("take") {
            None | Some(Json::Bool(false)) => Ok(Forget::None),
            Some(Json::Bool(true)) => Ok(Forget::All),
            Some(Json::Array(ids)) => {
                let parse = |id: &Json| match id.as_str().map(str::parse::<WriteId>) {
                    Some(id) => id.map_err(|e| Refused::bad(e.to_string())),
                    None => Err(self.mistyped("take", "true or a list of write ids")),
                };
                Ok(Forget::Writes(
                    ids.iter().map(parse).collect::<Result<_, _>>()?,
                ))
            }
            Some(_) => Err(self.mistyped("take", "true or a list of write ids")),
        }
    }

    fn level(&mut self) -> Result<Durability, Refused> {
        match self.optional_text("level")?.as_deref() {
            None | Some("hub") => Ok(Durability::Hub),
            Some("disk") => Ok(Durability::Disk),
            Some(_) => Err(self.mistyped("level", "\"disk\" or \"hub\"")),
        }
    }

    /// A position in the hub's log.
    fn since(&mut self, name: &str) -> Result<Option<Since>, Refused> {
        match self.take(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Object(cursor)) => self.cursor(name, cursor).map(Some),
            Some(Json::String(text)) => match position::parse(&text) {
                Ok(since) => Ok(Some(since)),
                Err(expected) => Err(Refused::bad(format!("`{}`: {name:?}: {expected}", self.op))),
            },
            Some(number) => match number.as_u64() {
                Some(revision) => Ok(Some(Since::Revision(Revision::new(revision)))),
                None => Err(self.mistyped(name, "a revision (a whole number) or a cursor")),
            },
        }
    }

    /// A cursor as `cursor` and `delta` answer it; `head` may be missing.
    fn cursor(&self, name: &str, mut cursor: Map<String, Json>) -> Result<Since, Refused> {
        let expected = "{\"epoch\":\"…\",\"revision\":…,\"head\":…} as `cursor` answers it";
        let mistyped = || self.mistyped(name, expected);
        if cursor.get("epoch").is_some_and(Json::is_null) {
            // An agent that has never met its hub.
            return Ok(Since::START);
        }
        if let Some(revision) = cursor.get("revision").cloned() {
            cursor.entry("head").or_insert(revision);
        }
        if cursor
            .keys()
            .any(|k| !matches!(k.as_str(), "epoch" | "revision" | "head"))
        {
            return Err(mistyped());
        }
        let cursor: Cursor =
            serde_json::from_value(Json::Object(cursor)).map_err(|_| mistyped())?;
        Ok(Since::Cursor(cursor))
    }

    fn keys(&mut self) -> Result<Vec<Key>, Refused> {
        let Some(Json::Array(keys)) = self.take("keys") else {
            return Err(self.mistyped("keys", "a list of keys"));
        };
        if keys.is_empty() {
            return Err(Refused::bad("`sync` needs at least one key in \"keys\""));
        }
        let parse = |key: Json| match key {
            Json::String(key) => Ok(key_of(&key)?),
            _ => Err(self.mistyped("keys", "a list of strings")),
        };
        keys.into_iter().map(parse).collect()
    }
}
