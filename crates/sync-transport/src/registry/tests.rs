//! Who is admitted, probed, replaced and refused, in tables.

use sync_core::id::Incarnation;

use super::*;

fn swarm(name: &str) -> SwarmId {
    SwarmId::new(name).unwrap()
}

fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

fn hello(swarm_name: &str, name: &str, role: Role) -> Hello {
    Hello::new(
        swarm(swarm_name),
        agent(name),
        Incarnation::from_random(1),
        role,
    )
}

fn member(name: &str) -> Hello {
    hello("s", name, Role::Member)
}

/// Serves the swarms `s` and `t`, has room for three, and holds the member `a`.
fn registry() -> (Registry<SessionId>, SessionId) {
    let mut registry = Registry::new(Some([swarm("s"), swarm("t")].into()), 3);
    let a = registry.insert(&member("a"), |session| session);
    (registry, a)
}

#[test]
fn claims() {
    let (registry, a) = registry();
    let other = SessionId(99);
    let taken = || Claim::Refuse(Refusal::NameTaken { agent: agent("a") });
    let reserved = || {
        Claim::Refuse(Refusal::NameReserved {
            agent: agent("hub"),
        })
    };
    let unserved = Claim::Refuse(Refusal::Swarm { swarm: swarm("u") });
    let cases = [
        ("new name", member("b"), None, Claim::Admit),
        (
            "new name, probed another",
            member("b"),
            Some(other),
            Claim::Admit,
        ),
        ("held name", member("a"), None, Claim::Probe(a)),
        ("held by the mute", member("a"), Some(a), Claim::Replace(a)),
        ("held by a third by now", member("a"), Some(other), taken()),
        (
            "same name, other swarm",
            hello("t", "a", Role::Member),
            None,
            Claim::Admit,
        ),
        (
            "same name, client",
            hello("s", "a", Role::Client),
            None,
            Claim::Admit,
        ),
        ("the hub's own name", member("hub"), None, reserved()),
        (
            "the hub's own name, client",
            hello("s", "hub", Role::Client),
            None,
            reserved(),
        ),
        (
            "swarm not served",
            hello("u", "a", Role::Member),
            None,
            unserved,
        ),
    ];
    for (name, hello, mute, expected) in cases {
        assert_eq!(registry.claim(&hello, mute), expected, "{name}");
    }
    let mut future = member("b");
    future.protocol_min = PROTOCOL_MAX + 1;
    future.protocol_max = PROTOCOL_MAX + 2;
    let refused = registry.claim(&future, None);
    assert!(matches!(refused, Claim::Refuse(Refusal::Protocol { .. })));
}

#[test]
fn a_full_hub_still_lets_a_name_be_replaced() {
    let (mut registry, a) = registry();
    registry.insert(&member("b"), |session| session);
    registry.insert(&hello("s", "a", Role::Client), |session| session);
    let full = Claim::Refuse(Refusal::Full { connections: 3 });
    assert_eq!(registry.claim(&member("c"), None), full);
    assert_eq!(registry.claim(&member("a"), Some(a)), Claim::Replace(a));
    assert_eq!(registry.remove(a), Some(a));
    assert_eq!(registry.remove(a), None);
    assert_eq!(registry.claim(&member("c"), None), Claim::Admit);
}

/// Bad input, row 20.
#[test]
fn rosters_outlive_connections_and_are_bounded() {
    let (mut registry, a) = registry();
    registry.roster_max = 2;
    assert_eq!(
        registry.status(&swarm("s"), &agent("b")),
        AgentStatus::Unknown
    );
    assert_eq!(registry.register(&swarm("s"), &agent("b")), Ok(()));
    assert_eq!(registry.register(&swarm("s"), &agent("b")), Ok(()));
    assert_eq!(
        registry.status(&swarm("s"), &agent("b")),
        AgentStatus::Disconnected
    );
    let full = Refusal::Full { connections: 1 };
    assert_eq!(
        registry.register(&swarm("s"), &agent("c")),
        Err(full.clone())
    );
    assert_eq!(registry.claim(&member("c"), None), Claim::Refuse(full));
    registry.remove(a);
    assert_eq!(
        registry.status(&swarm("s"), &agent("a")),
        AgentStatus::Disconnected
    );
    let topology = registry.topology(&swarm("s"));
    assert_eq!(topology.agents, [agent("a"), agent("b")]);
    assert_eq!(topology.connected, []);
    assert_eq!(registry.topology(&swarm("t")).agents, []);
    assert_eq!(registry.unregister(&swarm("s"), &agent("a")), Place::Away);
    assert_eq!(
        registry.unregister(&swarm("s"), &agent("a")),
        Place::Unknown
    );
    assert_eq!(registry.claim(&member("c"), None), Claim::Admit);
}

#[test]
fn clients_are_on_no_roster() {
    let (mut registry, a) = registry();
    let client = registry.insert(&hello("s", "b", Role::Client), |session| session);
    assert_eq!(
        registry.status(&swarm("s"), &agent("b")),
        AgentStatus::Unknown
    );
    assert_eq!(registry.members(&swarm("s")).collect::<Vec<_>>(), [&a]);
    assert_eq!(registry.sessions(), [a, client]);
    // A client that leaves under a member's name does not take the member with it.
    let twin = registry.insert(&hello("s", "a", Role::Client), |session| session);
    registry.remove(twin);
    assert_eq!(
        registry.status(&swarm("s"), &agent("a")),
        AgentStatus::Connected
    );
}

#[test]
fn unregistering_names_the_connection_to_close() {
    let (mut registry, a) = registry();
    assert_eq!(
        registry.unregister(&swarm("s"), &agent("a")),
        Place::Held(a)
    );
    assert_eq!(registry.remove(a), Some(a));
    assert_eq!(
        registry.status(&swarm("s"), &agent("a")),
        AgentStatus::Unknown
    );
    assert_eq!(registry.len(), 0);
}
