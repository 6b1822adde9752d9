//! Starting before the hub, cuts, restarts, two agents under one name.

use std::time::Duration;

use swarm_sync::{Coordinator, Value};
use sync_core::{CoordinatorEvent, Frame};

use crate::support::{PATIENCE, Wire, converged, eventually, flush};

#[tokio::test]
async fn an_agent_may_start_before_its_hub() {
    // A port that was free a moment ago; nobody listens on it yet.
    let address = match Wire::tcp("127.0.0.1:0").await {
        Wire::Tcp(tcp) => tcp.local_addr(),
        Wire::Memory(_) => unreachable!("it was made over TCP"),
    };
    let link = swarm_sync::TcpLink::new(address, swarm_sync::LinkOptions::default());
    let early = swarm_sync::Agent::builder("early", link)
        .swarm("team")
        .start()
        .await
        .unwrap();
    early
        .set("k", "written before there was a hub")
        .await
        .unwrap();
    let failed = eventually("a first attempt", async || {
        early.state().await.ok()?.link_error
    })
    .await;
    assert!(failed.contains("start one with"), "{failed}");

    let wire = eventually("the address again", async || {
        let options = swarm_sync::CoordinatorOptions::default();
        let bound = swarm_sync::TcpCoordinator::bind(address, options)
            .await
            .ok()?;
        Some(Wire::Tcp(std::sync::Arc::new(bound)))
    })
    .await;
    let hub = wire.memory_hub().await;
    flush(&early).await;
    converged(&hub, &[&early]).await;
}

#[tokio::test]
async fn an_agent_that_was_cut_off_catches_up_both_ways() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let [stays, leaves] = wire.agents::<2>().await;
        leaves.go_offline().await.unwrap();
        eventually("the hub notices", async || {
            let status = hub.status(&crate::support::team()).await.ok()?;
            status.members.iter().any(|m| !m.connected).then_some(())
        })
        .await;
        stays.set("there", 1).await.unwrap();
        flush(&stays).await;
        leaves.set("here", 2).await.unwrap();
        assert_eq!(leaves.get("there").await.unwrap(), None);
        assert!(
            leaves
                .get("here")
                .await
                .unwrap()
                .unwrap()
                .metadata
                .provisional
        );
        leaves.go_online().await.unwrap();
        leaves.wait_in_step(PATIENCE).await.unwrap();
        flush(&leaves).await;
        converged(&hub, &[&stays, &leaves]).await;
        assert_eq!(
            leaves.get("there").await.unwrap().unwrap().value,
            Some(Value::Int(1))
        );
        assert!(
            !leaves
                .get("here")
                .await
                .unwrap()
                .unwrap()
                .metadata
                .provisional
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_leaves_and_returns_at_once_is_connected() {
    for wire in Wire::both().await {
        let _hub = wire.memory_hub().await;
        let [agent] = wire.agents().await;
        for round in 0..200 {
            agent.go_offline().await.unwrap();
            agent.go_online().await.unwrap();
            agent.set("k", round).await.unwrap();
            flush(&agent).await;
        }
    }
}

#[tokio::test]
async fn a_second_agent_of_the_same_name_is_refused_and_the_first_goes_on() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let [first] = wire.agents::<1>().await;
        let second = wire.agent("agent-0").start().await.unwrap();
        let refused = eventually("a refusal", async || second.state().await.ok()?.link_error).await;
        assert!(
            refused.contains("two processes cannot share one name"),
            "{refused}"
        );
        first.set("k", 1).await.unwrap();
        flush(&first).await;
        // The name is free again once its holder has gone.
        first.shutdown().await;
        second.wait_in_step(PATIENCE).await.unwrap();
        converged(&hub, &[&second]).await;
    }
}

#[tokio::test]
async fn staleness_is_told() {
    let wire = Wire::memory();
    let _hub = wire.memory_hub().await;
    let never = wire.agent("never").offline().start().await.unwrap();
    never.set("k", 1).await.unwrap();
    assert_eq!(never.get("k").await.unwrap().unwrap().metadata.age_ms, None);
    never.go_online().await.unwrap();
    never.wait_in_step(PATIENCE).await.unwrap();
    assert!(
        never
            .get("k")
            .await
            .unwrap()
            .unwrap()
            .metadata
            .age_ms
            .is_some()
    );
}

#[tokio::test]
async fn a_hub_that_closes_every_connection_is_not_stormed() {
    let Wire::Tcp(tcp) = Wire::tcp("127.0.0.1:0").await else {
        unreachable!("it was made over TCP");
    };
    let link = swarm_sync::TcpLink::new(tcp.local_addr(), swarm_sync::LinkOptions::default());
    let agent = swarm_sync::Agent::builder("agent", link).swarm("team");
    let agent = agent.start().await.unwrap();

    // Each time it lets the agent in, hears it, and says what the agent cannot read.
    let mut admitted = 0_u32;
    let until = tokio::time::Instant::now() + Duration::from_millis(1_500);
    while let Ok(events) = tokio::time::timeout_at(until, tcp.recv(64)).await {
        for event in events {
            let CoordinatorEvent::Received { session, .. } = event else {
                continue;
            };
            admitted += 1;
            let nonsense = Frame::single("nonsense".into());
            // It may have gone already.
            let _ = tcp.send(session, vec![nonsense]).await;
        }
    }
    // The waits double from 50 ms on: about seven attempts, drawn at random.
    assert!((2..30).contains(&admitted), "{admitted} attempts in 1.5 s");
    agent.shutdown().await;
}

#[tokio::test]
async fn nobody_takes_the_hubs_own_name() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let refused = wire.agent("hub").start().await;
        let sentence = refused.expect_err("the hub's own name").to_string();
        assert!(sentence.contains("choose another one"), "{sentence}");
        let name = swarm_sync::AgentId::new("hub").unwrap();
        let link = wire.link();
        let refused =
            swarm_sync::Client::connect(&*link, crate::support::team(), name.clone(), PATIENCE)
                .await;
        let sentence = refused.expect_err("the hub's own name").to_string();
        assert!(sentence.contains("choose another one"), "{sentence}");
        let refused = hub.register(&crate::support::team(), &name).await;
        assert_eq!(crate::support::kind(refused), "invalid");
    }
}
