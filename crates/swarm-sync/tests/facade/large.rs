//! What does not fit a frame: entries, answers, receipts, requests.

use swarm_sync::{Key, Reason, RequestError, Since, StateSynchronizer, Value};

use crate::support::{PATIENCE, Wire, converged, eventually, flush, key, kind, team};

#[tokio::test]
async fn an_entry_larger_than_a_frame_travels_in_parts() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let [writer] = wire.agents::<1>().await;
        let padding = "x".repeat(1_000);
        for n in 0..3_000 {
            writer
                .insert("large", format!("{n}-{padding}"))
                .await
                .unwrap();
        }
        flush(&writer).await;
        let newcomer = wire.agent("newcomer").start().await.unwrap();
        converged(&hub, &[&writer, &newcomer]).await;
        let set = newcomer.get("large").await.unwrap().unwrap();
        assert!(matches!(set.value, Some(Value::List(items)) if items.len() == 3_000));
    }
}

/// A set of `count` elements of `bytes` each.
async fn large_set(wire: &Wire, name: &str, count: usize, bytes: usize) -> StateSynchronizer {
    let hub = wire.memory_hub().await;
    let [writer] = wire.agents::<1>().await;
    for n in 0..count {
        let element = format!("{n}-{}", "x".repeat(bytes));
        writer.insert(name, element).await.expect("it fits");
    }
    writer.set("small", 1).await.expect("it fits");
    flush(&writer).await;
    writer.shutdown().await;
    hub
}

fn count(value: Option<&Value>) -> usize {
    match value {
        Some(Value::List(items)) => items.len(),
        other => panic!("no set: {other:?}"),
    }
}

#[tokio::test]
async fn an_answer_larger_than_a_frame_arrives_whole() {
    for wire in Wire::both().await {
        let _hub = large_set(&wire, "large", 5, 300_000).await;
        let mut client = wire.client().await;
        let state = client.get(key("large")).await.unwrap().unwrap();
        assert_eq!(count(state.value.as_ref()), 5);
        let delta = client.delta(Since::START).await.unwrap();
        let large = delta
            .changes
            .iter()
            .find(|c| c.key == key("large"))
            .unwrap();
        assert_eq!(count(large.value.as_ref()), 5);
        let agent = wire.agent("reader").start().await.unwrap();
        agent.wait_in_step(PATIENCE).await.unwrap();
        let delta = agent.delta(Since::START).await.unwrap();
        let large = delta
            .changes
            .iter()
            .find(|c| c.key == key("large"))
            .unwrap();
        assert_eq!(count(large.value.as_ref()), 5);
    }
}

/// The asker is told, and its connection lives: the next question is answered through it.
#[tokio::test]
async fn an_answer_larger_than_any_may_be_is_an_error_and_nobody_is_disconnected() {
    for wire in Wire::both().await {
        let _hub = large_set(&wire, "huge", 20, 450_000).await;
        let mut client = wire.client().await;
        let refused = client.get(key("huge")).await;
        assert!(
            matches!(refused, Err(RequestError::AnswerTooLarge { bytes, .. }) if bytes > 9_000_000)
        );
        let small = client.get(key("small")).await.unwrap().unwrap();
        assert_eq!(small.value, Some(Value::Int(1)));
        // An agent holds the state itself.
        let agent = wire.agent("reader").start().await.unwrap();
        agent.wait_in_step(PATIENCE).await.unwrap();
        let state = agent.get("huge").await.unwrap().unwrap();
        assert_eq!(count(state.value.as_ref()), 20);
    }
}

/// Each of these receipts carries the value that lost and the value that won.
#[tokio::test]
async fn receipts_larger_than_a_frame_reach_their_writer() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let [a, b] = wire.agents::<2>().await;
        for agent in [&a, &b] {
            agent.go_offline().await.unwrap();
        }
        for (agent, text) in [(&a, "lost "), (&b, "won ")] {
            for n in 0..4 {
                let value = text.repeat(500_000 / text.len());
                agent.set(key(&format!("k{n}")), value).await.unwrap();
            }
        }
        for agent in [&a, &b] {
            agent.go_online().await.unwrap();
            flush(agent).await;
        }
        converged(&hub, &[&a, &b]).await;
        let receipts = eventually("four receipts", async || {
            let receipts = a.receipts().await.ok()?;
            (receipts.len() == 4).then_some(receipts)
        })
        .await;
        for receipt in receipts {
            assert_eq!(
                receipt.discarded.value(),
                Some("lost ".repeat(100_000).into())
            );
            let Reason::Superseded { winner_value, .. } = receipt.reason else {
                panic!("another reason")
            };
            assert_eq!(winner_value, Some("won ".repeat(125_000).into()));
        }
        eventually("the hub knows that they have arrived", async || {
            let members = hub.status(&team()).await.ok()?.members;
            members.iter().all(|m| m.receipts == 0).then_some(())
        })
        .await;
    }
}

/// Bad input, row 1.
#[tokio::test]
async fn a_request_larger_than_a_frame_is_refused_where_it_is_made() {
    for wire in Wire::both().await {
        let _hub = wire.memory_hub().await;
        let [agent] = wire.agents::<1>().await;
        let mut client = wire.client().await;
        let keys: Vec<Key> = (0..2_000).map(|n| key(&format!("{n:0>1000}"))).collect();
        let refused = agent.sync(&keys, Some(PATIENCE)).await;
        assert_eq!(kind(refused), "request-too-large");
        assert_eq!(
            kind(client.sync(keys, Some(PATIENCE)).await),
            "request-too-large"
        );
        // Neither was disconnected.
        let one = vec![key("k")];
        agent.sync(&one, Some(PATIENCE)).await.unwrap();
        client.sync(one, Some(PATIENCE)).await.unwrap();
    }
}
