//! Taking an agent off the roster that has left for good.

use serde_json::json;

use super::connect;
use crate::cli::UnregisterArgs;
use crate::exit::{Code, Failure};
use crate::output;

pub(crate) async fn unregister(args: UnregisterArgs) -> Result<(), Failure> {
    let (agent, swarm) = (&args.agent, &args.hub.at.swarm);
    let mut client = connect(&args.hub).await?;
    let unregistered = client.unregister(agent.clone()).await;
    client.close().await;
    let was_on = unregistered?;
    if !was_on {
        output::complain(&format!(
            "the agent {agent} is not on the roster of the swarm {swarm}: `swarm-sync status` shows who is"
        ));
    }
    let printed = if args.hub.json {
        let object = json!({"agent": agent, "unregistered": was_on});
        output::line(&object.to_string())
    } else if was_on {
        output::line(&format!(
            "{agent} is off the roster of the swarm {swarm}; what it wrote stays"
        ))
    } else {
        Ok(())
    };
    Failure::unless(was_on, Code::Failed, printed)
}
