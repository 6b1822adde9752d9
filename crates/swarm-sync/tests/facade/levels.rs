//! Levels that a write waits for, what became of it, reads that wait, and values proposed again.

use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{
    AgentId, Answer, Ask, Client, Clock, Durability, Fate, MemoryStore, Operation, RequestError,
    SystemClock, Value, Version, WriteOptions,
};

use crate::held::LossyLink;
use crate::support::{PATIENCE, Wire, converged, eventually, flush, key, kind, team};

fn to(level: Durability) -> WriteOptions {
    WriteOptions::default().level(level).timeout(PATIENCE)
}

#[tokio::test]
async fn a_write_waits_for_the_level_that_it_asks_for() {
    for wire in Wire::both().await {
        let _hub = wire.memory_hub().await;
        let [a, b, c] = wire.agents::<3>().await;
        let put = |n: i64| Operation::Put(n.into());
        let ack = a
            .write_with("k", put(1), to(Durability::Hub))
            .await
            .unwrap();
        assert_eq!(
            (ack.durability, ack.revision.is_some()),
            (Durability::Hub, true)
        );
        let level = Durability::Replicas(2);
        let ack = a.write_with("k", put(2), to(level)).await.unwrap();
        assert_eq!(ack.durability, level);
        assert_eq!(ack.durability.to_string(), "replicas(2)");
        for other in [&b, &c] {
            // Confirmed, so it is there.
            let read = other.get("k").await.unwrap().unwrap();
            assert_eq!(read.value, Some(2.into()));
        }
        let fate = a.fate(ack.write_id.unwrap()).await.unwrap();
        assert!(
            matches!(fate, Fate::OnReplicas { replicas: 2, .. }),
            "{fate:?}"
        );
    }
}

#[tokio::test]
async fn a_level_that_is_not_reached_in_time_is_an_error_that_names_the_write() {
    let wire = Wire::memory();
    let _hub = wire.memory_hub().await;
    let [a, _b] = wire.agents::<2>().await;
    let soon = Duration::from_millis(50);
    let options = |level| to(level).timeout(soon);
    let wanted = Durability::Replicas(9);
    let late = a
        .write_with("k", Operation::Put(1.into()), options(wanted))
        .await;
    let Err(RequestError::Unreached {
        write,
        asked,
        reached,
        ..
    }) = late
    else {
        panic!("{late:?}")
    };
    assert_eq!(asked, wanted);
    assert!(reached >= Durability::Hub, "{reached}");
    let fate = a
        .wait_for(write, Durability::Replicas(1), PATIENCE)
        .await
        .unwrap();
    assert!(
        matches!(fate, Fate::OnReplicas { replicas: 1, .. }),
        "{fate:?}"
    );

    a.go_offline().await.unwrap();
    let late = a
        .write_with("k", Operation::Put(2.into()), options(Durability::Hub))
        .await;
    let error = late.unwrap_err();
    assert_eq!(error.kind(), "deadline");
    assert!(
        error.to_string().contains("reached the level memory"),
        "{error}"
    );
    let RequestError::Unreached { write, .. } = error else {
        panic!("{error}")
    };
    // The write stays, and whoever still waits for it gets there.
    let waiting = a.wait_for(write, Durability::Replicas(1), PATIENCE);
    let (reached, online) = tokio::join!(waiting, a.go_online());
    online.unwrap();
    assert!(
        matches!(reached, Ok(Fate::OnReplicas { .. })),
        "{reached:?}"
    );
}

#[tokio::test]
async fn who_was_told_a_revision_reads_what_it_stands_for() {
    let wire = Wire::memory();
    let _hub = wire.memory_hub().await;
    let [a, b] = wire.agents::<2>().await;
    for n in 0..20 {
        let put = Operation::Put(n.into());
        let ack = a.write_with("k", put, to(Durability::Hub)).await.unwrap();
        let revision = ack.revision.expect("it has reached the hub");
        let read = b
            .read_at_least("k", revision, PATIENCE)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(read.value, Some(n.into()));
        assert!(read.metadata.connected);
        // What is behind is behind of a head that was heard of.
        assert!(read.metadata.behind.is_some());
    }
    b.go_offline().await.unwrap();
    let put = Operation::Put("news".into());
    let ack = a.write_with("k", put, to(Durability::Hub)).await.unwrap();
    let soon = Duration::from_millis(50);
    let late = b.read_at_least("k", ack.revision.unwrap(), soon).await;
    assert_eq!(kind(late), "deadline");
    assert!(!b.get("k").await.unwrap().unwrap().metadata.connected);
}

#[tokio::test]
async fn what_lost_a_race_is_proposed_again_with_one_call() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [a, b] = wire.agents::<2>().await;
    for agent in [&a, &b] {
        agent.go_offline().await.unwrap();
    }
    let lost = a.set("k", "early").await.unwrap().write_id.unwrap();
    b.set("k", "late").await.unwrap();
    for agent in [&a, &b] {
        agent.go_online().await.unwrap();
        flush(agent).await;
    }
    converged(&hub, &[&a, &b]).await;
    let receipt = eventually("a receipt", async || a.receipts().await.ok()?.pop()).await;
    assert!(receipt.why().contains("than the winner's") || receipt.why().contains("equal stamps"));
    let fate = a.fate(lost.clone()).await.unwrap();
    assert_eq!(fate, Fate::Superseded(Box::new(receipt)));
    let ack = a.repropose(lost.clone()).await.unwrap();
    assert!(ack.write_id.is_some());
    assert!(a.receipts().await.unwrap().is_empty());
    assert_eq!(kind(a.repropose(lost).await), "invalid");
    flush(&a).await;
    converged(&hub, &[&a, &b]).await;
    let read = b.get("k").await.unwrap().unwrap();
    assert_eq!(read.value, Some(Value::from("early")));
    assert!(
        b.receipts().await.unwrap().is_empty(),
        "it was replaced knowingly"
    );
}

/// A client has no replica: what comes back to it waits at the hub until it asks.
#[tokio::test]
async fn a_client_finds_its_receipts_at_the_hub_and_takes_them() {
    let wire = Wire::memory();
    let store = Arc::new(MemoryStore::new());
    let hub = wire.hub(store).await;
    let [a] = wire.agents::<1>().await;
    a.go_offline().await.unwrap();
    let mut client = wire.client().await;
    let put = Operation::Put("mine".into());
    let ack = client.write(key("k"), put, None).await.unwrap();
    assert!(ack.revision.is_some());
    // In another millisecond: of equal stamps the names would decide.
    let written = client.get(key("k")).await.unwrap().unwrap().timestamp;
    let written_ms = written.expect("it was written").millis();
    eventually("another millisecond", async || {
        (SystemClock::new().now().wall_ms > written_ms).then_some(())
    })
    .await;
    a.set("k", "later, and unseen").await.unwrap();
    a.go_online().await.unwrap();
    flush(&a).await;
    converged(&hub, &[&a]).await;
    let name = AgentId::new("client").unwrap();
    let ask = |after| Ask::Receipts {
        agent: name.clone(),
        after,
    };
    let Ok(Answer::Receipts { receipts, last }) = client.ask(ask(None)).await else {
        panic!("no answer")
    };
    assert_eq!(receipts.0.len(), 1);
    assert_eq!(receipts.0[0].discarded.value(), Some("mine".into()));
    assert!(matches!(
        client.ask(ask(last)).await,
        Ok(Answer::Receipts { last: None, .. })
    ));
    let writes = vec![receipts.0[0].write.clone(), ack.write_id.unwrap()];
    let taken = client.ask(Ask::TakeReceipts(writes.into())).await;
    assert_eq!(taken, Ok(Answer::Taken(1)), "each once");
    assert!(matches!(
        client.ask(ask(None)).await,
        Ok(Answer::Receipts { last: None, .. })
    ));
}

#[tokio::test]
async fn a_clients_write_is_made_though_who_holds_it_was_not_heard() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [_agent] = wire.agents::<1>().await;
    // The write's own answer arrives.
    let link = LossyLink::new(wire.link(), 2);
    let name = AgentId::new("client").unwrap();
    let client = Client::connect(&link, team(), name, PATIENCE).await;
    let mut client = client.unwrap();
    let put = Operation::Put(1.into());
    let write = client.write_to_replicas(key("k"), put, None, 1, PATIENCE);
    let unheard = write.await.unwrap_err();
    assert!(link.has_lost());
    let RequestError::Unreached { asked, reached, .. } = &unheard else {
        panic!("{unheard}");
    };
    assert_eq!(
        (*asked, *reached),
        (Durability::Replicas(1), Durability::Hub)
    );
    assert!(unheard.to_string().contains("it stays"), "{unheard}");
    let version = hub.get_state_version(&team(), &key("k")).await.unwrap();
    assert_eq!(version, Some(Version::new(1)));
}
