//! The fields of a request, each with what it must be.

use std::time::Duration;

use serde_json::{Map, Value as Json};
use swarm_sync::{Key, Pattern, RequestError, Value};

use crate::output::shorten;

use super::{OPS, Refused, TIMEOUT_MS_MAX};

/// The fields of one request; each is taken once, and none may be left over.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) op: String,
    map: Map<String, Json>,
}

impl Fields {
    /// With the name of what is asked for.
    pub(super) fn of(map: Map<String, Json>) -> Result<Self, Refused> {
        let mut fields = Self {
            op: String::new(),
            map,
        };
        fields.op = fields.text("op")?;
        Ok(fields)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        self.map.remove(name)
    }

    pub(super) fn peek(&self, name: &str) -> Option<&Json> {
        self.map.get(name)
    }

    pub(super) fn key(&mut self) -> Result<Key, Refused> {
        let key = self.text("key")?;
        Ok(key_of(&key)?)
    }

    pub(super) fn pattern(&mut self) -> Result<Pattern, Refused> {
        let pattern = self.text("pattern")?;
        Ok(Pattern::new(pattern).map_err(RequestError::from)?)
    }

    /// The pattern, or the one that every key matches.
    pub(super) fn pattern_or_any(&mut self) -> Result<Pattern, Refused> {
        let pattern = self.optional_text("pattern")?;
        let pattern = pattern.unwrap_or_else(|| "*".to_owned());
        Ok(Pattern::new(pattern).map_err(RequestError::from)?)
    }

    pub(super) fn number(&mut self, name: &str) -> Result<u64, Refused> {
        let given = self.map.remove(name);
        let number = given.as_ref().and_then(Json::as_u64);
        number.ok_or_else(|| {
            let needed = format!("a whole number from 1 to {}", u64::MAX);
            let not = given.map(|given| format!(", which {} is not", shorten(&given.to_string())));
            self.mistyped(name, &(needed + &not.unwrap_or_default()))
        })
    }

    pub(super) fn value(&mut self, name: &str) -> Result<Value, Refused> {
        match self.map.remove(name) {
            Some(value) => value_of(value),
            None => Err(self.mistyped(name, "a JSON value")),
        }
    }

    pub(super) fn integer(&mut self, name: &str) -> Result<i64, Refused> {
        let number = self.map.remove(name).and_then(|v| v.as_i64());
        number.ok_or_else(|| self.mistyped(name, "a whole number of 64 bits"))
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Refused> {
        match self.map.remove(name) {
            None => Ok(false),
            Some(Json::Bool(flag)) => Ok(flag),
            Some(_) => Err(self.mistyped(name, "true or false")),
        }
    }

    pub(super) fn timeout(&mut self) -> Result<Option<Duration>, Refused> {
        self.timeout_of(TIMEOUT_MS_MAX)
    }

    /// At most so many milliseconds.
    pub(super) fn timeout_of(&mut self, ms_max: u64) -> Result<Option<Duration>, Refused> {
        let Some(given) = self.map.remove("timeout_ms") else {
            return Ok(None);
        };
        match given.as_u64() {
            Some(ms) if ms <= ms_max => Ok(Some(Duration::from_millis(ms))),
            _ => Err(self.mistyped("timeout_ms", &format!("milliseconds, at most {ms_max}"))),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, Refused> {
        let text = self.optional_text(name)?;
        text.ok_or_else(|| self.mistyped(name, "a string"))
    }

    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>, Refused> {
        match self.map.remove(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.mistyped(name, "a string")),
        }
    }

    pub(super) fn end(self) -> Result<(), Refused> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(extra) => {
                let (op, extra) = (&self.op, shorten(extra));
                Err(Refused::bad(format!(
                    "`{op}` has no field {extra:?}; leave it out"
                )))
            }
        }
    }

    pub(super) fn mistyped(&self, name: &str, expected: &str) -> Refused {
        if self.op.is_empty() {
            return Refused::bad(format!(
                "a request needs {name:?}, {expected}; the ops are {OPS}"
            ));
        }
        Refused::bad(format!("`{}` needs {name:?}: {expected}", self.op))
    }
}

pub(super) fn key_of(text: &str) -> Result<Key, RequestError> {
    Ok(Key::new(text)?)
}

pub(super) fn value_of(json: Json) -> Result<Value, Refused> {
    Ok(Value::from_json(json).map_err(RequestError::from)?)
}
