//! Schedules by hand, one side at a time: what is heard, and in which order, is the test's choice.

use sync_core::Body;

use crate::stage::{AgentSide, HubSide};

/// Lets the agent hear those of the hub's messages that are wanted; the others are lost.
pub(crate) fn deliver(hub: &mut HubSide, agent: &mut AgentSide, wanted: impl Fn(&Body) -> bool) {
    hub.settle();
    let session = agent.session.expect("connected");
    let said = std::mem::take(&mut hub.said);
    for (_, message) in said
        .into_iter()
        .filter(|(to, m)| *to == session && wanted(&m.body))
    {
        agent.hear(message);
    }
    agent.settle();
}

/// Lets the hub hear what the agent says.
pub(crate) fn say(hub: &mut HubSide, agent: &mut AgentSide) {
    agent.settle();
    let session = agent.session.expect("connected");
    for message in std::mem::take(&mut agent.said) {
        hub.hear(session, message);
    }
}
