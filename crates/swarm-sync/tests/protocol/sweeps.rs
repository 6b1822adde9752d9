//! What a run of the schedule asks and gathers, what that costs, and who it goes without.

use std::time::Duration;

use sync_core::{AgentId, Body, Message, Operation, Priority, SessionId, Value, codec};
use sync_protocol::{PeriodicPlan, PeriodicRun};

use crate::periodic::{MINUTE, every_minute, hub_with, planned_trio, the_one, turn};
use crate::stage::{AgentSide, HubSide, policy, put, talk};

fn bytes(message: &Message) -> usize {
    codec::encode(message).to_bytes().len()
}

/// Lets the agents answer what a run has asked. The answers, not yet heard by the hub; all else waits.
fn ask(hub: &mut HubSide, agents: &mut [&mut AgentSide]) -> (Vec<Message>, Vec<Message>) {
    hub.settle();
    let is_question = |said: &(SessionId, Message)| matches!(said.1.body, Body::Sweep { .. });
    let (asked, other) = std::mem::take(&mut hub.said)
        .into_iter()
        .partition(is_question);
    hub.said = other;
    let asked: Vec<(SessionId, Message)> = asked;
    let mut answers = Vec::new();
    for (session, message) in &asked {
        let mut to = agents.iter_mut().filter(|a| a.session == Some(*session));
        let agent = to.next().expect("it is connected");
        agent.hear(message.clone());
        agent.settle();
        let is_answer = |said: &Message| matches!(said.body, Body::Swept { .. });
        let (told, other) = std::mem::take(&mut agent.said)
            .into_iter()
            .partition(is_answer);
        agent.said = other;
        let mut told: Vec<Message> = told;
        answers.append(&mut told);
    }
    let questions = asked.into_iter().map(|(_, message)| message);
    (questions.collect(), answers)
}

/// What a run over so many keys costs where nothing differs: bytes to and from each agent.
fn quiet_run(pattern: &str, keys: usize) -> (usize, usize) {
    let (mut hub, mut a, mut b) = planned_trio(&[every_minute(&[pattern])]);
    for n in 0..keys {
        a.write(&format!("task_{n:06}"), put(1));
    }
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.pass(MINUTE);
    let (questions, answers) = ask(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!((questions.len(), answers.len()), (2, 2), "one to each");
    let cost = |messages: &[Message]| messages.iter().map(bytes).max().unwrap_or_default();
    (cost(&questions), cost(&answers))
}

/// The state is not sent, nor named: what it costs is the same for one key and for thousands.
#[test]
fn a_quiet_run_costs_the_same_few_bytes_however_many_keys() {
    for pattern in ["*", "task_*"] {
        let (few, many) = (quiet_run(pattern, 1), quiet_run(pattern, 5_000));
        assert_eq!(few, many, "{pattern}");
        assert!(many.0 <= 64 && many.1 <= 32, "{pattern}: {many:?}");
    }
}

/// Nobody has it but its writer, and no message of its writer has arrived.
#[test]
fn a_new_key_is_gathered_by_a_plan_that_does_not_name_it() {
    let plans = [
        every_minute(&["*"]),
        every_minute(&["nothing", "k_*"]),
        PeriodicPlan::of_priority(Priority::High, MINUTE),
        PeriodicPlan::of_priority(Priority::Medium, MINUTE),
    ];
    let gathers = [(true, true), (true, false), (true, false), (false, true)];
    for (plan, (new, other)) in plans.into_iter().zip(gathers) {
        let (mut hub, mut a, mut b) = planned_trio(std::slice::from_ref(&plan));
        hub.govern(vec![policy("k_*", |p| p.priority = Priority::High)]);
        talk(&mut hub, &mut [&mut a, &mut b]);
        a.write("k_new", put(1));
        a.write("other", put(2));
        // The pushes are lost on the way.
        a.said.clear();
        hub.pass(MINUTE);
        turn(&mut hub, &mut [&mut a, &mut b]);
        let values = (b.value("k_new"), b.value("other"));
        let expected = (new.then_some(Value::Int(1)), other.then_some(Value::Int(2)));
        assert_eq!(values, expected, "{plan:?}");
        let run = &hub.runs_of_plans[0];
        assert!(run.changed && run.failure.is_none(), "{run:?}");
    }
}

/// A removal waits like any other write.
#[test]
fn a_removal_is_gathered_too() {
    let (mut hub, mut a, mut b) = planned_trio(&[every_minute(&["k*"])]);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b]);
    a.write("k", Operation::Delete);
    a.said.clear();
    hub.pass(MINUTE);
    turn(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(b.value("k"), None);
}

/// What waits may be more than a page: the next one is asked for once the one before is here.
#[test]
fn what_is_more_than_a_page_comes_page_by_page() {
    let mut hub = hub_with(&[every_minute(&["k*"])], |_| {});
    // Its push is out, so that an answer takes an eighth of a page.
    let mut a = AgentSide::with("a", |config| config.limits.page_bytes = 8_000);
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    for n in 0..20 {
        a.write(&format!("k{n}"), put("x".repeat(300)));
        a.write(&format!("other{n}"), put("x".repeat(300)));
    }
    a.said.clear();
    hub.pass(MINUTE);
    let mut pages = 0;
    loop {
        let (questions, answers) = ask(&mut hub, &mut [&mut a]);
        if questions.is_empty() {
            break;
        }
        assert_eq!((questions.len(), answers.len()), (1, 1), "one at a time");
        assert!(answers[0].segment_bytes() <= 1_000);
        let Body::Sweep { part, .. } = questions[0].body else {
            panic!("{questions:?}")
        };
        assert_eq!(part, pages);
        pages += 1;
        hub.hear(SessionId(1), answers[0].clone());
    }
    assert!((7..=20).contains(&pages), "{pages}");
    turn(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k19"), Some(Value::from("x".repeat(300))));
    assert_eq!(hub.value("other19"), None);
    let line = the_one(&mut hub);
    assert_eq!((line.runs, line.changed, line.failed), (1, 1, 0));
}

/// An agent looks at a part of what waits before it answers, so that it does other things in between.
#[test]
fn many_writes_that_wait_are_looked_through_in_parts() {
    let mut patterns: Vec<String> = (0..60).map(|n| format!("a{n}*b*c")).collect();
    patterns.push("z*".to_owned());
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let mut hub = hub_with(&[every_minute(&patterns)], |_| {});
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    for n in 0..1_000 {
        a.write(&format!("other{n}"), put(n));
    }
    a.write("z", put(1));
    a.said.clear();
    hub.pass(MINUTE);
    let mut parts = 0;
    while hub.value("z").is_none() {
        let (_, answers) = ask(&mut hub, &mut [&mut a]);
        for answer in answers {
            parts += 1;
            hub.hear(SessionId(1), answer);
        }
    }
    assert!((2..100).contains(&parts), "{parts}");
}

/// The hub's word that it has something was lost: it is not sent again, as nothing differs.
#[test]
fn what_the_hub_has_is_not_sent_again() {
    let (mut hub, mut a, mut b) = planned_trio(&[every_minute(&["*"])]);
    a.write("k", put(1));
    for message in std::mem::take(&mut a.said) {
        hub.hear(SessionId(1), message);
    }
    hub.settle();
    hub.said.retain(|(session, _)| *session != SessionId(1));
    talk(&mut hub, &mut [&mut b]);
    assert_eq!(a.replica.pending_writes(), 1);
    hub.pass(MINUTE);
    let (_, answers) = ask(&mut hub, &mut [&mut a, &mut b]);
    assert!(answers.iter().all(|answer| answer.segments.is_empty()));
}

/// A hub in whose run an agent has answered one page and is asked for the next, with that answer.
fn amid_pages() -> (HubSide, AgentSide, Message) {
    let mut hub = hub_with(&[every_minute(&["*"])], |_| {});
    let mut a = AgentSide::with("a", |config| config.limits.page_bytes = 100);
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    for n in 0..5 {
        a.write(&format!("k{n}"), put("x".repeat(200)));
    }
    a.said.clear();
    hub.pass(MINUTE);
    let (_, answers) = ask(&mut hub, &mut [&mut a]);
    hub.hear(SessionId(1), answers[0].clone());
    (hub, a, answers[0].clone())
}

/// Bad input, row 7.
#[test]
fn a_page_counts_once_and_only_in_its_turn() {
    let (mut hub, mut a, first) = amid_pages();
    hub.settle();
    let asked = hub.said.len();
    hub.hear(SessionId(1), first);
    hub.settle();
    assert_eq!(hub.said.len(), asked, "it asks no second time");
    assert!(hub.closed.is_empty());
    turn(&mut hub, &mut [&mut a]);
    assert_eq!(the_one(&mut hub).runs, 1);
}

/// It would be asked for ever.
#[test]
fn a_page_that_reaches_no_further_ends_the_connection() {
    let (mut hub, _, first) = amid_pages();
    let Body::Swept { round, next, .. } = first.body.clone() else {
        panic!("{first:?}")
    };
    let body = Body::Swept {
        round,
        part: 1,
        next,
    };
    hub.hear(SessionId(1), body);
    let [(_, reason)] = &hub.closed[..] else {
        panic!("{:?}", hub.closed)
    };
    assert!(reason.contains("reaches no further"), "{reason}");
}

#[test]
fn an_answer_that_names_keys_does_not_fit_a_sweep() {
    let (mut hub, _, first) = amid_pages();
    let Body::Swept { round, .. } = first.body.clone() else {
        panic!("{first:?}")
    };
    let body = Body::StateResponse {
        round,
        part: 0,
        index: 0,
        frames: 1,
    };
    hub.hear(SessionId(1), body);
    assert_eq!(hub.closed.len(), 1, "{:?}", hub.closed);
}

/// One is cut off, one is silent: the run goes without them and says so, once.
#[test]
fn a_run_names_who_is_missing() {
    let (mut hub, mut a, mut b) = planned_trio(&[every_minute(&["*"])]);
    let mut c = AgentSide::new("c");
    c.connect(&mut hub, 3);
    a.write("k", put(1));
    talk(&mut hub, &mut [&mut a, &mut b, &mut c]);
    c.cut(&mut hub);
    for (n, wait) in [(1, 60), (2, 50)] {
        hub.pass(Duration::from_secs(wait));
        // What the hub asks the second is lost.
        turn(&mut hub, &mut [&mut a]);
        hub.pass(Duration::from_secs(10));
        turn(&mut hub, &mut [&mut a]);
        let line = the_one(&mut hub);
        assert_eq!((line.runs, line.failed), (n, 0));
        let names: Vec<&str> = line.last_missing.iter().map(AgentId::as_str).collect();
        assert_eq!((names, line.last_missing_count), (vec!["b", "c"], 2));
    }
    let turned: Vec<bool> = hub.runs_of_plans.iter().map(|run| run.turned).collect();
    assert_eq!(turned, [true, false]);
    assert_eq!(hub.runs_of_plans[0].missing_count, 2);
}

/// A roster may be long: some are named, all are counted.
#[test]
fn of_many_that_are_missing_some_are_named() {
    let mut hub = hub_with(&[every_minute(&["k"])], |_| {});
    for n in 0..20 {
        let mut agent = AgentSide::new(&format!("agent-{n:02}"));
        agent.connect(&mut hub, n + 1);
        talk(&mut hub, &mut [&mut agent]);
        agent.cut(&mut hub);
    }
    hub.pass(MINUTE);
    hub.settle();
    let line = the_one(&mut hub);
    assert_eq!((line.last_missing.len(), line.last_missing_count), (16, 20));
    assert_eq!(line.failed, 1);
}

/// Its link is slow: what runs ask of it would fill the link with the same pages again and again.
#[test]
fn who_has_not_answered_a_run_is_not_asked_the_same_by_the_next() {
    let second = Duration::from_secs(1);
    let plan = |priority| PeriodicPlan::of_priority(priority, 2 * second).with_timeout(second);
    let plans = [plan(Priority::Medium), plan(Priority::High)];
    let mut hub = hub_with(&plans, |_| {});
    hub.govern(vec![policy("h*", |p| p.priority = Priority::High)]);
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    a.write("k", put(1));
    a.said.clear();
    let mut late = Vec::new();
    for run in 0..4 {
        hub.pass(2 * second);
        let (questions, answers) = ask(&mut hub, &mut [&mut a]);
        // One about each priority, and no more while they are not answered.
        assert_eq!(questions.len(), if run == 0 { 2 } else { 0 });
        late.extend(answers);
        hub.pass(second);
        hub.settle();
        let first = |run: &PeriodicRun| run.missing.len() == 1;
        assert!(hub.runs_of_plans.iter().all(first), "it is named");
    }
    hub.pass(2 * second);
    // What comes late is taken, and then the run under way has its turn.
    for answer in late {
        hub.hear(SessionId(1), answer);
    }
    assert_eq!(hub.value("k"), Some(Value::Int(1)));
    let (questions, _) = ask(&mut hub, &mut [&mut a]);
    assert_eq!(questions.len(), 2);
    // A question may be lost: it is not waited for for ever.
    hub.pass(30 * second);
    hub.settle();
    hub.said.clear();
    hub.pass(2 * second);
    let (questions, _) = ask(&mut hub, &mut [&mut a]);
    assert_eq!(questions.len(), 2);
}

/// The line brings it all the same: a little overtakes it, the rest does not cross twice.
#[test]
fn while_a_push_is_out_a_run_takes_a_small_part_of_a_page() {
    let mut hub = hub_with(&[every_minute(&["*"])], |_| {});
    let mut a = AgentSide::new("a");
    a.connect(&mut hub, 1);
    talk(&mut hub, &mut [&mut a]);
    for n in 0..100 {
        a.write(&format!("k{n}"), put("x".repeat(4_000)));
    }
    a.said.clear();
    hub.pass(MINUTE);
    let (_, answers) = ask(&mut hub, &mut [&mut a]);
    let taken = answers[0].segment_bytes();
    assert!((1..=256 * 1_024 / 8).contains(&taken), "{taken}");
}
