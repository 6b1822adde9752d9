//! Synchronization by priority and by schedule, through the drivers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_sync::{
    Covers, HubStatus, Key, MemoryStore, Pattern, PeriodicPlan, Policies, Policy, Priority,
    RequestError, StateSynchronizer, StateVersion, SynchronizerBuilder,
};
use sync_core::{AgentId, Body, Connection, Hello, Incarnation, Message, Role, codec};

use crate::support::{PATIENCE, Wire, eventually, flush, key, kind, team};

fn builder(wire: &Wire) -> SynchronizerBuilder {
    StateSynchronizer::builder(Arc::new(MemoryStore::new()), wire.coordinator())
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).expect("a pattern")
}

fn every(name: &str, interval_ms: u64) -> PeriodicPlan {
    let covers = Covers::Patterns(vec![pattern("*")]);
    PeriodicPlan::new(name, covers, Duration::from_millis(interval_ms))
}

fn ranked() -> Policies {
    let policy = |priority: Priority| {
        let mut policy = Policy::new(pattern(&format!("{priority}-*")));
        policy.priority = priority;
        policy
    };
    Policies::new(Priority::ALL.map(policy).into()).expect("a table")
}

/// Waits until the first plan is as `is` has it.
async fn plan_until(hub: &StateSynchronizer, is: impl Fn(&HubStatus) -> bool) -> HubStatus {
    eventually("a run", async || hub.status(&team()).await.ok().filter(&is)).await
}

/// A member that answers for no keys but critical ones.
async fn picky(wire: &Wire) -> tokio::task::JoinHandle<()> {
    let name = AgentId::new("picky").expect("a name");
    let run = Incarnation::from_random(7);
    let hello = Hello::new(team(), name, run, Role::Member);
    let mut connection = wire.link().connect(&hello).await.expect("the hub is there");
    let first = Body::DeltaRequest {
        request: 1,
        cursor: None,
        resume: None,
        policies: 0,
    };
    say(&mut connection, first).await;
    tokio::spawn(async move {
        while let Ok(frames) = connection.receiver.recv(1).await {
            for frame in frames {
                let message: Message = codec::decode(&frame).expect("the hub's own");
                let Body::StateRequest { round, part, keys } = message.body else {
                    continue;
                };
                if keys
                    .iter()
                    .all(|(key, _)| key.as_str().starts_with("critical"))
                {
                    let (index, frames) = (0, 1);
                    let answer = Body::StateResponse {
                        round,
                        part,
                        index,
                        frames,
                    };
                    say(&mut connection, answer).await;
                }
            }
        }
    })
}

async fn say(connection: &mut Connection, body: Body) {
    let frame = codec::encode(&body.into());
    let sent = connection.sender.send(vec![frame]).await;
    sent.expect("the hub reads");
}

#[tokio::test]
async fn what_is_scheduled_takes_place_and_is_quiet() {
    for wire in Wire::both().await {
        let hub = builder(&wire)
            .periodic(every("all", 20))
            .start()
            .await
            .unwrap();
        let [agent] = wire.agents::<1>().await;
        for n in 0..10 {
            agent.set(format!("k{n}").as_str(), n).await.unwrap();
        }
        flush(&agent).await;
        let revision = hub.status(&team()).await.unwrap().revision;
        let runs = |status: &HubStatus| {
            let line = &status.periodic[0];
            line.runs - line.failed
        };
        let before = runs(&hub.status(&team()).await.unwrap());
        let status = plan_until(&hub, |status| runs(status) >= before + 5).await;
        assert_eq!(status.revision, revision, "it has made something up");
        let line = &status.periodic[0];
        assert_eq!((line.name.as_str(), line.interval_ms), ("all", 20));
        hub.shutdown().await;
    }
}

#[tokio::test]
async fn a_schedule_can_be_replaced_while_it_runs() {
    let wire = Wire::memory();
    let hub = builder(&wire)
        .periodic(every("first", 20))
        .start()
        .await
        .unwrap();
    let [agent] = wire.agents::<1>().await;
    agent.set("k", 1).await.unwrap();
    plan_until(&hub, |status| status.periodic[0].runs > 0).await;
    let low = PeriodicPlan::of_priority(Priority::Low, Duration::from_mins(1));
    let second = every("second", 20).with_jitter(Duration::from_millis(5));
    hub.set_periodic(vec![second.clone(), low]).await.unwrap();
    let status = plan_until(&hub, |status| status.periodic[0].runs > 0).await;
    let names: Vec<&str> = status
        .periodic
        .iter()
        .map(|line| line.name.as_str())
        .collect();
    assert_eq!(names, ["second", "low"]);
    // What makes no sense changes nothing.
    let twice = hub.set_periodic(vec![second.clone(), second]).await;
    assert_eq!(kind(twice), "invalid");
    assert_eq!(hub.status(&team()).await.unwrap().periodic.len(), 2);
    hub.set_periodic(Vec::new()).await.unwrap();
    assert!(hub.status(&team()).await.unwrap().periodic.is_empty());
}

#[tokio::test]
async fn a_schedule_or_deadline_that_makes_no_sense_does_not_start() {
    let wire = Wire::memory();
    let day = Duration::from_hours(24);
    let start = [
        builder(&wire).periodic(every("all", 0)),
        builder(&wire)
            .periodic(every("all", 60))
            .periodic(every("all", 70)),
        builder(&wire).periodic(every("all", 60).with_jitter(day)),
        builder(&wire).deadline(Priority::Low, Duration::ZERO),
        builder(&wire).deadline(Priority::Critical, day),
    ];
    for builder in start {
        let error = builder.start().await.expect_err("it makes no sense");
        let sentence = error.to_string();
        assert!(
            sentence.contains("all") || sentence.contains("priority"),
            "{sentence}"
        );
    }
}

/// The caller of a shutdown waits for no round, and neither does the one that runs.
#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_run() {
    let wire = Wire::memory();
    let patient = every("all", 20).with_timeout(Duration::from_mins(10));
    let hub = builder(&wire).periodic(patient).start().await.unwrap();
    let _silent = picky(&wire).await;
    let mut client = wire.client().await;
    let named = swarm_sync::Operation::Put(1.into());
    client.write(key("plain"), named, None).await.unwrap();
    plan_until(&hub, |status| status.periodic[0].running).await;
    let start = Instant::now();
    hub.shutdown().await;
    assert!(start.elapsed() < PATIENCE, "it waited for a round");
}

/// Each class has its time; the one that nobody answers fails alone, with the reason.
#[tokio::test]
async fn the_report_names_the_keys_that_nobody_answered_for() {
    for wire in Wire::both().await {
        let brief = Duration::from_millis(50);
        let hub = builder(&wire)
            .policies(ranked())
            .deadline(Priority::Low, brief)
            .default_timeout(brief)
            .start()
            .await
            .unwrap();
        let _picky = picky(&wire).await;
        let keys: Vec<Key> = ["low-1", "critical-1", "plain", "critical-2"]
            .map(key)
            .into();
        let report = eventually("it has settled", async || {
            hub.synchronize_many(&team(), &keys, None).await.ok()
        })
        .await;
        assert_eq!(report.synchronized(), 2);
        let failed: Vec<&str> = report.failed().map(|line| line.key.as_str()).collect();
        assert_eq!(failed, ["low-1", "plain"]);
        let in_time = |line: &swarm_sync::KeyReport| {
            let reason = line.failed.as_ref();
            reason.is_some_and(|reason| reason.contains("within 50 ms"))
        };
        assert!(report.failed().all(in_time), "{report:?}");
        let asked: Vec<&Key> = report.keys.iter().map(|line| &line.key).collect();
        assert!(asked.into_iter().eq(&keys));
        // An agent and a client that name no time wait as long as the hub does.
        let report = wire.client().await.sync(keys.clone(), None).await.unwrap();
        assert_eq!(report.synchronized(), 2);
        let low = [key("low-1")];
        let error = hub.synchronize_many(&team(), &low, None).await;
        let expected = RequestError::NobodyAnswered {
            asked: 1,
            deadline_ms: 50,
        };
        assert_eq!(error, Err(expected));
    }
}

/// Those that say nothing in a policy are as they were.
#[tokio::test]
async fn a_periodic_run_of_a_priority_asks_for_its_keys() {
    let wire = Wire::memory();
    let plan = PeriodicPlan::of_priority(Priority::Critical, Duration::from_millis(20));
    let hub = builder(&wire)
        .policies(ranked())
        .periodic(plan)
        .start()
        .await
        .unwrap();
    let [agent] = wire.agents::<1>().await;
    agent.set("plain", 1).await.unwrap();
    flush(&agent).await;
    let status = plan_until(&hub, |status| status.periodic[0].runs > 0).await;
    assert_eq!(status.periodic[0].failed, 0, "there is nothing to do yet");
    assert_eq!(status.periodic[0].covers, "keys of critical priority");
    agent.set("critical-1", 1).await.unwrap();
    flush(&agent).await;
    plan_until(&hub, |status| status.periodic[0].last_failure.is_none()).await;
    let held: Option<StateVersion> = hub.get_state(&team(), &key("critical-1")).await.unwrap();
    assert!(held.is_some());
}
