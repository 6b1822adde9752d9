//! What a table of policies does through the tasks: functions that merge, what agents learn, typed keys.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use swarm_sync::{
    Agent, Durability, Key, MemoryStore, Merge, MergeRule, Merges, Pattern, Policies, Policy,
    Reason, Sibling, StateSynchronizer, Value, merge_fn,
};

use crate::support::{PATIENCE, Wire, converged, eventually, flush, key, kind, team};

fn policy(pattern: &str, change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = Policy::new(Pattern::new(pattern).expect("a pattern"));
    change(&mut policy);
    policy
}

pub(crate) fn merged_by(pattern: &str, function: &str) -> Policy {
    policy(pattern, |p| {
        p.rule = Some(MergeRule::Custom);
        p.merge = Some(function.to_owned());
    })
}

/// Asks somebody else, as a model or a service would be: the answer is not there at once.
struct Elsewhere;

#[async_trait]
impl Merge for Elsewhere {
    async fn merge(&self, _: &Key, siblings: &[Sibling]) -> Result<Value, String> {
        let count = siblings.len();
        let asked = tokio::spawn(async move { i64::try_from(count) });
        let answered = asked.await.map_err(|e| e.to_string())?;
        answered.map(Value::Int).map_err(|e| e.to_string())
    }
}

/// Asks somebody who never answers.
struct Nobody;

#[async_trait]
impl Merge for Nobody {
    async fn merge(&self, _: &Key, _: &[Sibling]) -> Result<Value, String> {
        std::future::pending().await
    }
}

async fn hub(wire: &Wire, policies: Vec<Policy>, merges: Merges) -> StateSynchronizer {
    StateSynchronizer::builder(Arc::new(MemoryStore::new()), wire.coordinator())
        .policies(Policies::new(policies).expect("a table"))
        .merges(merges)
        .merge_timeout(Duration::from_millis(300))
        .start()
        .await
        .expect("memory opens")
}

async fn race(name: &str, [a, b]: [&Agent; 2]) {
    for agent in [a, b] {
        agent.go_offline().await.expect("the agent is there");
    }
    a.set(name, 1).await.expect("the agent is there");
    b.set(name, 2).await.expect("the agent is there");
    for agent in [a, b] {
        agent.go_online().await.expect("the agent is there");
        flush(agent).await;
    }
}

#[tokio::test]
async fn functions_merge_and_what_they_do_wrong_is_said() {
    for wire in Wire::both().await {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let merges = Merges::new()
            .with("asks", Elsewhere)
            .with("hangs", Nobody)
            .with(
                "panics",
                merge_fn(move |_, _| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    // As a panic does, but for the report, which can take longer than the function may.
                    resume_unwind(Box::new("cannot do it"))
                }),
            );
        let table = ["asks", "hangs", "panics", "max"].map(|f| merged_by(f, f));
        let hub = hub(&wire, table.into(), merges).await;
        let [a, b] = wire.agents::<2>().await;
        for name in ["asks", "hangs", "panics", "max"] {
            race(name, [&a, &b]).await;
        }
        for (name, merged) in [("asks", 2), ("max", 2)] {
            eventually("one value", async || {
                let state = hub.get_state(&team(), &key(name)).await.ok()??;
                (state.value == Some(Value::Int(merged)) && state.siblings.is_empty()).then_some(())
            })
            .await;
        }
        for (name, said) in [
            ("hangs", "took longer than 300 ms"),
            ("panics", "cannot do it"),
        ] {
            let state = eventually("a reason", async || {
                let state = hub.get_state(&team(), &key(name)).await.ok()??;
                state.metadata.unmerged.is_some().then_some(state)
            })
            .await;
            assert!(
                state
                    .metadata
                    .unmerged
                    .is_some_and(|why| why.contains(said))
            );
            assert_eq!(state.siblings.len(), 2, "{name}: both stay");
        }
        assert_eq!(
            calls.load(Ordering::SeqCst),
            1,
            "not tried again at once on the same values"
        );
        converged(&hub, &[&a, &b]).await;
        let told = eventually("receipts of what was merged", async || {
            let receipts = a.receipts().await.ok()?;
            (receipts.len() == 2).then_some(receipts)
        })
        .await;
        assert!(
            told.iter()
                .all(|r| matches!(r.reason, Reason::Merged { .. })),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn a_function_that_is_not_there_is_found_out_before_it_is_needed() {
    let wire = Wire::memory();
    let hub = hub(&wire, Vec::new(), Merges::new()).await;
    let table = Policies::new(vec![merged_by("*", "unheard-of")]).expect("a table");
    let refused = hub
        .set_policies(table)
        .await
        .expect_err("nobody has that function");
    assert_eq!(refused.kind(), "invalid");
    assert!(refused.to_string().contains("unheard-of"), "{refused}");
    assert!(hub.policies(&team()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_table_put_in_force_reaches_agents_and_decides_what_a_write_waits_for() {
    for wire in Wire::both().await {
        let hub = hub(&wire, Vec::new(), Merges::new()).await;
        let [agent] = wire.agents::<1>().await;
        let table = vec![policy("safe*", |p| p.durability = Some(Durability::Hub))];
        hub.set_policies(Policies::new(table).expect("a table"))
            .await
            .unwrap();
        eventually("the agent knows", async || {
            (!agent.policies().await.ok()?.is_empty()).then_some(())
        })
        .await;
        assert_eq!(
            agent.set("safe", 1).await.unwrap().durability,
            Durability::Hub
        );
        assert_eq!(
            agent.set("other", 1).await.unwrap().durability,
            Durability::Memory
        );
        let at_hub = hub.get_state(&team(), &key("safe")).await.unwrap().unwrap();
        assert_eq!(at_hub.value, Some(Value::Int(1)));
    }
}

#[tokio::test]
async fn typed_keys_read_and_write_what_they_are() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [a, b] = wire.agents::<2>().await;
    let (count, tags, config) = (a.counter("count"), a.set_of("tags"), a.map("config"));
    assert_eq!(count.get().await.unwrap(), 0);
    count.add(42).await.unwrap();
    b.counter("count").add(-2).await.unwrap();
    tags.insert("red").await.unwrap();
    tags.insert("blue").await.unwrap();
    tags.remove("red").await.unwrap();
    config.put("retries", 3).await.unwrap();
    b.map("config").put("mode", "fast").await.unwrap();
    a.register("owner").set("a").await.unwrap();
    for agent in [&a, &b] {
        flush(agent).await;
    }
    converged(&hub, &[&a, &b]).await;
    assert_eq!(count.get().await.unwrap(), 40);
    assert!(tags.contains(&"blue".into()).await.unwrap());
    assert_eq!(tags.elements().await.unwrap(), ["blue".into()]);
    assert_eq!(config.get("mode").await.unwrap(), Some("fast".into()));
    assert_eq!(config.fields().await.unwrap().len(), 2);
    config.unset("mode").await.unwrap();
    assert_eq!(config.get("mode").await.unwrap(), None);
    let owner = b.register("owner").get().await.unwrap().unwrap();
    assert_eq!(owner.value, Some("a".into()));
    // The wrong type, a name that is none, a key that is none.
    assert_eq!(kind(b.counter("tags").get().await), "operation");
    assert_eq!(kind(b.counter("tags").add(1).await), "operation");
    // A value that only looks like one.
    let list: Vec<Value> = vec![1.into(), 1.into()];
    a.register("list").set(list).await.unwrap();
    a.register("number").set(7).await.unwrap();
    assert_eq!(kind(a.set_of("list").elements().await), "operation");
    assert_eq!(kind(a.counter("number").get().await), "operation");
    assert_eq!(kind(config.put("", 1).await), "invalid");
    assert_eq!(kind(a.counter("").add(1).await), "invalid");
    config.delete().await.unwrap();
    assert!(config.fields().await.unwrap().is_empty());
}

/// A file that is read as slowly as the test wants: each reading takes one table out of the channel.
fn slow_file(tables: std::sync::mpsc::Receiver<Policies>) -> impl Fn() -> Result<Policies, String> {
    let tables = std::sync::Mutex::new(tables);
    move || {
        let tables = tables.lock().map_err(|e| e.to_string())?;
        tables.recv_timeout(PATIENCE).map_err(|e| e.to_string())
    }
}

/// A table by which it can be told from others.
fn table(pattern: &str) -> Policies {
    Policies::new(vec![policy(pattern, |p| p.rule = Some(MergeRule::Set))]).expect("a table")
}

fn patterns(policies: &[Policy]) -> Vec<&str> {
    policies.iter().map(|p| p.pattern.as_str()).collect()
}

#[tokio::test]
async fn a_hub_goes_on_while_its_policies_are_read() {
    let wire = Wire::memory();
    let (file, tables) = std::sync::mpsc::channel();
    let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), wire.coordinator())
        .policy_source(slow_file(tables))
        .start()
        .await
        .expect("memory opens");
    let mut client = wire.client().await;
    let reload = tokio::spawn(async move {
        let first = client.reload_policies().await;
        (client, first)
    });
    let [agent] = wire.agents::<1>().await;
    for n in 0..10 {
        agent.set("k", n).await.unwrap();
        flush(&agent).await;
    }
    // Another table meanwhile is not what was asked for.
    hub.set_policies(table("mine")).await.unwrap();
    assert_eq!(
        patterns(&hub.policies(&team()).await.unwrap()),
        vec!["mine"]
    );
    assert!(!reload.is_finished());
    file.send(table("file")).unwrap();
    let (_client, reloaded) = reload.await.unwrap();
    assert_eq!(patterns(&reloaded.unwrap()), vec!["file"]);
    assert_eq!(
        patterns(&hub.policies(&team()).await.unwrap()),
        vec!["file"]
    );
}

#[tokio::test]
async fn the_process_of_a_hub_has_its_policies_read_anew_or_hears_why_not() {
    let wire = Wire::memory();
    let (file, tables) = std::sync::mpsc::channel();
    let tables = std::sync::Mutex::new(tables);
    let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), wire.coordinator())
        .policy_source(move || {
            let tables = tables.lock().map_err(|e| e.to_string())?;
            tables.recv().map_err(|e| e.to_string())?
        })
        .start()
        .await
        .expect("memory opens");
    let held = async || {
        let policies = hub.policies(&team()).await.unwrap();
        patterns(&policies).join(" ")
    };
    file.send(Ok(table("file"))).unwrap();
    hub.reload_policies().await.unwrap();
    assert_eq!(held().await, "file");
    file.send(Err("p.toml:1: no".to_owned())).unwrap();
    let refused = hub.reload_policies().await.unwrap_err();
    assert_eq!(refused.kind(), "invalid");
    assert!(refused.to_string().contains("p.toml:1: no"), "{refused}");
    assert_eq!(held().await, "file");
}
