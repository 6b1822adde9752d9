//! What holds for keys: from a file, or as the hub has it.

use std::path::Path;

use serde_json::json;
use swarm_sync::{Key, MergeRule, Policies, Policy, RequestError};

use crate::cli::{ExplainArgs, HubArgs, PolicyArgs, PolicyCommand};
use crate::exit::{Code, Failure};
use crate::output;
use crate::policies::{self, Explanation};

use super::{connect, print};

pub(crate) async fn policy(args: PolicyArgs) -> Result<(), Failure> {
    match args.command {
        PolicyCommand::Check(args) => check(&args.file, args.json),
        PolicyCommand::Show(args) => show(&args.hub).await,
        PolicyCommand::Explain(args) => explain(args).await,
        PolicyCommand::Reload(args) => reload(&args.hub).await,
    }
}

fn check(file: &Path, json: bool) -> Result<(), Failure> {
    let policies = policies::read(file).map_err(policies::refused)?;
    let said = format!("{} is valid", file.display());
    print_all(policies.iter(), json, &output::visible(&said))
}

async fn show(hub: &HubArgs) -> Result<(), Failure> {
    let held = at_hub(hub).await?;
    print_all(&held, hub.json, &format!("in force at {}", hub.at.hub))
}

async fn reload(hub: &HubArgs) -> Result<(), Failure> {
    let mut client = connect(hub).await?;
    let reloaded = client.reload_policies().await;
    client.close().await;
    let now = reloaded.map_err(not_reloaded)?;
    let at = &hub.at.hub;
    let said = format!(
        "now in force at {at}; its rights, tokens, certificate and CA, as far as it has files of them, were \
         read anew, too: rights hold at once, the others for connections that begin"
    );
    print_all(&now, hub.json, &said)
}

/// Says what is in force now. Only a hub that answers knows it: what is lost may be the answer alone. What
/// is wrong with its file the hub says line by line.
fn not_reloaded(error: RequestError) -> Failure {
    let now = match error {
        RequestError::Invalid { .. } => {
            "nothing has changed: the policies in force stay as they are, and so do rights, tokens and \
             certificates"
        }
        RequestError::Forbidden { .. } => "nothing was read, and nothing has changed",
        _ => {
            "it is not known whether they were reloaded, and rights, tokens and certificates with them: see \
             `swarm-sync policy show`, and reload again"
        }
    };
    let (said, kind) = (error.to_string(), error.kind());
    let mut flaws = said.lines().map(str::to_owned);
    let message = format!("{}; {now}", flaws.next().unwrap_or_default());
    Failure::new(Failure::from(error).code(), kind, message).with(flaws.collect())
}

async fn explain(args: ExplainArgs) -> Result<(), Failure> {
    let hub = &args.hub;
    let (policies, held_under) = match &args.file {
        Some(file) => (policies::read(file).map_err(policies::refused)?, None),
        None => {
            let held = at_hub(hub).await?;
            // Its own hub would not have it otherwise.
            let policies = Policies::new(held)
                .map_err(|e| Failure::new(Code::Failed, "policies", e.to_string()))?;
            (policies, rule_at_hub(hub, args.key.clone()).await?)
        }
    };
    let explanation = Explanation::of(&args.key, &policies, held_under);
    if hub.json {
        return print(&explanation.to_json());
    }
    output::line(&explanation.to_text())?;
    Ok(())
}

/// Under which rule the hub holds a key; none if it holds none, or more than it can tell.
async fn rule_at_hub(hub: &HubArgs, key: Key) -> Result<Option<MergeRule>, Failure> {
    let mut client = connect(hub).await?;
    let held = client.get(key).await;
    client.close().await;
    match held {
        Ok(state) => Ok(state.and_then(|state| state.metadata.rule)),
        Err(RequestError::AnswerTooLarge { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn at_hub(hub: &HubArgs) -> Result<Vec<Policy>, Failure> {
    let mut client = connect(hub).await?;
    let policies = client.policies().await;
    client.close().await;
    Ok(policies?)
}

fn print_all<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    json: bool,
    said: &str,
) -> Result<(), Failure> {
    let policies: Vec<&Policy> = policies.into_iter().collect();
    let listed = policies.iter().copied();
    if json {
        return print(&json!({"policies": policies::list(listed)}));
    }
    if !policies.is_empty() {
        output::line(&policies::table(listed))?;
    }
    output::line(&format!("{}, {said}", policies::counted(policies.len())))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: RequestError) -> String {
        format!("{:?}", not_reloaded(error))
    }

    #[test]
    fn only_a_hub_that_refuses_is_known_to_have_changed_nothing() {
        let reason = || "reason".to_owned();
        let refused = said(RequestError::Invalid { reason: reason() });
        assert!(refused.contains("stay as they are"), "{refused}");
        let forbidden = said(RequestError::Forbidden { doing: reason() });
        assert!(forbidden.contains("nothing has changed"), "{forbidden}");
        for lost in [
            RequestError::ConnectionLost { reason: reason() },
            RequestError::Stopped { reason: reason() },
            RequestError::Deadline {
                doing: reason(),
                limit_ms: 1,
            },
        ] {
            let lost = said(lost);
            assert!(!lost.contains("stay as they are"), "{lost}");
            assert!(lost.contains("policy show"), "{lost}");
        }
    }
}
