//! Who gives way where room runs out, through the drivers.

use std::sync::Arc;

use swarm_sync::{
    Limits, MemoryStore, Pattern, Policies, Policy, Priority, RequestError, StateSynchronizer,
};

use crate::support::{PATIENCE, Wire, converged, eventually, flush, key, team};

fn ranked() -> Policies {
    let policy = |priority: Priority| {
        let pattern = Pattern::new(format!("{priority}-*")).expect("a pattern");
        let mut policy = Policy::new(pattern);
        policy.priority = priority;
        policy
    };
    Policies::new(Priority::ALL.map(policy).into()).expect("a table")
}

#[tokio::test]
async fn an_agent_that_is_cut_off_refuses_the_least_urgent_first_and_loses_nothing() {
    for wire in Wire::both().await {
        let store = Arc::new(MemoryStore::new());
        let hub = StateSynchronizer::builder(store, wire.coordinator());
        let hub = hub.policies(ranked()).start().await.unwrap();
        let mut limits = Limits::default();
        limits.outbox_bytes_max = 20_000;
        let agent = wire.agent("agent").limits(limits).start().await.unwrap();
        agent.wait_in_step(PATIENCE).await.unwrap();
        eventually("it knows the policies", async || {
            (!agent.policies().await.ok()?.is_empty()).then_some(())
        })
        .await;
        agent.go_offline().await.unwrap();

        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        let mut number = 0;
        while refused.len() < Priority::ALL.len() {
            number += 1;
            for priority in Priority::ALL {
                let name = format!("{priority}-{number}");
                match agent.set(name.as_str(), "x".repeat(50)).await {
                    Ok(_) => taken.push(name),
                    Err(RequestError::OutboxFull { priority, .. }) => {
                        if !refused.contains(&priority) {
                            refused.push(priority);
                        }
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
        let least_first: Vec<Priority> = Priority::ALL.into_iter().rev().collect();
        assert_eq!(refused, least_first);

        agent.go_online().await.unwrap();
        flush(&agent).await;
        converged(&hub, &[&agent]).await;
        for name in &taken {
            let held = hub.get_state(&team(), &key(name)).await.unwrap();
            assert!(held.is_some(), "{name} was acknowledged");
        }
        let keys = hub.status(&team()).await.unwrap().keys;
        assert_eq!(keys, taken.len() as u64, "what was refused is nowhere");
    }
}
