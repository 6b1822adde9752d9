//! Questions about the past as calls of the library.

use serde_json::json;
use swarm_sync::{Agent, Key, RequestError, Since};

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
        PastRequest::Diff { from, to } => diff(agent, from, to).await,
        PastRequest::Knew { key, write, after } => fields(&agent.knew(&key, &write, after).await?),
    }
}

/// Page by page. A key that changed in several pages is in each, with what it was and became there.
async fn diff(agent: &Agent, mut from: Since, mut to: Option<Since>) -> Result<Fields, Refused> {
    let mut changes = Vec::new();
    let (mut after, mut kept_after) = (None, None);
    let mut pages = 0;
    loop {
        let page = agent.diff(from, to, after).await?;
        pages += 1;
        kept_after = kept_after.or(page.kept_after);
        changes.extend(page.changes.0);
        let next = page.next.filter(|_| pages < PAGES_MAX);
        let Some(next) = next else {
            return Ok(object(json!({
                "changes": changes,
                "to": page.to,
                "kept_after": kept_after,
            })));
        };
        from = Since::Revision(next.from);
        to = Some(Since::Revision(next.to));
        after = next.after;
    }
}

/// How the value of a key came about; why not, if the hub that knows cannot be asked.
pub(super) async fn explained(agent: &Agent, key: &Key) -> Result<Fields, Refused> {
    match agent.explain(key).await {
        Ok(explained) => fields(&explained),
        Err(error @ RequestError::Unavailable { .. }) => Ok(object(json!({
            "sentences": [error.to_string()],
            "commits": [],
        }))),
        Err(error) => Err(error.into()),
    }
}
