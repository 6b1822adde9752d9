//! Decisions of the hub as calls of the library.

use serde_json::json;
use swarm_sync::{Agent, Lease, Transaction};

use super::answer::{Fields, fields, object};
use super::request::{AuthorityRequest, Refused};

pub(super) async fn authority(agent: &Agent, request: AuthorityRequest) -> Result<Fields, Refused> {
    let authority = agent.authority();
    match request {
        AuthorityRequest::Cas {
            key,
            expected,
            value,
            claim,
            timeout,
        } => {
            let mut transaction = Transaction::new().expect(key.clone(), expected);
            if let Some((claimed, token)) = claim {
                transaction = transaction.expect_claim(claimed, token);
            }
            transaction = match value {
                Some(value) => transaction.set(key.clone(), value),
                None => transaction.delete(key.clone()),
            };
            let authority = match timeout {
                Some(timeout) => authority.within(timeout),
                None => authority,
            };
            let outcome = authority.commit(transaction).await?;
            let version = outcome.versions.0.first().and_then(|(_, version)| *version);
            Ok(object(json!({
                "key": key, "version": version, "revision": outcome.revision, "epoch": outcome.epoch,
            })))
        }
        AuthorityRequest::Claim { key, lease } => fields(&authority.claim(key, lease).await?),
        AuthorityRequest::Renew { key, token, lease } => {
            let held = Lease {
                key,
                token,
                lease_ms: 0,
            };
            fields(&authority.renew(&held, lease).await?)
        }
        AuthorityRequest::Release { key, token } => {
            let held = Lease {
                key,
                token,
                lease_ms: 0,
            };
            authority.release(&held).await?;
            Ok(object(json!({ "released": true })))
        }
    }
}
