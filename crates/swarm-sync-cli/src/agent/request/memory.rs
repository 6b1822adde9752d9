//! What `memory` asks for.

use swarm_sync::{Key, Namespace, Pattern, RequestError, Value};

use crate::output::shorten;

use super::{Fields, Refused};

const ACTIONS: &str = "store, get, delete, list, clear, stats";

/// Where values are of which it is not said where.
const DEFAULT_NAMESPACE: &str = "default";

/// What to do with the memory of the swarm.
#[derive(Debug)]
pub(crate) enum MemoryRequest {
    Store {
        namespace: Namespace,
        key: Key,
        value: Value,
        persistent: bool,
    },
    Get {
        namespace: Namespace,
        key: Key,
        default: Option<Value>,
    },
    Delete(Namespace, Key),
    List(Namespace, Pattern),
    Clear(Namespace),
    Stats,
}

impl Fields {
    pub(super) fn memory(&mut self) -> Result<MemoryRequest, Refused> {
        let action = self.optional_text("action")?;
        Ok(match action.as_deref() {
            Some("store") => MemoryRequest::Store {
                namespace: self.namespace()?,
                key: self.key()?,
                value: self.value("value")?,
                persistent: match self.peek("persistent") {
                    None => true,
                    Some(_) => self.flag("persistent")?,
                },
            },
            Some("get") => MemoryRequest::Get {
                namespace: self.namespace()?,
                key: self.key()?,
                default: match self.peek("default") {
                    None => None,
                    Some(_) => Some(self.value("default")?),
                },
            },
            Some("delete") => MemoryRequest::Delete(self.namespace()?, self.key()?),
            Some("list") => MemoryRequest::List(self.namespace()?, self.pattern_or_any()?),
            // What removes so much names it.
            Some("clear") if self.peek("namespace").is_none() => {
                return Err(self.mistyped("namespace", "which one to clear"));
            }
            Some("clear") => MemoryRequest::Clear(self.namespace()?),
            Some("stats") => MemoryRequest::Stats,
            Some(other) => {
                let other = shorten(other);
                return Err(Refused::bad(format!(
                    "`memory` has no action {other:?}; the actions are {ACTIONS}"
                )));
            }
            None => return Err(self.mistyped("action", &format!("one of {ACTIONS}"))),
        })
    }

    fn namespace(&mut self) -> Result<Namespace, Refused> {
        let name = self.optional_text("namespace")?;
        let name = name.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        Ok(Namespace::new(name).map_err(RequestError::from)?)
    }
}
