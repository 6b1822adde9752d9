//! What the merges of this crate make of values, and how others join them.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use sync_core::{AgentId, Incarnation, Key, Seq, Sibling, Stamp, Value, WriteId, Writer};

use super::{Merge, Merges, merge_fn};

/// Every order of a few things.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let Some((last, rest)) = items.split_last() else {
        return vec![Vec::new()];
    };
    let places = orders(rest).into_iter().flat_map(|order| {
        (0..=order.len()).map(move |at| {
            let mut order = order.clone();
            order.insert(at, last.clone());
            order
        })
    });
    places.collect()
}

fn sibling(at: u64, value: Value) -> Sibling {
    let agent = AgentId::new(format!("agent-{at}")).unwrap();
    let writer = Writer::new(agent, Incarnation::from_random(1));
    Sibling {
        write: WriteId::new(writer, Seq::new(1)),
        timestamp: Stamp::at_millis(at),
        value,
    }
}

/// What the merge makes of these values in every order, which must be the same.
fn merged(merges: &Merges, name: &str, values: &[Value]) -> Result<Value, String> {
    let siblings: Vec<Sibling> = (1..)
        .zip(values.to_vec())
        .map(|(at, v)| sibling(at, v))
        .collect();
    let key = Key::new("k").unwrap();
    let merge = merges.get(name).unwrap();
    let outcomes = orders(&siblings).into_iter().map(|order| {
        let merging = pin!(merge.merge(&key, &order));
        match merging.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("it waits for nothing"),
        }
    });
    let outcomes: Vec<_> = outcomes.collect();
    let same = outcomes.iter().all(|o| o.is_err() == outcomes[0].is_err());
    assert!(
        same && outcomes
            .iter()
            .flatten()
            .all(|v| Ok(v) == outcomes[0].as_ref())
    );
    outcomes[0].clone()
}

fn float(number: f64) -> Value {
    Value::float(number).unwrap()
}

#[test]
fn the_greatest_and_the_least_of_numbers() {
    let past_a_float = (1 << 53) + 1;
    let cases = [
        (
            vec![3.into(), 7.into(), 5.into()],
            Value::Int(7),
            Value::Int(3),
        ),
        (
            vec![2.into(), float(2.5), float(-0.5)],
            float(2.5),
            float(-0.5),
        ),
        (
            vec![(-1).into(), float(-0.5), 0.into()],
            Value::Int(0),
            Value::Int(-1),
        ),
        (
            vec![past_a_float.into(), float(9_007_199_254_740_992.0)],
            Value::Int(past_a_float),
            float(9_007_199_254_740_992.0),
        ),
        (
            vec![i64::MAX.into(), float(9_223_372_036_854_775_808.0)],
            float(9_223_372_036_854_775_808.0),
            Value::Int(i64::MAX),
        ),
        (
            vec![i64::MIN.into(), float(-1e300)],
            Value::Int(i64::MIN),
            float(-1e300),
        ),
    ];
    let merges = Merges::new();
    for (values, greatest, least) in cases {
        assert_eq!(merged(&merges, "max", &values), Ok(greatest), "{values:?}");
        assert_eq!(merged(&merges, "min", &values), Ok(least), "{values:?}");
    }
    // Equal as numbers: one of them, whichever came first.
    let equal = [Value::Int(1), float(1.0)];
    assert!(equal.contains(&merged(&merges, "max", &equal).unwrap()));
}

#[test]
fn a_union_holds_every_item_once() {
    let list = |items: &[i64]| Value::List(items.iter().copied().map(Value::Int).collect());
    let values = [list(&[3, 1, 3]), list(&[2, 1]), list(&[])];
    assert_eq!(
        merged(&Merges::new(), "union", &values),
        Ok(list(&[1, 2, 3]))
    );
}

#[test]
fn what_is_of_another_kind_is_named_with_its_writer() {
    for (name, wanted) in [
        ("max", "a number"),
        ("min", "a number"),
        ("union", "a list"),
    ] {
        let fits = if name == "union" {
            Value::List(vec![])
        } else {
            Value::Int(1)
        };
        let reason = merged(&Merges::new(), name, &[fits, "x".into()]).unwrap_err();
        assert_eq!(reason, format!("agent agent-2 wrote a text, not {wanted}"));
        assert!(merged(&Merges::new(), name, &[]).is_err() || name == "union");
    }
}

struct Reversed(Arc<dyn Merge>);

/// A merge of more than a closure: it asks another one.
#[async_trait]
impl Merge for Reversed {
    async fn merge(&self, key: &Key, siblings: &[Sibling]) -> Result<Value, String> {
        let value = self.0.merge(key, siblings).await?;
        Ok(Value::Text(value.to_string().chars().rev().collect()))
    }
}

#[test]
fn a_swarm_adds_its_own_and_may_replace_ours() {
    let merges = Merges::new();
    let greatest = Arc::clone(merges.get("max").unwrap());
    let merges = merges
        .with("reversed", Reversed(greatest))
        .with("min", merge_fn(|key, _| Ok(Value::from(key.as_str()))));
    assert_eq!(
        merges.names().collect::<Vec<_>>(),
        ["max", "min", "reversed", "union"]
    );
    assert_eq!(
        format!("{merges:?}"),
        r#"{"max", "min", "reversed", "union"}"#
    );
    let values = [Value::Int(12), Value::Int(34)];
    assert_eq!(merged(&merges, "reversed", &values), Ok("43".into()));
    assert_eq!(merged(&merges, "min", &values), Ok("k".into()));
    assert!(merges.get("missing").is_none());
}
