//! Which schedules are refused, and what a plan covers.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn patterns(texts: &[&str]) -> Covers {
    let patterns = texts.iter().map(|text| Pattern::new(*text).unwrap());
    Covers::Patterns(patterns.collect())
}

fn flaw(plan: PeriodicPlan) -> Option<Flaw> {
    match Schedule::new(vec![plan], &Limits::default()) {
        Ok(_) => None,
        Err(ScheduleError::Plan { flaw, .. }) => Some(flaw),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let plan = |change: fn(&mut PeriodicPlan)| {
        let mut plan = PeriodicPlan::new("all", patterns(&["*"]), SECOND);
        change(&mut plan);
        flaw(plan)
    };
    assert_eq!(plan(|_| {}), None);
    assert_eq!(plan(|p| p.name.clear()), Some(Flaw::Name));
    assert_eq!(plan(|p| p.name = "n".repeat(129)), Some(Flaw::Name));
    assert_eq!(plan(|p| p.interval = Duration::ZERO), Some(Flaw::Interval));
    assert_eq!(plan(|p| p.interval = Duration::MAX), Some(Flaw::Interval));
    assert_eq!(plan(|p| p.jitter = SECOND), Some(Flaw::Jitter));
    let longest = Limits::default().round_deadline_max;
    let timeout = Some(Flaw::Timeout { longest });
    assert_eq!(plan(|p| p.timeout = Some(Duration::ZERO)), timeout);
    assert_eq!(plan(|p| p.timeout = Some(Duration::MAX)), timeout);
    assert_eq!(plan(|p| p.covers = patterns(&[])), Some(Flaw::NoPattern));
    let many = plan(|p| p.covers = patterns(&["k"; 65]));
    assert_eq!(many, Some(Flaw::ManyPatterns));
    let long = plan(|p| p.covers = patterns(&[&"k".repeat(257)]));
    assert_eq!(long, Some(Flaw::LongPattern));
}

#[test]
fn a_schedule_is_checked_as_a_whole() {
    let low = || PeriodicPlan::of_priority(Priority::Low, SECOND);
    let twice = Schedule::new(vec![low(), low()], &Limits::default());
    assert!(twice.unwrap_err().to_string().contains("\"low\""));
    let plan = |n: usize| PeriodicPlan::new(n.to_string(), patterns(&["*"]), SECOND);
    let many = Schedule::new((0..33).map(plan).collect(), &Limits::default());
    assert_eq!(many, Err(ScheduleError::TooMany { plans: 33 }));
    let most = Schedule::new((0..32).map(plan).collect(), &Limits::default());
    assert_eq!(most.unwrap().plans().len(), 32);
}

#[test]
fn what_is_spelled_out_is_named() {
    let none = Policies::default();
    let covers = patterns(&["task_queue", "log_*", "metrics"]);
    let names: Vec<String> = covers.named(&none).iter().map(Key::to_string).collect();
    assert_eq!(names, ["task_queue", "metrics"]);
    assert!(!covers.is_named() && patterns(&["a", "b"]).is_named());
    assert_eq!(covers.to_string(), "task_queue, log_*, metrics");
}
