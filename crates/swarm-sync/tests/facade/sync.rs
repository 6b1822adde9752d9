//! Writes, full synchronization, deltas, versions, clear.

use std::time::{Duration, Instant};

use swarm_sync::{AgentId, Cursor, Epoch, MergeRule, Revision, Since, Value, Version};

use crate::support::{Wire, converged, flush, key, kind, team};

/// The specification's example: three agents, three values, one task count.
#[tokio::test]
async fn three_agents_agree_on_one_value_and_on_one_sum() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let agents = wire.agents::<3>().await;
        for agent in &agents {
            agent.go_offline().await.unwrap();
        }
        for (agent, count) in agents.iter().zip([42_i64, 45, 40]) {
            agent.set("last", count).await.unwrap();
            agent.add("total", count).await.unwrap();
            agent.insert("seen", count).await.unwrap();
        }
        for agent in &agents {
            agent.go_online().await.unwrap();
            flush(agent).await;
        }
        let keys = [key("last"), key("total"), key("seen")];
        let report = hub.synchronize_many(&team(), &keys, None).await.unwrap();
        assert_eq!(report.responded.len(), 3);
        assert_eq!(report.in_step.len(), 3);
        assert!(report.missing.is_empty());
        converged(&hub, &agents.each_ref()).await;
        for agent in &agents {
            let last = agent.get("last").await.unwrap().unwrap();
            assert_eq!(
                last.value,
                hub.get_state(&team(), &key("last"))
                    .await
                    .unwrap()
                    .unwrap()
                    .value
            );
            assert!(!last.metadata.provisional);
            let total = agent.get("total").await.unwrap().unwrap();
            assert_eq!(total.value, Some(Value::Int(127)));
            assert_eq!(total.metadata.rule, Some(MergeRule::Counter));
            let seen = agent.get("seen").await.unwrap().unwrap();
            assert!(matches!(seen.value, Some(Value::List(items)) if items.len() == 3));
        }
    }
}

#[tokio::test]
async fn a_round_with_nobody_connected_is_an_error() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    assert_eq!(
        kind(hub.synchronize_state(&team(), &key("k"), None).await),
        "nobody-connected"
    );
}

#[tokio::test]
async fn an_agent_that_is_away_is_missing_at_once() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [_here] = wire.agents::<1>().await;
    let away = AgentId::new("away").unwrap();
    hub.register(&team(), &away).await.unwrap();
    let start = Instant::now();
    let deadline = Duration::from_secs(20);
    let report = hub
        .synchronize_state(&team(), &key("k"), Some(deadline))
        .await
        .unwrap();
    assert_eq!(report.missing, std::slice::from_ref(&away));
    assert_eq!(report.responded.len(), 1);
    assert!(
        start.elapsed() < deadline / 2,
        "a missing agent cost the deadline"
    );
    assert!(hub.unregister(&team(), &away).await.unwrap());
    assert!(!hub.unregister(&team(), &away).await.unwrap());
}

#[tokio::test]
async fn a_delta_holds_what_changed_and_nothing_else() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [agent] = wire.agents::<1>().await;
    for n in 0..20 {
        agent.set(format!("k{n}").as_str(), n).await.unwrap();
    }
    flush(&agent).await;
    let all = hub.delta_sync(&team(), Since::START).await.unwrap();
    assert_eq!(all.changes.len(), 20);
    assert!(!all.more);
    assert!(
        hub.delta_sync(&team(), Since::Cursor(all.to))
            .await
            .unwrap()
            .changes
            .is_empty()
    );

    // A rarely written key: its version is far below the revision, yet its change is seen.
    agent.set("k3", "again").await.unwrap();
    agent.delete("k4").await.unwrap();
    flush(&agent).await;
    let news = hub
        .delta_sync(&team(), Since::Cursor(all.to))
        .await
        .unwrap();
    let mut changed: Vec<_> = news
        .changes
        .iter()
        .map(|c| (c.key.as_str(), c.value.clone(), c.version))
        .collect();
    changed.sort_by_key(|(key, ..)| *key);
    let expected = [
        ("k3", Some(Value::from("again")), Some(Version::new(2))),
        ("k4", None, None),
    ];
    assert_eq!(changed, expected);
    assert_eq!(
        agent
            .delta(Since::Cursor(all.to))
            .await
            .unwrap()
            .changes
            .len(),
        2
    );

    let ahead = Since::Revision(Revision::new(10_000));
    assert_eq!(kind(hub.delta_sync(&team(), ahead).await), "ahead");
    let foreign = Cursor {
        epoch: Epoch::from_random(1),
        ..all.to
    };
    assert_eq!(
        kind(hub.delta_sync(&team(), Since::Cursor(foreign)).await),
        "epoch-mismatch"
    );
}

#[tokio::test]
async fn a_cleared_key_has_no_version_and_goes_on_counting() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [agent] = wire.agents::<1>().await;
    agent.set("k", 1).await.unwrap();
    agent.set("other", 1).await.unwrap();
    flush(&agent).await;
    agent.set("k", 2).await.unwrap();
    flush(&agent).await;
    let before = hub
        .get_state_version(&team(), &key("k"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(before, Version::new(2));

    assert_eq!(hub.clear_state(&team(), Some(&key("k"))).await.unwrap(), 1);
    assert_eq!(hub.clear_state(&team(), Some(&key("k"))).await.unwrap(), 0);
    assert_eq!(
        hub.get_state_version(&team(), &key("k")).await.unwrap(),
        None
    );
    assert_eq!(hub.get_state(&team(), &key("k")).await.unwrap(), None);
    converged(&hub, &[&agent]).await;
    assert_eq!(agent.get("k").await.unwrap(), None);

    agent.set("k", 3).await.unwrap();
    flush(&agent).await;
    let after = hub
        .get_state_version(&team(), &key("k"))
        .await
        .unwrap()
        .unwrap();
    assert!(after > before, "{after} after {before}");
    assert_eq!(hub.clear_state(&team(), None).await.unwrap(), 2);
    converged(&hub, &[&agent]).await;
    assert!(agent.keys("*").await.unwrap().is_empty());
}

/// Bad input, row 16.
#[tokio::test]
async fn swarms_do_not_see_each_other() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [ours] = wire.agents::<1>().await;
    let theirs = wire.agent("agent-0").swarm("others").start().await.unwrap();
    ours.set("k", "ours").await.unwrap();
    theirs.set("k", "theirs").await.unwrap();
    flush(&ours).await;
    flush(&theirs).await;
    let others = swarm_sync::SwarmId::new("others").unwrap();
    for (swarm, expected) in [(&team(), "ours"), (&others, "theirs")] {
        let state = hub.get_state(swarm, &key("k")).await.unwrap().unwrap();
        assert_eq!(state.value, Some(expected.into()));
    }
    assert_eq!(hub.status(&team()).await.unwrap().members.len(), 1);
    assert_ne!(ours.digest().await.unwrap(), theirs.digest().await.unwrap());
}

#[tokio::test]
async fn metadata_travels_with_its_write() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [writer, reader] = wire.agents::<2>().await;
    let note = [("why".to_owned(), Value::from("because"))].into();
    writer.set_with("k", 1, note).await.unwrap();
    flush(&writer).await;
    converged(&hub, &[&writer, &reader]).await;
    let state = reader.get("k").await.unwrap().unwrap();
    assert_eq!(state.agent, Some(AgentId::new("agent-0").unwrap()));
    let user = state.metadata.user.expect("it travelled").0;
    assert_eq!(user.to_json(), serde_json::json!({"why": "because"}));
}

/// Bad input, row 20.
#[tokio::test]
async fn a_hub_that_serves_all_the_swarms_it_can_says_so() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let name = AgentId::new("a").unwrap();
    let swarm = |n: u32| swarm_sync::SwarmId::new(format!("swarm-{n}")).unwrap();
    for n in 0..1_024 {
        hub.register(&swarm(n), &name).await.unwrap();
    }
    let said = [
        hub.register(&swarm(1_024), &name).await.err(),
        hub.unregister(&swarm(1_024), &name).await.err(),
        hub.status(&swarm(1_024)).await.err(),
    ];
    for error in said.map(|e| e.expect("no room").to_string()) {
        assert!(error.contains("serves 1024 swarms already"), "{error}");
    }
    assert!(hub.unregister(&swarm(7), &name).await.unwrap());
}
