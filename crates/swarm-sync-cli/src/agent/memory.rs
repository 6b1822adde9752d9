//! `memory` as calls of the library.

use serde_json::json;
use swarm_sync::{Agent, MemoryProvider};

use super::answer::{Fields, fields, object};
use super::request::{MemoryRequest, Refused};

pub(super) async fn memory(agent: &Agent, request: MemoryRequest) -> Result<Fields, Refused> {
    let memory = agent.memory();
    Ok(object(match request {
        MemoryRequest::Store {
            namespace,
            key,
            value,
            persistent,
        } => {
            memory.store(&namespace, &key, value, persistent).await?;
            json!({"persistent": persistent})
        }
        MemoryRequest::Get {
            namespace,
            key,
            default,
        } => {
            let found = memory.retrieve(&namespace, &key).await?;
            json!({"found": found.is_some(), "value": found.or(default)})
        }
        MemoryRequest::Delete(namespace, key) => {
            json!({"deleted": memory.delete(&namespace, &key).await?})
        }
        MemoryRequest::List(namespace, pattern) => {
            json!({"keys": memory.list_keys(&namespace, &pattern).await?})
        }
        MemoryRequest::Clear(namespace) => {
            json!({"cleared": memory.clear_namespace(&namespace).await?})
        }
        MemoryRequest::Stats => return fields(&memory.stats().await?),
    }))
}
