//! Taking an agent off the roster that has left for good.

use serde_json::json;
use swarm_sync::MemberStatus;

use super::connect;
use crate::cli::UnregisterArgs;
use crate::exit::{Code, Failure};
use crate::output;

/// What is to be known of one that is there.
const COMES_BACK: &str = "\nIt was connected just now: unless it ends, it connects again and is on the roster anew. End it, then repeat this.";

pub(crate) async fn unregister(args: UnregisterArgs) -> Result<(), Failure> {
    let (agent, swarm) = (&args.agent, &args.hub.at.swarm);
    let mut client = connect(&args.hub).await?;
    let members = client.status().await?.members;
    let is_it = |member: &MemberStatus| member.agent == *agent && member.connected;
    let was_connected = members.iter().any(is_it);
    let unregistered = client.unregister(agent.clone()).await;
    client.close().await;
    let was_on = unregistered?;
    if !was_on {
        output::complain(&format!(
            "the agent {agent} is not on the roster of the swarm {swarm}: `swarm-sync status` shows who is"
        ));
    }
    let printed = if args.hub.json {
        let object =
            json!({"agent": agent, "unregistered": was_on, "was_connected": was_connected});
        output::line(&object.to_string())
    } else if was_on {
        output::line(&format!(
            "{agent} is off the roster of the swarm {swarm}; what it wrote stays{}",
            if was_connected { COMES_BACK } else { "" }
        ))
    } else {
        Ok(())
    };
    Failure::unless(was_on, Code::Failed, printed)
}
