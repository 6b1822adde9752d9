//! A hub and agents without a driver. Nothing moves unless the test says so.

mod agent_side;
mod hub_side;

use std::time::Duration;

use sync_core::{
    Body, Key, Message, Now, Operation, Pattern, Policy, Reason, Receipt, Reply, SessionId,
    SwarmId, Value, WriteId, codec,
};
use sync_protocol::HubConfig;

pub(crate) use self::agent_side::AgentSide;
pub(crate) use self::hub_side::HubSide;

/// Where the wall clocks stand.
pub(crate) const WALL_MS: u64 = 1_700_000_000_000;

pub(crate) fn key(name: &str) -> Key {
    Key::new(name).expect("a key")
}

pub(crate) fn put(value: impl Into<Value>) -> Operation {
    Operation::Put(value.into())
}

pub(crate) fn policy(pattern: &str, change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::new(Pattern::new(pattern).expect("a pattern"));
    change(&mut policy);
    policy
}

pub(crate) fn hub_config() -> HubConfig {
    let mut config = HubConfig::new(SwarmId::new("team").expect("a name"));
    config.algorithms = sync_resolve::algorithms();
    config
}

fn at(mono: Duration) -> Now {
    Now {
        mono,
        wall_ms: WALL_MS + u64::try_from(mono.as_millis()).expect("a short test"),
    }
}

/// What every coordinator takes by default.
const FRAME_BYTES_MAX: usize = 1024 * 1024;

fn through_the_codec(message: &Message) -> Message {
    let frame = codec::encode(message).to_bytes();
    assert!(frame.len() <= FRAME_BYTES_MAX, "too large for a frame");
    let decoded = codec::decode(&frame).expect("what is encoded is decoded");
    // What only the way there is told.
    decoded.at(message.turn)
}

/// The answer that a message carries whole.
pub(crate) fn read_reply(message: &Message) -> Option<Reply> {
    let Body::Reply { frames: 1, .. } = message.body else {
        return None;
    };
    codec::from_bytes("an answer", message.segments.first()?).ok()
}

/// Lets everybody talk until nobody has anything left to say.
pub(crate) fn talk(hub: &mut HubSide, agents: &mut [&mut AgentSide]) {
    for _ in 0..1_000 {
        let mut quiet = true;
        for agent in agents.iter_mut() {
            agent.settle();
            let Some(session) = agent.session else {
                continue;
            };
            for message in std::mem::take(&mut agent.said) {
                quiet = false;
                hub.hear(session, message);
            }
        }
        hub.settle();
        for (session, message) in std::mem::take(&mut hub.said) {
            quiet = false;
            if let Some(agent) = agents.iter_mut().find(|a| a.session == Some(session)) {
                agent.hear(message);
            }
        }
        if quiet {
            return;
        }
    }
    panic!("they never stop talking");
}

/// A hub and two agents that are in step with it.
pub(crate) fn trio() -> (HubSide, AgentSide, AgentSide) {
    trio_with(hub_config())
}

/// The same of a hub with other limits.
pub(crate) fn trio_with(config: HubConfig) -> (HubSide, AgentSide, AgentSide) {
    let mut hub = HubSide::with(config);
    let (mut a, mut b) = (AgentSide::new("a"), AgentSide::new("b"));
    a.connect(&mut hub, 1);
    b.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a, &mut b]);
    (hub, a, b)
}

/// Both write while cut off; `b` last. They stay cut off.
pub(crate) fn race(
    hub: &mut HubSide,
    a: &mut AgentSide,
    b: &mut AgentSide,
    first: Operation,
    last: Operation,
) {
    a.cut(hub);
    b.cut(hub);
    a.write("k", first);
    b.mono += Duration::from_millis(5);
    b.write("k", last);
}

/// Both write while cut off, then meet.
pub(crate) fn meet(
    hub: &mut HubSide,
    a: &mut AgentSide,
    b: &mut AgentSide,
    first: Operation,
    last: Operation,
) {
    race(hub, a, b, first, last);
    a.connect(hub, 3);
    b.connect(hub, 4);
    talk(hub, &mut [a, b]);
}

/// The one receipt that an agent has got.
#[track_caller]
pub(crate) fn only_receipt(agent: &AgentSide) -> &Receipt {
    let [receipt] = &agent.receipts[..] else {
        panic!("{:?}", agent.receipts)
    };
    receipt
}

/// The write that won against the one that came back, and what it left.
#[track_caller]
pub(crate) fn winner(receipt: &Receipt) -> (&WriteId, Option<&Value>) {
    let Reason::Superseded {
        winner,
        winner_value,
        ..
    } = &receipt.reason
    else {
        panic!("{receipt:?}")
    };
    (winner, winner_value.as_ref())
}

/// The bodies said to one session.
pub(crate) fn bodies(said: &[(SessionId, Message)], session: SessionId) -> Vec<&Body> {
    said.iter()
        .filter(|(to, _)| *to == session)
        .map(|(_, m)| &m.body)
        .collect()
}

pub(crate) fn assert_equal(hub: &HubSide, agents: &[&AgentSide]) {
    for agent in agents {
        assert_eq!(
            agent.replica.digest(),
            hub.hub.digest(),
            "{} differs",
            agent.name
        );
        assert_eq!(agent.replica.pending_writes(), 0);
    }
}
