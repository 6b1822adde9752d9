//! A day's work without a hub costs each write what the first one cost.

use std::time::{Duration, Instant};

use sync_core::{Operation, Value};

use crate::stage::AgentSide;

/// Writes on one key, none of which reaches a hub. What is timed takes a tenth of a second.
const FEW: i64 = 1_000;

/// So many times the few, in one day or in as many: then both take as long, and whatever else the machine
/// does meets both.
const DAYS: i64 = 8;

/// One long day may take this many times as long as the short ones: one if each write costs the same,
/// eight if each is compared with all before it.
const RATIO_MAX: u32 = 3;

/// Attempts: a machine that has other things to do is slow at any time, but not at each.
const ATTEMPTS: usize = 5;

fn write(count: i64, operation: fn(i64) -> Operation) {
    let mut agent = AgentSide::new("a");
    for number in 0..count {
        agent.begin("k", operation(number));
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn assert_even(operation: fn(i64) -> Operation) {
    let attempt = |_| {
        let short = time(|| (0..DAYS).for_each(|_| write(FEW, operation)));
        let long = time(|| write(DAYS * FEW, operation));
        (short, long)
    };
    let even = |(short, long): (Duration, Duration)| long < short * RATIO_MAX;
    let mut attempts = (0..ATTEMPTS).map(attempt);
    assert!(attempts.any(even), "{:?}", operation(1));
}

#[test]
fn elements_put_into_one_set() {
    assert_even(|number| Operation::Insert(Value::Int(number)));
}

#[test]
fn elements_put_into_one_set_and_taken_out_again() {
    assert_even(|number| match number % 2 {
        0 => Operation::Insert(Value::Int(number)),
        _ => Operation::Remove(Value::Int(number - 1)),
    });
}

#[test]
fn fields_of_one_map_put_and_removed() {
    assert_even(|number| match number % 3 {
        0 => Operation::UnsetField((number - 1).to_string()),
        _ => Operation::PutField(number.to_string(), Value::Int(number)),
    });
}
