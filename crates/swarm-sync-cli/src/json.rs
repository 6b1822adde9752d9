//! JSON from outside: what it may not hold is found before any of it is used.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value as Json};
use swarm_sync::{Value, ValueError};

/// What was read of an object: also of one that turns out not to be one.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The field `id`, if it came before whatever is wrong.
    pub(crate) id: Option<Json>,
    /// The other fields.
    pub(crate) fields: Map<String, Json>,
}

/// Reads one object; fills `into` as far as it gets. An error is a sentence.
pub(crate) fn parse_object(text: &str, into: &mut Parsed) -> Result<(), String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Object(into).deserialize(&mut reader);
    read.and_then(|()| reader.end())
        .map_err(|error| explain(text, &error))
}

/// A value as a person types it: JSON, or text if it is not JSON. What is JSON but more than a value
/// can hold is refused, not taken as text.
pub(crate) fn value_or_text(text: &str) -> Result<Value, String> {
    let as_text = "to store it as text, put it in double quotes";
    // Only the grammar: neither the depth of lists nor the size of numbers matters to this.
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Ok(Value::from(text));
    }
    if let Some(number) = integer_out_of_range(text) {
        let error = ValueError::NumberRange(number.to_owned());
        return Err(format!("{error}; {as_text}"));
    }
    match serde_json::from_str::<Json>(text) {
        Ok(json) => Value::from_json(json).map_err(|error| format!("{error}; {as_text}")),
        Err(error) => Err(format!(
            "{error}: it is JSON, but more than a value can hold; {as_text}"
        )),
    }
}

/// One line with an object whose first fields are `head`, for those who read it as text too.
pub(crate) fn object_line(head: &[(&str, Json)], fields: Map<String, Json>) -> String {
    let rest = fields
        .into_iter()
        .map(|(name, value)| (Json::String(name), value));
    let head = head
        .iter()
        .map(|(name, value)| (Json::from(*name), value.clone()));
    let fields: Vec<String> = head
        .chain(rest)
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// The first integer in JSON text that does not fit `i64`. `serde_json` reads one beyond 64 bits as
/// a float, which would change it without a word.
pub(crate) fn integer_out_of_range(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let rest = &bytes[at..];
                let part = |b: &u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let len = rest.iter().position(|b| !part(b)).unwrap_or(rest.len());
                let number = &text[at..at + len];
                let whole = !number.contains(['.', 'e', 'E']);
                if whole && number.parse::<i64>().is_err() {
                    return Some(number);
                }
                at += len;
            }
            _ => at += 1,
        }
    }
    None
}

/// The offset after the string that starts at `at`.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn explain(text: &str, error: &serde_json::Error) -> String {
    let sentence = format!("not a JSON object: {error}");
    let from = error.column().saturating_sub(2);
    let near: String = text.chars().skip(from).take(6).collect();
    if ["NaN", "nan", "Inf", "inf"]
        .iter()
        .any(|word| near.contains(word))
    {
        return format!(
            "{sentence}; JSON has no NaN and no infinity: send a finite number or null"
        );
    }
    sentence
}

struct Object<'a>(&'a mut Parsed);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let value: Json = map.next_value()?;
            let taken = if name == "id" {
                self.0.id.replace(value).is_some()
            } else {
                self.0.fields.insert(name.clone(), value).is_some()
            };
            if taken {
                return Err(A::Error::custom(format!(
                    "the field {name:?} is there twice"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_out_of_range_are_found_outside_strings() {
        let cases = [
            (r#"{"a":9223372036854775807}"#, None),
            (r#"{"a":9223372036854775808}"#, Some("9223372036854775808")),
            (r"[-9223372036854775809]", Some("-9223372036854775809")),
            (r#"{"a":"99999999999999999999"}"#, None),
            (r#"{"a\"99999999999999999999":1}"#, None),
            (r#"{"a":99999999999999999999.0}"#, None),
            (r#"{"a":1e30}"#, None),
            ("100000000000000000000", Some("100000000000000000000")),
        ];
        for (text, expected) in cases {
            assert_eq!(integer_out_of_range(text), expected, "{text}");
        }
    }

    #[test]
    fn the_id_survives_what_is_wrong_after_it() {
        let mut parsed = Parsed::default();
        let error = parse_object(r#"{"id":7,"op":"set","value":NaN}"#, &mut parsed).unwrap_err();
        assert!(error.contains("no NaN"), "{error}");
        assert_eq!(parsed.id, Some(7.into()));
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        let texts = [
            "",
            "[]",
            "7",
            "{} {}",
            r#"{"a":1"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":"\ud800"}"#,
        ];
        for text in texts {
            assert!(
                parse_object(text, &mut Parsed::default()).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn text_that_is_not_json_is_text() {
        assert_eq!(value_or_text("hello").unwrap(), Value::from("hello"));
        assert_eq!(value_or_text("-3").unwrap(), Value::from(-3));
        assert_eq!(value_or_text("\"3\"").unwrap(), Value::from("3"));
        // It begins like JSON, and is none.
        for text in ["[[[", "1e999x", "\"open", "{a:1}"] {
            assert_eq!(value_or_text(text).unwrap(), Value::from(text));
        }
        let deep = "[".repeat(200);
        assert_eq!(value_or_text(&deep).unwrap(), Value::from(deep.as_str()));
    }

    #[test]
    fn json_that_no_value_can_hold_is_not_taken_as_text() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let cases = [
            ("9223372036854775808".to_owned(), "64 bits"),
            ("[100000000000000000000]".to_owned(), "64 bits"),
            ("1e999".to_owned(), "out of range"),
            ("[1e999]".to_owned(), "out of range"),
            (deep(40), "nested deeper"),
            (deep(200), "recursion limit"),
            (deep(100_000), "recursion limit"),
            (r#"["\ud800"]"#.to_owned(), "hex escape"),
        ];
        for (text, expected) in cases {
            let error = value_or_text(&text).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("double quotes"), "{error}");
        }
    }
}
