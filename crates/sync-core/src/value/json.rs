//! Values to and from JSON.

use super::Value;
use crate::error::ValueError;
use crate::value::DEPTH_MAX;

pub(super) fn from_json(json: serde_json::Value, depth: usize) -> Result<Value, ValueError> {
    use serde_json::Value as Json;

    let depth = depth
        .checked_sub(1)
        .ok_or(ValueError::TooDeep { limit: DEPTH_MAX })?;
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => from_number(&number)?,
        Json::String(text) => Value::Text(text),
        Json::Array(items) => Value::List(
            items
                .into_iter()
                .map(|v| from_json(v, depth))
                .collect::<Result<_, _>>()?,
        ),
        Json::Object(fields) => Value::Map(
            fields
                .into_iter()
                .map(|(name, v)| Ok((name, from_json(v, depth)?)))
                .collect::<Result<_, ValueError>>()?,
        ),
    })
}

fn from_number(number: &serde_json::Number) -> Result<Value, ValueError> {
    if let Some(whole) = number.as_i64() {
        return Ok(Value::Int(whole));
    }
    if number.is_u64() {
        return Err(ValueError::NumberRange(number.to_string()));
    }
    Value::float(number.as_f64().ok_or(ValueError::NotFinite)?)
}

pub(super) fn to_json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;

    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) => Json::from(number.get()),
        Value::Text(text) => Json::String(text.clone()),
        Value::Bytes(bytes) => bytes.iter().copied().map(Json::from).collect(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(fields) => fields
            .iter()
            .map(|(name, v)| (name.clone(), to_json(v)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_reads_back() {
        let cases = [
            json!(null),
            json!(true),
            json!(-7),
            json!(i64::MAX),
            json!(0.1),
            json!("text"),
            json!([1, [2, {"a": []}]]),
            json!({"b": 1, "a": {"c": null}}),
        ];
        for case in cases {
            assert_eq!(Value::from_json(case.clone()).unwrap().to_json(), case);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(matches!(
            Value::from_json(json!(u64::MAX)),
            Err(ValueError::NumberRange(_))
        ));
        let mut deep = json!(1);
        for _ in 0..DEPTH_MAX {
            deep = json!([deep]);
        }
        assert!(matches!(
            Value::from_json(deep),
            Err(ValueError::TooDeep { .. })
        ));
    }
}
