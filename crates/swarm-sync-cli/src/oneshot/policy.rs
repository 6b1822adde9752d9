//! What holds for keys: from a file, or as the hub has it.

use std::path::Path;

use serde_json::json;
use swarm_sync::{Policies, Policy};

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
    let now = reloaded.map_err(|error| {
        let message = format!("{error}; the policies in force stay as they are");
        Failure::new(Failure::from(error.clone()).code(), error.kind(), message)
    })?;
    print_all(&now, hub.json, &format!("now in force at {}", hub.at.hub))
}

async fn explain(args: ExplainArgs) -> Result<(), Failure> {
    let hub = &args.hub;
    let policies = match &args.file {
        Some(file) => policies::read(file).map_err(policies::refused)?,
        None => {
            let held = at_hub(hub).await?;
            // Its own hub would not have it otherwise.
            Policies::new(held)
                .map_err(|e| Failure::new(Code::Failed, "policies", e.to_string()))?
        }
    };
    let explanation = Explanation::of(&args.key, &policies);
    if hub.json {
        return print(&explanation.to_json());
    }
    output::line(&explanation.to_text())?;
    Ok(())
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
    let count = policies.len();
    let noun = if count == 1 { "policy" } else { "policies" };
    output::line(&format!("{count} {noun}, {said}"))?;
    Ok(())
}
