//! Decisions of the hub as calls of the library.

use serde_json::json;
use swarm_sync::{Agent, Lease};

use crate::decisions;

use super::answer::{Fields, fields, object};
use super::request::authority::Decide;
use super::request::{AuthorityRequest, Refused};

pub(super) async fn authority(agent: &Agent, request: AuthorityRequest) -> Result<Fields, Refused> {
    let AuthorityRequest { what, timeout } = request;
    let authority = match timeout {
        Some(timeout) => agent.authority().within(timeout),
        None => agent.authority(),
    };
    match what {
        Decide::Cas {
            key,
            expected,
            value,
            claim,
        } => {
            let transaction = decisions::transaction(&key, value, expected, claim);
            let outcome = authority.commit(transaction).await?;
            Ok(object(decisions::to_json(&key, &outcome)))
        }
        Decide::Claim { key, lease } => fields(&authority.claim(key, lease).await?),
        Decide::Renew { key, token, lease } => {
            let held = Lease::of_token(key, token);
            fields(&authority.renew(&held, lease).await?)
        }
        Decide::Release { key, token } => {
            authority.release(&Lease::of_token(key, token)).await?;
            Ok(object(json!({ "released": true })))
        }
    }
}
