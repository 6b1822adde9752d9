//! Seeded simulation of one hub and three replicas: faults, then healing, then the whole account.
//!
//! `SWARM_SIM_SEED=n` replays one seed and prints everything that happens.

use sync_sim::{Failure, MUST_HAPPEN, Stats, parallel, run_seed};

/// Seeds of one run of the test.
const SEEDS: u64 = 1_500;

/// How many failures are told of, and how much of each: the first say enough.
const FAILURES_TOLD: usize = 20;
const FAILURE_CHARS: usize = 1_500;

fn run_all(seeds: u64) -> (Stats, Vec<(u64, Failure)>) {
    let (mut stats, mut failures) = (Stats::default(), Vec::new());
    for (seed, result) in parallel(0..seeds, |seed| run_seed(seed, false)) {
        match result {
            Ok(course) => stats.merge(&course.stats),
            Err(violation) => failures.push((seed, violation)),
        }
    }
    (stats, failures)
}

/// The courses of some seeds, as another process takes them.
fn courses_elsewhere() -> String {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_sync-sim"));
    program.args(["--traces", "--first", "40", "--seeds", "6"]);
    let output = program.output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    text.parse().ok()
}

#[test]
#[expect(clippy::print_stdout, reason = "a run says what it has covered")]
fn every_write_is_accounted_for() {
    if let Some(seed) = number("SWARM_SIM_SEED") {
        let outcome = run_seed(seed, true);
        assert!(
            outcome.is_ok(),
            "seed {seed}: {}",
            outcome.expect_err("it failed")
        );
        return;
    }
    let seeds = number("SWARM_SIM_SEEDS").unwrap_or(SEEDS);
    let (stats, failures) = run_all(seeds);
    println!("{seeds} seeds: {stats}");
    for (seed, violation) in failures.iter().take(FAILURES_TOLD) {
        let some: String = violation.to_string().chars().take(FAILURE_CHARS).collect();
        println!("seed {seed}: {some}");
    }
    let count = failures.len();
    assert!(
        failures.is_empty(),
        "{count} of {seeds} seeds failed; replay one with SWARM_SIM_SEED={}",
        failures[0].0
    );
    for what in MUST_HAPPEN {
        assert!(stats.get(what) > 0, "{what:?} never happened");
    }
}

#[test]
fn a_seed_takes_the_same_course_in_another_process() {
    let here = (40..46).map(|seed| {
        let course = run_seed(seed, false).expect("a good seed");
        format!("{seed} {:016x}\n", course.trace)
    });
    let (here, first) = (here.collect::<String>(), courses_elsewhere());
    assert_eq!(first, here);
    assert_eq!(first, courses_elsewhere());
}

#[test]
fn a_seed_always_takes_the_same_course() {
    for seed in [1, 17, 123] {
        let (first, second) = (run_seed(seed, false), run_seed(seed, false));
        let (first, second) = (first.expect("a good seed"), second.expect("a good seed"));
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn a_search_of_nothing_is_refused_and_help_is_no_error() {
    let run = |words: &[&str]| {
        let program = env!("CARGO_BIN_EXE_sync-sim");
        let done = std::process::Command::new(program).args(words).output();
        let done = done.expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    for words in [["--hours", "0"], ["--seeds", "0"]] {
        let (code, said, error) = run(&words);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{words:?}");
        assert!(error.contains("would try nothing"), "{error}");
    }
    let (code, said, error) = run(&["--help"]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(said.contains("--shrunk"), "{said}");
}

#[cfg(feature = "__planted")]
#[test]
fn a_planted_bug_is_found_where_nothing_is_wrong_without_it() {
    use sync_core::planted::{Planted, with};

    let found = |bug| (0..40).any(|seed| with(bug, || run_seed(seed, false)).is_err());
    assert!(found(Some(Planted::ReceiptDropped)));
    assert!(!found(None));
}
