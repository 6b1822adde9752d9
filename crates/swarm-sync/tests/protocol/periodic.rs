//! What the hub synchronizes by itself: at its times, quietly, and never twice at once.

use std::time::Duration;

use sync_core::{Answer, Ask, Body, Pattern, PeriodicStatus, Priority, Role, Value};
use sync_protocol::{Covers, HubConfig, Limits, PeriodicPlan, Schedule};

use crate::stage::{AgentSide, HubSide, hub_config, policy, put, talk};

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

pub(crate) fn covering(patterns: &[&str]) -> Covers {
    let patterns = patterns
        .iter()
        .map(|p| Pattern::new(*p).expect("a pattern"));
    Covers::Patterns(patterns.collect())
}

pub(crate) fn every_minute(patterns: &[&str]) -> PeriodicPlan {
    PeriodicPlan::new("all", covering(patterns), MINUTE)
}

fn schedule(plans: &[PeriodicPlan]) -> Schedule {
    Schedule::new(plans.to_vec(), &Limits::default()).expect("a schedule")
}

pub(crate) fn hub_with(plans: &[PeriodicPlan], change: impl FnOnce(&mut HubConfig)) -> HubSide {
    let mut config = hub_config();
    config.schedule = schedule(plans);
    change(&mut config);
    let mut hub = HubSide::with(config);
    // From here on it knows the time.
    hub.pass(Duration::ZERO);
    hub
}

/// A hub with these plans and two agents that are in step with it.
pub(crate) fn planned_trio(plans: &[PeriodicPlan]) -> (HubSide, AgentSide, AgentSide) {
    let mut hub = hub_with(plans, |_| {});
    let (mut a, mut b) = (AgentSide::new("a"), AgentSide::new("b"));
    a.connect(&mut hub, 1);
    b.connect(&mut hub, 2);
    talk(&mut hub, &mut [&mut a, &mut b]);
    (hub, a, b)
}

fn status(hub: &mut HubSide) -> Vec<PeriodicStatus> {
    match hub.ask(Ask::Status) {
        Some(Ok(Answer::Status(status))) => status.periodic,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn the_one(hub: &mut HubSide) -> PeriodicStatus {
    status(hub).remove(0)
}

/// Lets the hub and the agents do what is due, as a driver would.
pub(crate) fn turn(hub: &mut HubSide, agents: &mut [&mut AgentSide]) {
    for _ in 0..100 {
        talk(hub, agents);
        if hub.hub.poll_timeout().is_none_or(|due| due > hub.mono) {
            return;
        }
        hub.pass(Duration::ZERO);
    }
    panic!("it never rests");
}

#[test]
fn a_plan_becomes_a_round_at_its_time() {
    let (mut hub, mut a, mut b) = planned_trio(&[every_minute(&["*"])]);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.write("k", put(2));
    // The push is lost on the way.
    a.said.clear();
    assert_eq!(hub.hub.poll_timeout(), Some(MINUTE));
    hub.pass(Duration::from_millis(59_999));
    assert!(hub.said.is_empty());
    hub.pass(Duration::from_millis(1));
    assert!(the_one(&mut hub).running);
    turn(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("k"), Some(Value::Int(2)));
    let line = the_one(&mut hub);
    assert_eq!(
        (line.runs, line.changed, line.failed, line.missed),
        (1, 1, 0, 0)
    );
    assert_eq!((line.running, line.next_in_ms), (false, 60_000));
    assert_eq!((line.name.as_str(), line.covers.as_str()), ("all", "*"));
    assert!(hub.runs_of_plans[0].changed);
}

/// No revision, no row, no value: one question with a digest and an empty answer.
#[test]
fn a_run_that_finds_nothing_is_quiet() {
    let (mut hub, mut a, mut b) = planned_trio(&[every_minute(&["*"])]);
    for n in 0..20 {
        a.write(&format!("k{n}"), put(n));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    let (revision, batches) = (hub.hub.revision(), hub.disk.submitted());
    let theirs = (a.disk.submitted(), b.disk.submitted());
    hub.pass(MINUTE);
    let questions = std::mem::take(&mut hub.said);
    assert_eq!(questions.len(), 2, "one to each");
    for (session, message) in questions {
        assert!(matches!(message.body, Body::Sweep { .. }), "{message:?}");
        assert_eq!(message.segment_bytes(), 0);
        let agent = if a.session == Some(session) {
            &mut a
        } else {
            &mut b
        };
        agent.hear(message);
        agent.settle();
        for answer in std::mem::take(&mut agent.said) {
            assert_eq!(answer.segment_bytes(), 0, "{answer:?}");
            hub.hear(session, answer);
        }
    }
    turn(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.hub.revision(), revision);
    assert_eq!(hub.disk.submitted(), batches, "it has stored something");
    assert_eq!((a.disk.submitted(), b.disk.submitted()), theirs);
    let line = the_one(&mut hub);
    assert_eq!((line.runs, line.changed, line.failed), (1, 0, 0));
    let run = &hub.runs_of_plans[0];
    assert_eq!(
        (run.synchronized, run.changed, run.turned),
        (20, false, false)
    );
}

/// What was due while a run was under way, or while the process slept, is counted and not made up for.
#[test]
fn missed_ticks_are_counted_and_not_piled_up() {
    let (mut hub, mut a, mut b) =
        planned_trio(&[every_minute(&["k"]).with_timeout(Duration::from_secs(150))]);
    hub.pass(MINUTE);
    // Nobody answers until the deadline, two and a half intervals later.
    hub.said.clear();
    hub.pass(Duration::from_secs(149));
    assert!(hub.said.is_empty(), "one at a time");
    hub.pass(Duration::from_secs(1));
    hub.settle();
    let line = the_one(&mut hub);
    assert_eq!((line.runs, line.failed, line.missed), (1, 1, 2));
    assert_eq!(line.next_in_ms, 30_000, "the next is on the grid");
    // The process is stopped for an hour and a bit.
    hub.pass(Duration::from_secs(3_600 + 45));
    turn(&mut hub, &mut [&mut a, &mut b]);
    let line = the_one(&mut hub);
    assert_eq!((line.runs, line.failed, line.missed), (2, 1, 2 + 60));
    assert_eq!(line.next_in_ms, 45_000);
    assert_eq!(line.last_failure, None);
}

/// It says so once, and counts.
#[test]
fn nobody_connected_is_quiet() {
    let mut hub = hub_with(&[every_minute(&["k"])], |_| {});
    for _ in 0..3 {
        hub.pass(MINUTE);
        hub.settle();
    }
    assert!(hub.said.is_empty());
    let line = the_one(&mut hub);
    assert_eq!((line.runs, line.failed, line.missed), (3, 3, 0));
    assert!(line.last_failure.unwrap().contains("no agent is connected"));
    let turned =
        |hub: &HubSide| -> Vec<bool> { hub.runs_of_plans.iter().map(|run| run.turned).collect() };
    assert_eq!(turned(&hub), [true, false, false]);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    hub.pass(MINUTE);
    turn(&mut hub, &mut [&mut a]);
    assert_eq!(turned(&hub), [true, false, false, true]);
    assert_eq!(the_one(&mut hub).last_failure, None);
}

/// Agents are asked all the same: they may hold one that is not here. Where they do not, all is done.
#[test]
fn a_plan_that_covers_no_key_yet_has_nothing_to_do_and_does_not_fail() {
    let (mut hub, mut a, mut b) = planned_trio(&[every_minute(&["nothing_*"])]);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.pass(MINUTE);
    turn(&mut hub, &mut [&mut a, &mut b]);
    let line = the_one(&mut hub);
    assert_eq!((line.runs, line.changed, line.failed), (1, 0, 0));
    assert_eq!(line.last_failure, None);
    let run = &hub.runs_of_plans[0];
    assert_eq!((run.synchronized, run.turned), (0, false));
}

/// A key that is spelled out is asked for before anybody has written it at the hub.
#[test]
fn a_key_that_is_named_need_not_be_there() {
    let (mut hub, mut a, mut b) = planned_trio(&[every_minute(&["task_queue", "log_*"])]);
    a.write("task_queue", put(1));
    a.said.clear();
    hub.pass(MINUTE);
    turn(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(hub.value("task_queue"), Some(Value::Int(1)));
}

#[test]
fn a_plan_of_a_priority_covers_the_keys_that_policies_give_it() {
    let plan = PeriodicPlan::of_priority(Priority::Critical, MINUTE);
    let (mut hub, mut a, mut b) = planned_trio(&[plan]);
    hub.govern(vec![
        policy("task_*", |p| p.priority = Priority::Critical),
        policy("task_log", |p| p.priority = Priority::Low),
        policy("leader", |p| p.priority = Priority::Critical),
    ]);
    talk(&mut hub, &mut [&mut a, &mut b]);
    for name in ["task_1", "task_2", "task_log", "other"] {
        a.write(name, put(1));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.pass(MINUTE);
    let (_, message) = &hub.said[0];
    let Body::Sweep { scope, .. } = &message.body else {
        panic!("{message:?}")
    };
    assert_eq!(scope.priority, Priority::Critical);
    // Such a round waits as long as its priority says.
    assert_eq!(
        hub.hub.poll_timeout(),
        Some(MINUTE + Duration::from_secs(30))
    );
    assert_eq!(the_one(&mut hub).covers, "keys of critical priority");
    turn(&mut hub, &mut [&mut a, &mut b]);
    // One that is spelled out is among them although nobody has written it.
    assert_eq!(hub.runs_of_plans[0].synchronized, 3);
}

/// Many keys are counted a few at a time, so that the hub does other things in between.
#[test]
fn many_keys_are_walked_through() {
    let patterns: Vec<String> = (0..10).map(|n| format!("k{n}*")).collect();
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let mut hub = hub_with(&[every_minute(&patterns)], |_| {});
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    for n in 0..2_500 {
        a.write(&format!("k{n:04}"), put(n));
        a.write(&format!("other{n:04}"), put(n));
    }
    talk(&mut hub, &mut [&mut a]);
    hub.pass(MINUTE);
    let mut turns = 0;
    while hub.runs_of_plans.is_empty() {
        talk(&mut hub, &mut [&mut a]);
        assert!(hub.hub.poll_timeout().is_some_and(|due| due <= hub.mono));
        hub.pass(Duration::ZERO);
        turns += 1;
    }
    assert!((2..100).contains(&turns), "{turns}");
    assert_eq!(hub.runs_of_plans[0].synchronized, 2_500);
    assert_eq!(the_one(&mut hub).runs, 1);
}

/// A hub that synchronizes thirty keys every minute, ten of them of high priority, and the agent that
/// holds them.
fn ten_of_thirty() -> (HubSide, AgentSide) {
    let mut hub = hub_with(&[every_minute(&["k*"])], |_| {});
    hub.govern(vec![policy("k1*", |p| p.priority = Priority::High)]);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    for n in 10..40 {
        a.write(&format!("k{n}"), put(n));
    }
    talk(&mut hub, &mut [&mut a]);
    hub.pass(MINUTE);
    (hub, a)
}

/// A deadline that passes costs its own keys; the others are asked for all the same.
#[test]
fn what_nobody_answered_for_does_not_keep_a_run_from_the_rest() {
    let (mut hub, mut a) = ten_of_thirty();
    // The first question is lost, and with it what the agent has written there meanwhile.
    assert_eq!(hub.said.len(), 2, "one for each priority");
    hub.said.remove(0);
    for name in ["k10", "k20"] {
        a.write(name, put(-1));
    }
    a.said.clear();
    talk(&mut hub, &mut [&mut a]);
    hub.pass(Duration::from_secs(10));
    turn(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k10"), Some(Value::Int(10)));
    assert_eq!(hub.value("k20"), Some(Value::Int(-1)));
    let line = the_one(&mut hub);
    assert_eq!((line.runs, line.failed, line.running), (1, 1, false));
    let reason = line.last_failure.unwrap();
    assert!(
        reason.starts_with("20 of 30 keys were synchronized: ") && reason.contains("10000 ms"),
        "{reason}"
    );
    assert_eq!(hub.runs_of_plans[0].synchronized, 20);
}

/// Nothing is left to wait for: the next run tries anew.
#[test]
fn a_run_ends_once_nobody_is_connected() {
    let (mut hub, mut a) = ten_of_thirty();
    a.cut(&mut hub);
    for _ in 0..3 {
        hub.pass(Duration::ZERO);
        hub.settle();
    }
    let line = the_one(&mut hub);
    assert_eq!((line.runs, line.failed, line.running), (1, 1, false));
    let reason = line.last_failure.unwrap();
    assert!(reason.contains("no agent is connected"), "{reason}");
}

/// Every plan and swarm is late by something else, always the same in one run of the hub.
#[test]
fn jitter_makes_a_run_late_by_a_part_of_it() {
    let jitter = Duration::from_secs(20);
    let plan = |name: &str| PeriodicPlan::new(name, covering(&["k"]), MINUTE).with_jitter(jitter);
    let plans = [plan("one"), plan("two")];
    let waits = || -> Vec<u64> {
        let mut hub = hub_with(&plans, |_| {});
        status(&mut hub)
            .iter()
            .map(|line| line.next_in_ms)
            .collect()
    };
    let first = waits();
    assert_eq!(first, waits());
    assert_ne!(first[0], first[1]);
    assert!(
        first.iter().all(|ms| (60_000..=80_000).contains(ms)),
        "{first:?}"
    );
}

/// Another schedule: a plan that stays goes on, one that goes takes its round with it.
#[test]
fn a_schedule_can_be_replaced() {
    let other = PeriodicPlan::new("other", covering(&["k"]), 2 * MINUTE);
    let (mut hub, ..) = planned_trio(&[every_minute(&["k"]), other.clone()]);
    hub.pass(MINUTE);
    assert!(status(&mut hub)[0].running);
    let third = PeriodicPlan::of_priority(Priority::Low, MINUTE);
    let next = schedule(&[other, third]);
    hub.hub.set_schedule(hub.now(), next);
    hub.settle();
    let names: Vec<String> = status(&mut hub).into_iter().map(|line| line.name).collect();
    assert_eq!(names, ["other", "low"]);
    // The round of the first is gone; the second goes on, due when it was.
    hub.pass(Duration::ZERO);
    assert_eq!(hub.hub.poll_timeout(), Some(2 * MINUTE));
    hub.hub.set_schedule(hub.now(), Schedule::default());
    assert_eq!(hub.hub.poll_timeout(), None);
    assert!(status(&mut hub).is_empty());
}

/// A swarm that nobody uses leaves no trace, whatever is scheduled.
#[test]
fn a_schedule_makes_nothing_of_a_swarm_that_nobody_uses() {
    let mut hub = hub_with(&[every_minute(&["k"])], |_| {});
    for _ in 0..3 {
        hub.pass(MINUTE);
    }
    hub.settle();
    assert!(hub.hub.is_blank());
    assert_eq!(hub.disk.submitted(), 0);
    let client = hub.connect(9, "client", Role::Client);
    assert!(!hub.hub.is_blank());
    hub.hub.handle_disconnected(hub.now(), client);
    assert!(hub.hub.is_blank());
}

/// Its store has failed: nothing is asked for any more, and nothing wakes it.
#[test]
fn a_hub_whose_store_has_failed_runs_nothing() {
    let (mut hub, mut a, _b) = planned_trio(&[every_minute(&["*"])]);
    a.write("k", put(1));
    for message in std::mem::take(&mut a.said) {
        hub.hear(a.session.unwrap(), message);
    }
    let token = hub.disk.complete().expect("a batch is under way");
    hub.hub
        .handle_persisted(hub.now(), token, Err("gone".to_owned()));
    hub.drain();
    assert_eq!(hub.hub.poll_timeout(), None);
    hub.pass(MINUTE);
    assert!(hub.runs_of_plans.is_empty());
}
