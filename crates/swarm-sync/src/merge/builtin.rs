//! Merges that come with the crate. Each makes the same of the same values in whatever order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use sync_core::{Key, Value};

use super::Sibling;

pub(super) fn max(_key: &Key, siblings: &[Sibling]) -> Result<Value, String> {
    let numbers = numbers(siblings)?;
    let greatest = numbers.into_iter().max_by(|a, b| compare(a, b));
    greatest.cloned().ok_or_else(nothing)
}

pub(super) fn min(_key: &Key, siblings: &[Sibling]) -> Result<Value, String> {
    let numbers = numbers(siblings)?;
    let least = numbers.into_iter().min_by(|a, b| compare(a, b));
    least.cloned().ok_or_else(nothing)
}

pub(super) fn union(_key: &Key, siblings: &[Sibling]) -> Result<Value, String> {
    let mut items = BTreeMap::new();
    for sibling in siblings {
        let Value::List(list) = &sibling.value else {
            return Err(not("a list", sibling));
        };
        items.extend(list.iter().map(|item| (item.encode(), item)));
    }
    Ok(Value::List(items.into_values().cloned().collect()))
}

fn numbers(siblings: &[Sibling]) -> Result<Vec<&Value>, String> {
    let number = |sibling: &Sibling| match sibling.value {
        Value::Int(_) | Value::Float(_) => Ok(()),
        _ => Err(not("a number", sibling)),
    };
    let checked = siblings.iter().map(|s| number(s).map(|()| &s.value));
    checked.collect()
}

/// The order of numbers, exact: 2^53 + 1 is above the float 2^53. Equal ones of both kinds have an
/// order too, so that it does not matter which of them comes first.
fn compare(a: &Value, b: &Value) -> Ordering {
    let by_size = match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.get().total_cmp(&b.get()),
        (Value::Int(a), Value::Float(b)) => compare_mixed(*a, b.get()),
        (Value::Float(a), Value::Int(b)) => compare_mixed(*b, a.get()).reverse(),
        _ => Ordering::Equal,
    };
    by_size.then_with(|| a.encode().cmp(&b.encode()))
}

fn compare_mixed(whole: i64, float: f64) -> Ordering {
    /// 2^63, the first float above every `i64`; its negative is the least of them.
    const END: f64 = 9_223_372_036_854_775_808.0;
    if float >= END {
        return Ordering::Less;
    }
    if float < -END {
        return Ordering::Greater;
    }
    #[expect(clippy::cast_possible_truncation, reason = "in range and whole")]
    let part = float.trunc() as i64;
    whole
        .cmp(&part)
        .then_with(|| 0.0_f64.total_cmp(&float.fract()))
}

fn not(what: &str, sibling: &Sibling) -> String {
    let (kind, agent) = (sibling.value.kind(), sibling.write.writer.agent());
    format!("agent {agent} wrote {kind}, not {what}")
}

fn nothing() -> String {
    "there is nothing to merge".to_owned()
}
