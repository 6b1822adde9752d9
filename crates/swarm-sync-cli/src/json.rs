//! JSON from outside: what it may not hold is found before any of it is used.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value as Json, json};
use swarm_sync::{RequestError, SyncReport, Value, ValueError};

use crate::output::shorten;

const JSON_SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

const ONE_OBJECT: &str = "send one whole object in each line";

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
    // Said here, as serde would repeat the whole text if it is another kind of JSON.
    let first = text.trim_start_matches(JSON_SPACES).chars().next();
    if let Some(first) = first.filter(|first| *first != '{') {
        return Err(format!(
            "not a JSON object: it begins with {first:?}; {ONE_OBJECT}, like {{\"op\":\"keys\"}}"
        ));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Object(into).deserialize(&mut reader);
    read.and_then(|()| reader.end())
        .map_err(|error| explain(text, &error))
}

/// A value as a person types it: JSON, or text if it is not JSON. What is JSON but more than a value
/// can hold is refused, not taken as text.
pub(crate) fn value_or_text(text: &str) -> Result<Value, String> {
    let as_text = "to store it as text, put it in double quotes";
    if !is_json(text.as_bytes()) {
        let error = ValueError::NotFinite;
        if is_not_finite(text) {
            let text = shorten(text.trim());
            return Err(format!("{error}; {as_text}: '\"{text}\"'"));
        }
        if is_json(&with_finite_numbers(text)) {
            return Err(format!("{error}: put null or a finite number in its place"));
        }
        return Ok(Value::from(text));
    }
    if let Some(error) = number_range(text) {
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

/// The first integer in JSON text that no value can hold, as the error to answer with.
pub(crate) fn number_range(text: &str) -> Option<ValueError> {
    number_range_but(text, &[])
}

/// The same of an object, some fields of which are no values: whoever reads them says what they must be.
pub(crate) fn number_range_but(text: &str, numbers: &[&str]) -> Option<ValueError> {
    let number = integer_out_of_range(text, numbers)?;
    Some(ValueError::NumberRange(shorten(number)))
}

/// Only the grammar: neither the depth of lists nor the size of numbers matters to this.
fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Whether it is what many programs print and read as a number, and JSON has no word for: `NaN`,
/// `-inf`. Taken as text it would come as a surprise to whoever computes with it.
fn is_not_finite(text: &str) -> bool {
    let number = text.trim().parse::<f64>();
    number.is_ok_and(|number| !number.is_finite())
}

/// The text with a number for each `NaN` and `Infinity` outside of strings, as some programs write
/// them within what is else JSON.
fn with_finite_numbers(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut finite = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let word = ["NaN", "Infinity"]
            .into_iter()
            .find(|word| rest.starts_with(word.as_bytes()));
        let end = match word {
            Some(word) => at + word.len(),
            None if bytes[at] == b'"' => end_of_string(bytes, at).min(bytes.len()),
            None => at + 1,
        };
        finite.extend_from_slice(word.map_or(&bytes[at..end], |_| b"0"));
        at = end;
    }
    finite
}

/// The first integer in JSON text that does not fit `i64`, but for what these fields of its outermost
/// object hold. `serde_json` reads one beyond 64 bits as a float, which would change it without a word.
fn integer_out_of_range<'a>(text: &'a str, fields: &[&str]) -> Option<&'a str> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    // The last string of the outermost object: a number that follows it is what that field holds.
    let mut field = "";
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let start = at + 1;
                at = end_of_string(bytes, at);
                if depth == 1 {
                    field = text.get(start..at - 1).unwrap_or_default();
                }
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = &bytes[at..];
                let part = |b: &u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let len = rest.iter().position(|b| !part(b)).unwrap_or(rest.len());
                let number = &text[at..at + len];
                let whole = !number.contains(['.', 'e', 'E']);
                let is_value = depth != 1 || !fields.contains(&field);
                if is_value && whole && number.parse::<i64>().is_err() {
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
    let is_near = |word: &&str| near.contains(*word);
    // serde tells these apart by their words only.
    let advice = if ["NaN", "nan", "Inf", "inf"].iter().any(is_near) {
        "JSON has no NaN and no infinity: send a finite number or null"
    } else if sentence.contains("number out of range") {
        "floats end at 1.8e308: send a smaller number, or text"
    } else if sentence.contains("recursion limit") {
        "flatten it: a value may have 32 levels"
    } else if error.is_data() {
        return sentence;
    } else {
        ONE_OBJECT
    };
    format!("{sentence}; {advice}")
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
                    "the field {:?} is there twice; send it once",
                    shorten(&name)
                )));
            }
        }
        Ok(())
    }
}

/// What the keys hold that were not as expected, if that is why something was refused.
pub(crate) fn current(error: &RequestError) -> Option<Json> {
    match error {
        RequestError::Conflict { current } => Some(json!(current)),
        _ => None,
    }
}

/// A report, and how many of its keys were synchronized.
pub(crate) fn report(report: &SyncReport) -> Json {
    let mut object = json!(report);
    object["synchronized"] = json!(report.synchronized());
    object
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
            assert_eq!(integer_out_of_range(text, &[]), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_left_to_whoever_reads_it() {
        let big = "18446744073709551616";
        let cases = [
            (format!(r#"{{"expected":{big},"value":1}}"#), false),
            (format!(r#"{{"expected":1,"value":{big}}}"#), true),
            (format!(r#"{{"value":{{"expected":{big}}}}}"#), true),
            (format!(r#"{{"expected":[{big}]}}"#), true),
            (format!(r#"{{"value":"expected","x":{big}}}"#), true),
        ];
        for (text, is_found) in cases {
            let found = integer_out_of_range(&text, &["expected"]);
            assert_eq!(found.is_some(), is_found, "{text}");
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
    fn what_is_not_finite_is_not_taken_as_text() {
        for text in [
            "NaN",
            "nan",
            "Infinity",
            "-Infinity",
            "inf",
            "-inf",
            " NaN ",
            "+1e999",
        ] {
            let error = value_or_text(text).unwrap_err();
            assert!(error.contains("NaN and infinities"), "{error}");
            assert!(error.contains(&format!("'\"{}\"'", text.trim())), "{error}");
        }
        for text in ["[NaN]", r#"{"a":[1,-Infinity]}"#] {
            let error = value_or_text(text).unwrap_err();
            assert!(error.contains("put null"), "{error}");
        }
        // Words that only look like them, and those within a string.
        for text in ["NaNa", "infant", "[nan", "[NaN", "\"NaN", "\\\u{e9}NaN"] {
            assert_eq!(value_or_text(text).unwrap(), Value::from(text));
        }
        assert_eq!(value_or_text("\"NaN\"").unwrap(), Value::from("NaN"));
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
