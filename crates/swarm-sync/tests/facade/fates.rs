//! Receipts, refusals, what an error leaves behind.

use swarm_sync::{Durability, Reason, Value};

use crate::support::{Wire, converged, eventually, flush, key, kind, race, team};

#[tokio::test]
async fn what_loses_a_race_comes_back_to_its_writer() {
    for wire in Wire::both().await {
        let race = race(&wire).await;
        let (a, b) = (race.a, race.b);
        let receipts = eventually("a receipt", async || {
            let receipts = a.receipts().await.ok()?;
            (!receipts.is_empty()).then_some(receipts)
        })
        .await;
        assert_eq!(receipts.len(), 1);
        assert_eq!(receipts[0].write, race.lost);
        assert_eq!(receipts[0].discarded.value(), Some(Value::from("early")));
        assert!(
            matches!(&receipts[0].reason, Reason::Superseded { winner, .. } if *winner == race.won)
        );
        assert!(b.receipts().await.unwrap().is_empty());
        a.take_receipts(vec![race.lost]).await.unwrap();
        assert!(a.receipts().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_write_under_another_rule_comes_back_and_leaves_nothing_behind() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [a, b] = wire.agents::<2>().await;
    b.go_offline().await.unwrap();
    b.set("k", "text").await.unwrap();
    a.add("k", 5).await.unwrap();
    flush(&a).await;
    b.go_online().await.unwrap();
    flush(&b).await;
    converged(&hub, &[&a, &b]).await;
    assert_eq!(
        b.get("k").await.unwrap().unwrap().value,
        Some(Value::Int(5))
    );
    let receipts = b.receipts().await.unwrap();
    assert!(
        matches!(receipts[0].reason, Reason::RuleMismatch { .. }),
        "{receipts:?}"
    );
    assert!(
        receipts[0].to_string().contains("under the rule counter"),
        "{}",
        receipts[0]
    );
    // From here on the rule is known where the mistake is made.
    assert_eq!(kind(b.set("k", "text").await), "operation");
}

#[tokio::test]
async fn bad_input_gets_an_error_and_changes_nothing() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [agent] = wire.agents::<1>().await;
    agent.set("k", 1).await.unwrap();
    flush(&agent).await;
    let digest = agent.digest().await.unwrap();
    let large = "x".repeat(1024 * 1024);
    let mut deep = serde_json::json!(1);
    for _ in 0..40 {
        deep = serde_json::json!([deep]);
    }
    assert_eq!(kind(agent.set("", 1).await), "invalid");
    assert_eq!(
        kind(agent.set("k".repeat(1025).as_str(), 1).await),
        "invalid"
    );
    assert_eq!(kind(agent.set("k", f64::NAN).await), "invalid");
    assert_eq!(kind(agent.set("k", deep).await), "invalid");
    assert_eq!(kind(agent.set("k", large.as_str()).await), "too-large");
    assert_eq!(kind(agent.add("k", 1).await), "operation");
    assert_eq!(agent.digest().await.unwrap(), digest);
    assert_eq!(hub.status(&team()).await.unwrap().digest, digest);
}

#[tokio::test]
async fn requests_that_need_a_hub_say_so_without_one() {
    let wire = Wire::memory();
    let alone = wire.agent("alone").offline().start().await.unwrap();
    alone.set("k", 1).await.unwrap();
    assert_eq!(kind(alone.sync(&[key("k")], None).await), "unavailable");
    let soon = Some(std::time::Duration::from_millis(50));
    assert_eq!(kind(alone.flush(Durability::Hub, soon).await), "deadline");
    alone.flush(Durability::Disk, None).await.unwrap();
    alone.shutdown().await;
    assert_eq!(kind(alone.get("k").await), "stopped");
}
