//! What a full synchronization finds, decides and tells, and who has confirmed its result when it ends.

use std::time::Duration;

use swarm_sync::{Agent, AgentId, Reason, Value};
use sync_core::Body;

use crate::held::HeldLink;
use crate::support::{PATIENCE, Wire, converged, eventually, flush, key, team};

fn name(text: &str) -> AgentId {
    AgentId::new(text).expect("a name")
}

/// An agent of which the hub does not hear everything yet.
async fn held(wire: &Wire, name: &str, which: fn(&Body) -> bool) -> (Agent, HeldLink) {
    let link = HeldLink::new(wire.link(), which);
    let agent = Agent::builder(name, link.clone()).swarm("team").start();
    let agent = agent.await.expect("memory opens");
    agent
        .wait_in_step(PATIENCE)
        .await
        .expect("the hub is there");
    (agent, link)
}

/// What one agent wrote is still on its way when the round asks for it: the round brings it in, decides
/// between it and what another wrote meanwhile, and who lost hears of it.
#[tokio::test]
async fn a_round_finds_a_conflict_decides_it_and_tells_the_loser() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let is_push = |body: &Body| matches!(body, Body::Push { .. });
        let (a, link) = held(&wire, "a", is_push).await;
        let b = wire.agent("b").start().await.unwrap();
        b.wait_in_step(PATIENCE).await.unwrap();
        let lost = a.set("k", "early").await.unwrap().write_id.unwrap();
        a.add("total", 42).await.unwrap();
        let won = b.set("k", "late").await.unwrap().write_id.unwrap();
        b.add("total", 45).await.unwrap();
        flush(&b).await;
        let before = hub.get_state(&team(), &key("total")).await.unwrap();
        assert_eq!(before.unwrap().value, Some(Value::Int(45)));
        assert!(a.receipts().await.unwrap().is_empty(), "nobody knows yet");

        let keys = [key("k"), key("total")];
        let report = hub.synchronize_many(&team(), &keys, None).await.unwrap();
        assert_eq!(report.responded, [name("a"), name("b")]);
        assert_eq!(report.in_step, report.responded);
        let conflicts: Vec<u32> = report.keys.iter().map(|line| line.conflicts).collect();
        assert_eq!(conflicts, [1, 0], "a sum has none");
        assert_eq!(report.conflicts, 1);
        assert!(report.keys.iter().all(|line| line.changed), "{report:?}");

        // All hold the result when the call returns.
        for agent in [&a, &b] {
            for (name, value) in [("k", Value::from("late")), ("total", Value::Int(87))] {
                let state = agent.get(name).await.unwrap().unwrap();
                assert_eq!(state.value, Some(value));
                assert_eq!(state.metadata.undecided, 0, "{state:?}");
            }
        }
        let receipt = eventually("a receipt", async || a.receipts().await.ok()?.pop()).await;
        assert_eq!(receipt.write, lost);
        assert_eq!(receipt.discarded.value(), Some(Value::from("early")));
        assert!(matches!(receipt.reason, Reason::Superseded { winner, .. } if winner == won));
        assert!(b.receipts().await.unwrap().is_empty());

        // What was on its way arrives, and changes nothing any more.
        let revision = hub.status(&team()).await.unwrap().revision;
        link.release();
        flush(&a).await;
        converged(&hub, &[&a, &b]).await;
        assert_eq!(hub.status(&team()).await.unwrap().revision, revision);
    }
}

#[tokio::test]
async fn a_round_that_ends_before_all_have_confirmed_says_who_has_not() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let a = wire.agent("a").start().await.unwrap();
        a.wait_in_step(PATIENCE).await.unwrap();
        let is_ack = |body: &Body| matches!(body, Body::Ack { .. });
        let (b, link) = held(&wire, "b", is_ack).await;
        a.set("k", 1).await.unwrap();
        flush(&a).await;
        converged(&hub, &[&a, &b]).await;
        // It needs time only for those that answer, which here is both.
        let report = eventually("an answer of both", async || {
            let deadline = Some(Duration::from_millis(500));
            let report = hub.synchronize_state(&team(), &key("k"), deadline).await;
            report.ok().filter(|report| report.missing.is_empty())
        })
        .await;
        assert_eq!(report.responded, [name("a"), name("b")]);
        assert_eq!(report.in_step, [name("a")]);
        assert!(report.unconfirmed().eq([&name("b")]));
        assert_eq!(report.synchronized(), 1, "what was asked for is decided");
        link.release();
        let report = hub.synchronize_state(&team(), &key("k"), None).await;
        assert_eq!(report.unwrap().unconfirmed().count(), 0);
    }
}
