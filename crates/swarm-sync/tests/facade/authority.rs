//! Compare-and-set and claims between agents.

use std::sync::Arc;
use std::time::Duration;

use swarm_sync::{Agent, Expected, MemoryStore, Pattern, RequestError, Transaction, Version};

use crate::held::LossyLink;
use crate::support::{PATIENCE, Wire, converged, eventually, key, kind, team};

#[tokio::test]
async fn of_many_who_set_the_same_version_one_does() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let agents = wire.agents::<4>().await;
        let tries = agents.each_ref().map(|agent| {
            let agent = agent.clone();
            tokio::spawn(async move {
                let mut won = 0;
                for version in 0..20 {
                    let set = agent.compare_and_set("turn", Version::new(version), "mine");
                    match set.await {
                        Ok(_) => won += 1,
                        Err(RequestError::Conflict { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                won
            })
        });
        let mut won = 0;
        for one in tries {
            won += one.await.unwrap();
        }
        let version = hub.get_state_version(&team(), &key("turn")).await.unwrap();
        assert_eq!(version, Some(Version::new(won)), "as often as it says");
        converged(&hub, &agents.each_ref()).await;
        for agent in &agents {
            assert!(agent.receipts().await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn a_client_and_the_hub_decide_alike() {
    let wire = Wire::tcp("127.0.0.1:0").await;
    let hub = wire.memory_hub().await;
    let client = wire.client().await.authority(wire.link(), None);
    let here = hub.authority(&team());
    let set = client.compare_and_set(key("k"), Expected::ABSENT, 1);
    let version = set.await.unwrap().versions.0[0].1;
    let late = here.compare_and_set(key("k"), Expected::ABSENT, 2).await;
    assert_eq!(kind(late), "conflict");
    here.compare_and_delete(key("k"), version).await.unwrap();
    let lease = client.claim(key("c"), PATIENCE).await.unwrap();
    assert_eq!(kind(here.claim(key("c"), PATIENCE).await), "claimed");
    client.renew(&lease, PATIENCE).await.unwrap();
    client.release(&lease).await.unwrap();
    here.claim(key("c"), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_decision_asked_for_over_a_lost_connection_is_made_once() {
    for wire in Wire::both().await {
        let hub = wire.memory_hub().await;
        let link = LossyLink::new(wire.link(), 1);
        let agent = Agent::builder("agent", link.clone()).swarm("team").start();
        let agent = agent.await.unwrap();
        agent.wait_in_step(PATIENCE).await.unwrap();
        agent.go_offline().await.unwrap();
        let cut = agent.compare_and_set("k", Expected::ABSENT, 1).await;
        assert_eq!(kind(cut), "unavailable");
        agent.go_online().await.unwrap();
        agent.wait_in_step(PATIENCE).await.unwrap();
        assert!(!link.has_lost(), "nothing was asked yet");
        let set = agent.compare_and_set("k", Expected::ABSENT, 1).await;
        let version = set.unwrap().versions.0[0].1;
        assert!(link.has_lost(), "the answer, and the connection with it");
        assert_eq!(version, Some(Version::new(1)), "the first one's answer");
        let version = hub.get_state_version(&team(), &key("k")).await.unwrap();
        assert_eq!(version, Some(Version::new(1)), "it was made once");
    }
}

/// How many tasks there are.
const TASKS: usize = 1_000;

/// Long enough to do a task, short enough that those of the dead come back soon.
const LEASE: Duration = Duration::from_millis(500);

/// Takes tasks, each with a claim, until all are done. One that dies does so with a claim in its hands.
async fn work(agent: Agent, offset: usize, dies_after: Option<usize>) -> usize {
    let authority = agent.authority().within(PATIENCE);
    let mut done = 0;
    let tasks = Pattern::new("task/*").expect("a pattern");
    let mut changes = agent.watch(tasks, None);
    loop {
        let mut open = 0;
        for n in 0..TASKS {
            let n = (n + offset) % TASKS;
            let (task, result) = (key(&format!("task/{n}")), key(&format!("done/{n}")));
            if agent.get(result.clone()).await.expect("it runs").is_some() {
                continue;
            }
            open += 1;
            // Somebody else is at it.
            let Ok(claim) = authority.claim(task.clone(), LEASE).await else {
                continue;
            };
            if dies_after == Some(done) {
                return done;
            }
            let finish = Transaction::new()
                .expect_claim(task.clone(), claim.token)
                .expect(result.clone(), Expected::ABSENT)
                .set(result, "done")
                .delete(task);
            match authority.commit(finish).await {
                Ok(_) => done += 1,
                // It was done before it was claimed: this replica had not heard.
                Err(RequestError::Conflict { .. }) => {
                    // Unless its time is over by now.
                    let _ = authority.release(&claim).await;
                }
                // Too slow: it is somebody else's.
                Err(RequestError::StaleToken { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        if open == 0 {
            return done;
        }
        // What is left is claimed: by others, or by the dead until their leases end.
        let change = tokio::time::timeout(PATIENCE, changes.next()).await;
        change.expect("a lease ends").expect("the hub is there");
        // One more look is worth all that has happened by now.
        while let Ok(Ok(_)) = tokio::time::timeout(Duration::ZERO, changes.next()).await {}
    }
}

#[tokio::test]
async fn eight_agents_complete_a_thousand_tasks_once_each_though_two_die() {
    let wire = Wire::memory();
    let hub = wire.hub(Arc::new(MemoryStore::new())).await;
    let agents = wire.agents::<8>().await;
    let workers = agents.iter().enumerate().map(|(n, agent)| {
        let dies_after = (n < 2).then_some(20 * (n + 1));
        tokio::spawn(work(agent.clone(), n * TASKS / 8, dies_after))
    });
    let mut done = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        done.push(worker.await.unwrap());
    }
    assert_eq!(done.iter().sum::<usize>(), TASKS, "{done:?}");
    assert_eq!(done[..2], [20, 40], "they died with a claim");
    for n in 0..TASKS {
        let result = key(&format!("done/{n}"));
        let version = hub.get_state_version(&team(), &result).await.unwrap();
        assert_eq!(version, Some(Version::new(1)), "task {n}");
    }
    eventually("no claim is left", || async {
        let claims = agents[7]
            .keys(Pattern::new("task/*").unwrap())
            .await
            .unwrap();
        claims.is_empty().then_some(())
    })
    .await;
}
