//! Questions about the past as calls of the library.

use serde_json::json;
use swarm_sync::{Agent, Key, RequestError};

use super::answer::{Fields, fields, object};
use super::request::{PastRequest, Refused};

/// Pages in one answer to `diff`; past it `next` says where to go on. Bounds what one request makes this
/// process hold.
const PAGES_MAX: usize = 64;

pub(super) async fn past(agent: &Agent, request: PastRequest) -> Result<Fields, Refused> {
    match request {
        PastRequest::History { key, upto, limit } => {
            fields(&agent.history(&key, upto, limit).await?)
        }
        PastRequest::StateAt(key, at) => {
            let state = agent.get_state_at(&key, at).await?;
            let mut told = fields(&state)?;
            told.insert("found".to_owned(), state.value.value.is_some().into());
            Ok(told)
        }
        PastRequest::Diff { from, to, after } => {
            fields(&agent.diff_pages(from, to, after, PAGES_MAX).await?)
        }
        PastRequest::Knew { key, write, after } => fields(&agent.knew(&key, &write, after).await?),
    }
}

/// How the value of a key came about; why not, if the hub that knows it does not answer.
pub(super) async fn explained(agent: &Agent, key: &Key) -> Result<Fields, Refused> {
    use RequestError::{ConnectionLost, Deadline, Unavailable};

    match agent.explain(key).await {
        Ok(explained) => fields(&explained),
        Err(error @ (Unavailable { .. } | ConnectionLost { .. } | Deadline { .. })) => {
            let sentence = format!(
                "how its value came about is known to the hub only: {error}; the rest is what this replica knows"
            );
            Ok(object(json!({"sentences": [sentence], "commits": []})))
        }
        Err(error) => Err(error.into()),
    }
}
