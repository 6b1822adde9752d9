//! A day's work without a hub costs each write what the first one cost.

use std::time::{Duration, Instant};

use sync_core::{Operation, Value};

use crate::stage::AgentSide;

/// Writes on one key, none of which reaches a hub. What is timed takes a tenth of a second.
const FEW: i64 = 1_000;
const MANY: i64 = 8 * FEW;

/// The many may take this many times as long as the few: eight if each costs the same, sixty-four if each
/// is compared with all before it.
const RATIO_MAX: u32 = 24;

/// Attempts: a machine that has other things to do is slow at any time, but not at each.
const ATTEMPTS: usize = 5;

fn time(count: i64, operation: fn(i64) -> Operation) -> Duration {
    let mut agent = AgentSide::new("a");
    let start = Instant::now();
    for number in 0..count {
        agent.begin("k", operation(number));
    }
    start.elapsed()
}

fn assert_even(operation: fn(i64) -> Operation) {
    let attempts = (0..ATTEMPTS).map(|_| (time(FEW, operation), time(MANY, operation)));
    let even = |(few, many): (Duration, Duration)| many < few * RATIO_MAX;
    assert!(attempts.into_iter().any(even), "{:?}", operation(1));
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
