//! One table of a policy file as a policy.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::{
    Durability, Flaw, History, MergeRule, OnConcurrent, Pattern, Policy, Priority, Ttl,
};
use toml::de::{DeTable, DeValue};

use super::PolicyFileFlaw;
use crate::span;

/// What one can say of a pattern.
const FIELDS: [&str; 12] = [
    "pattern",
    "rule",
    "on_concurrent",
    "merge",
    "durability",
    "ttl",
    "ttl_refresh",
    "priority",
    "max_value_bytes",
    "history_commits",
    "history_age",
    "receipts",
];

const RULES: [(&str, MergeRule); 8] = [
    ("lww", MergeRule::Lww),
    ("register", MergeRule::Lww),
    ("counter", MergeRule::Counter),
    ("set", MergeRule::Set),
    ("map", MergeRule::Map),
    ("causal", MergeRule::Causal),
    ("custom", MergeRule::Custom),
    ("authority", MergeRule::Authority),
];

const ON_CONCURRENT: [(&str, OnConcurrent); 3] = [
    ("lww", OnConcurrent::Lww),
    ("keep", OnConcurrent::Keep),
    ("custom", OnConcurrent::Custom),
];

const DURABILITIES: [(&str, Durability); 3] = [
    ("memory", Durability::Memory),
    ("disk", Durability::Disk),
    ("hub", Durability::Hub),
];

const PRIORITIES: [(&str, Priority); 5] = [
    (Priority::Critical.as_str(), Priority::Critical),
    (Priority::High.as_str(), Priority::High),
    (Priority::Medium.as_str(), Priority::Medium),
    (Priority::Low.as_str(), Priority::Low),
    (Priority::Background.as_str(), Priority::Background),
];

/// Characters of a text in a sentence about it.
const SHOWN_MAX: usize = 60;

/// Where the lines of a text begin.
#[derive(Debug)]
pub(crate) struct Lines {
    ends: Vec<usize>,
}

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at);
        Self {
            ends: ends.collect(),
        }
    }

    /// The line, from 1, of a byte.
    pub(crate) fn at(&self, offset: usize) -> usize {
        self.ends.partition_point(|end| *end < offset) + 1
    }
}

/// A policy and where it says what.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) policy: Policy,
    line: usize,
    fields: BTreeMap<&'static str, usize>,
}

impl Read {
    /// The line of a field; of the whole if it is not there.
    pub(super) fn line_of(&self, field: &str) -> usize {
        self.fields.get(field).copied().unwrap_or(self.line)
    }

    /// A flaw of this policy with its line, and that of the other policy it is about.
    pub(super) fn explain(&self, flaw: &Flaw, all: &[Self]) -> PolicyFileFlaw {
        let field = match flaw {
            Flaw::OnConcurrent => "on_concurrent",
            Flaw::NoFunction if self.fields.contains_key("on_concurrent") => "on_concurrent",
            Flaw::NoFunction => "rule",
            Flaw::Function => "merge",
            Flaw::Ttl => "ttl",
            Flaw::ValueBytes => "max_value_bytes",
            Flaw::HistoryAge => "history_age",
            Flaw::HistoryCommits => "history_commits",
            Flaw::Receipts => "receipts",
            _ => "pattern",
        };
        let other = match flaw {
            Flaw::Twice { pattern } | Flaw::Tie { other: pattern, .. } => all
                .iter()
                .find(|read| read.policy.pattern.as_str() == pattern),
            _ => None,
        };
        let other = other.map(|read| read.line_of("pattern"));
        let other = other.map_or_else(String::new, |line| {
            format!(" (the other is in line {line})")
        });
        PolicyFileFlaw {
            line: self.line_of(field),
            reason: format!("{flaw}{other}"),
        }
    }
}

/// Whether it is about the table as a whole, so that no other flaw can be found.
pub(super) fn is_of_all(flaw: &Flaw) -> bool {
    matches!(flaw, Flaw::TooMany | Flaw::TooLarge { .. })
}

/// Text of the file's in a sentence.
pub(crate) fn brief(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// One policy; what is wrong goes to `flaws`. None if it names no keys, so that no other can clash with it.
pub(super) fn read(
    table: &DeTable<'_>,
    line: usize,
    lines: &Lines,
    flaws: &mut Vec<PolicyFileFlaw>,
) -> Option<Read> {
    let mut fields = BTreeMap::new();
    let mut pattern = None;
    let mut said = Said::default();
    let before = flaws.len();
    for (name, value) in table {
        let line = lines.at(name.span().start);
        let known = FIELDS.iter().find(|field| **field == name.get_ref());
        let taken = match known {
            None => Err(unknown(name.get_ref())),
            Some(&"pattern") => pattern_of(value.get_ref()).map(|p| pattern = Some(p)),
            Some(field) => said.take(field, value.get_ref()),
        };
        fields.extend(known.map(|field| (*field, line)));
        if let Err(reason) = taken {
            flaws.push(PolicyFileFlaw { line, reason });
        }
    }
    if !fields.contains_key("pattern") {
        let reason = "a policy needs the keys it is about: add pattern = \"…\"".to_owned();
        flaws.push(PolicyFileFlaw { line, reason });
    }
    if said.refresh && !fields.contains_key("ttl") {
        let line = fields.get("ttl_refresh").copied().unwrap_or(line);
        let reason = "`ttl_refresh` says when a lifetime begins, but there is none; add `ttl`, or leave it out";
        flaws.push(PolicyFileFlaw {
            line,
            reason: reason.to_owned(),
        });
    }
    let mut policy = Policy::new(pattern?);
    // Of half a policy nothing more can be said than whom it clashes with.
    if flaws.len() == before {
        said.put_into(&mut policy);
    }
    Some(Read {
        policy,
        line,
        fields,
    })
}

/// What a table says of its keys.
#[derive(Debug, Default)]
struct Said {
    rule: Option<MergeRule>,
    on_concurrent: Option<OnConcurrent>,
    merge: Option<String>,
    durability: Option<Durability>,
    ttl: Option<Duration>,
    refresh: bool,
    priority: Priority,
    max_value_bytes: Option<u64>,
    history: History,
    receipts: Option<u32>,
}

impl Said {
    fn take(&mut self, field: &str, value: &DeValue<'_>) -> Result<(), String> {
        match field {
            "rule" => self.rule = Some(choice(field, value, &RULES)?),
            "on_concurrent" => self.on_concurrent = Some(choice(field, value, &ON_CONCURRENT)?),
            "merge" => self.merge = Some(text(field, value, "f")?.to_owned()),
            "durability" => self.durability = Some(choice(field, value, &DURABILITIES)?),
            "ttl" => self.ttl = Some(duration(field, text(field, value, "30s")?)?),
            "ttl_refresh" => match value {
                DeValue::Boolean(refresh) => self.refresh = *refresh,
                _ => return Err(mistyped(field, value, "true or false")),
            },
            "priority" => self.priority = choice(field, value, &PRIORITIES)?,
            "history_commits" => self.history.commits = Some(number(field, value, "commits")?),
            "receipts" => self.receipts = Some(number(field, value, "receipts")?),
            "history_age" => {
                self.history.age = Some(duration(field, text(field, value, "30d")?)?);
            }
            _ => self.max_value_bytes = Some(bytes(field, value)?),
        }
        Ok(())
    }

    fn put_into(self, policy: &mut Policy) {
        let refresh = self.refresh;
        policy.rule = self.rule;
        policy.on_concurrent = self.on_concurrent;
        policy.merge = self.merge;
        policy.durability = self.durability;
        policy.ttl = self.ttl.map(|after| Ttl { after, refresh });
        policy.priority = self.priority;
        policy.max_value_bytes = self.max_value_bytes;
        policy.history = self.history;
        policy.receipts = self.receipts;
    }
}

fn unknown(name: &str) -> String {
    let (name, fields) = (brief(name), FIELDS.join(", "));
    format!("a policy has no field {name:?}; the fields are {fields}")
}

fn pattern_of(value: &DeValue<'_>) -> Result<Pattern, String> {
    let pattern = text("pattern", value, "task_*")?;
    Pattern::new(pattern).map_err(|error| error.to_string())
}

fn text<'v>(field: &str, value: &'v DeValue<'_>, example: &str) -> Result<&'v str, String> {
    let expected = || format!("text in quotes, as in {field} = \"{example}\"");
    let text = value.as_str();
    text.ok_or_else(|| mistyped(field, value, &expected()))
}

fn bytes(field: &str, value: &DeValue<'_>) -> Result<u64, String> {
    let bytes = "a number of bytes from 1 on, as in 65536";
    whole(value).ok_or_else(|| mistyped(field, value, bytes))
}

fn number(field: &str, value: &DeValue<'_>, of: &str) -> Result<u32, String> {
    let count = whole(value).and_then(|n| u32::try_from(n).ok());
    count.ok_or_else(|| {
        let expected = format!("a number of {of} from 0 to 4294967295, as in 100");
        mistyped(field, value, &expected)
    })
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn choice<T: Copy>(field: &str, value: &DeValue<'_>, choices: &[(&str, T)]) -> Result<T, String> {
    let given = text(field, value, choices[0].0)?;
    let chosen = choices.iter().find(|(name, _)| *name == given);
    chosen.map(|(_, chosen)| *chosen).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let (given, names) = (brief(given), names.join(", "));
        format!("`{field}` cannot be {given:?}; it is one of {names}")
    })
}

fn mistyped(field: &str, value: &DeValue<'_>, expected: &str) -> String {
    let found = match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("`{field}` is {found}; it takes {expected}")
}

/// A number and its unit.
fn duration(field: &str, text: &str) -> Result<Duration, String> {
    span::parse(text).ok_or_else(|| {
        let text = brief(text);
        format!("`{field}` cannot be {text:?}; it is a whole number and a unit, as in 500ms, 30s, 5m, 2h or 7d")
    })
}
