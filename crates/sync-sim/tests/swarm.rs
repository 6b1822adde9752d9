//! Programs of users under the faults that they ask for.

use std::time::Duration;

use sync_core::Value;
use sync_sim::{Agent, Ending, Failure, Swarm};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn int(value: Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        _ => None,
    }
}

/// Whoever could not reach the hub while it looked says so.
async fn looks(agent: Agent) {
    agent.sleep(ms(150)).await;
    let knows = agent.compare_and_set("job", None, agent.name());
    let was_late = knows.await.is_err() && agent.now() > ms(300);
    agent
        .add("late", i64::from(was_late))
        .await
        .expect("a place on its disk");
}

#[test]
fn agents_are_cut_off_whether_they_are_counted_before_or_after() {
    let time = ms(100)..ms(500);
    let after = Swarm::seed(7).agents(5).partition([4], time.clone());
    let before = Swarm::seed(7).partition([4], time).agents(5);
    let [after, before] = [after, before].map(|swarm| swarm.run(looks).expect("an end"));
    assert_eq!(after.digest(), before.digest());
    assert_eq!(after.took(), before.took());
    let without = Swarm::seed(7).agents(5).run(looks).expect("an end");
    assert_ne!(without.took(), before.took());
}

#[test]
fn an_agent_that_is_not_there_is_named() {
    let nobody = |swarm: Swarm| swarm.run(async |_| ()).expect_err("nobody").to_string();
    let cut_off = nobody(Swarm::seed(1).agents(2).partition([2], ms(1)..ms(2)));
    assert!(cut_off.contains("agent 2 is to be cut off or to crash, and there are 2 agents"));
    let dead = nobody(Swarm::seed(1).crash([5], ms(1)));
    assert!(dead.contains("agent 5"), "{dead}");
}

/// Counts the starts of each agent, and does ten steps that it goes on with where it was.
async fn goes_on(agent: Agent) {
    agent.add("starts", 1).await.expect("a place on its disk");
    let at = format!("at-{}", agent.index());
    let done = |agent: &Agent| {
        let state = agent.get(at.as_str()).expect("a good key");
        state
            .and_then(|state| int(state.value?))
            .unwrap_or_default()
    };
    while done(&agent) < 10 {
        let next = done(&agent) + 1;
        agent
            .set(at.as_str(), next)
            .await
            .expect("a place on its disk");
        agent.add("steps", 1).await.expect("a place on its disk");
        agent.sleep(ms(20)).await;
    }
}

fn crashed(seed: u64) -> Result<Ending, Failure> {
    let swarm = Swarm::seed(seed).crash([0, 1], ms(70)).crash([1], ms(130));
    swarm.agents(3).run(goes_on)
}

#[test]
fn a_program_that_crashes_begins_anew_and_finds_its_state() {
    for seed in 0..20 {
        let ending = crashed(seed).expect("an end");
        let count = |key: &str| ending.get(key).and_then(|state| int(state.value?));
        assert_eq!(count("starts"), Some(6), "seed {seed}");
        let at = [0, 1, 2].map(|n| count(&format!("at-{n}")));
        assert_eq!(at, [Some(10); 3], "seed {seed}");
        // What it was at when it died it does once more, or not.
        let steps = count("steps").expect("some");
        assert!((27..=30).contains(&steps), "seed {seed}: {steps}");
    }
}

#[test]
fn crashes_of_a_seed_take_the_same_course() {
    let [first, second] = [1, 1].map(|seed| crashed(seed).expect("an end"));
    assert_eq!(first.digest(), second.digest());
    assert_eq!(first.took(), second.took());
}
