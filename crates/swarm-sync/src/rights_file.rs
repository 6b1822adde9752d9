//! Rights as a TOML file: an array of tables, checked as a whole.
//!
//! ```
//! let rights = swarm_sync::rights_file::parse(
//!     r#"
//!     [[right]]
//!     agent = "worker-*"          # names; * and ? as in patterns of keys
//!     swarm = "team"              # every swarm if left out
//!     keys = "task_*"             # every key if left out; of the memory: memory/NAMESPACE/KEY
//!     allow = ["read", "write"]   # and admin: clear a swarm, reload, unregister
//!     "#,
//! )
//! .unwrap();
//! assert_eq!(rights.len(), 1);
//! ```
//!
//! What no right gives is refused. Names are worth what proves them: see [`tls`](crate::tls).

use sync_core::{GRANTS_MAX, Grant, Pattern, Right, Rights};
use toml::de::{DeTable, DeValue};

use crate::policy_file::{Lines, TEXT_BYTES_MAX, brief};

/// More than this are not listed: who meets so many has one cause for them.
const FLAWS_MAX: usize = 20;

const FIELDS: &str = "agent, swarm, keys and allow";

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what is wrong, and where")]
pub struct RightsFileFlaw {
    /// The line, from 1.
    pub line: usize,
    /// A sentence.
    pub reason: String,
}

/// Reads a table of rights.
///
/// # Errors
///
/// What is wrong, in the order of the lines; at least one. Then nothing of it counts.
pub fn parse(text: &str) -> Result<Rights, Vec<RightsFileFlaw>> {
    let lines = Lines::of(text);
    let mut flaws = Vec::new();
    let tables = tables(text, &lines, &mut flaws);
    let grants: Vec<Grant> = tables
        .iter()
        .filter_map(|(line, table)| grant(table, *line, &lines, &mut flaws))
        .collect();
    let count = grants.len();
    let rights = Rights::new(grants);
    if rights.is_none() {
        let reason = format!("there are {count} rights; the limit is {GRANTS_MAX}: use patterns");
        flaws.push(RightsFileFlaw { line: 1, reason });
    }
    match rights {
        Some(rights) if flaws.is_empty() => Ok(rights),
        _ => {
            flaws.sort_by_key(|flaw| flaw.line);
            flaws.truncate(FLAWS_MAX);
            Err(flaws)
        }
    }
}

/// The tables of a text and their lines.
fn tables<'t>(
    text: &'t str,
    lines: &Lines,
    flaws: &mut Vec<RightsFileFlaw>,
) -> Vec<(usize, DeTable<'t>)> {
    let mut flaw = |line, reason: String| flaws.push(RightsFileFlaw { line, reason });
    if text.len() > TEXT_BYTES_MAX {
        flaw(
            1,
            format!("the file is larger than {TEXT_BYTES_MAX} bytes, the limit"),
        );
        return Vec::new();
    }
    let document = match DeTable::parse(text) {
        Ok(document) => document.into_inner(),
        Err(error) => {
            let line = lines.at(error.span().map_or(0, |span| span.start));
            let reason = format!(
                "not TOML: {}; each right begins with [[right]]",
                error.message()
            );
            flaw(line, reason);
            return Vec::new();
        }
    };
    let mut tables = Vec::new();
    for (name, value) in document {
        let line = lines.at(name.span().start);
        match value.into_inner() {
            DeValue::Array(rights) if name.get_ref() == "right" => {
                for right in rights {
                    let line = lines.at(right.span().start);
                    match right.into_inner() {
                        DeValue::Table(table) => tables.push((line, table)),
                        _ => flaw(line, "a right is a table: begin it with [[right]]".into()),
                    }
                }
            }
            _ => {
                let name = brief(name.get_ref());
                flaw(
                    line,
                    format!("{name:?} is in no right; begin each with [[right]], in two brackets"),
                );
            }
        }
    }
    tables
}

/// One grant; what is wrong goes to `flaws`.
fn grant(
    table: &DeTable<'_>,
    line: usize,
    lines: &Lines,
    flaws: &mut Vec<RightsFileFlaw>,
) -> Option<Grant> {
    let (mut agents, mut swarms, mut keys, mut rights) = (None, None, None, None);
    let before = flaws.len();
    for (name, value) in table {
        let line = lines.at(name.span().start);
        let (name, value) = (name.get_ref().as_ref(), value.get_ref());
        let taken = match name {
            "agent" => pattern(name, value).map(|p| agents = Some(p)),
            "swarm" => pattern(name, value).map(|p| swarms = Some(p)),
            "keys" => pattern(name, value).map(|p| keys = Some(p)),
            "allow" => allow(value).map(|r| rights = Some(r)),
            other => Err(format!(
                "a right has no {:?}; it has {FIELDS}",
                brief(other)
            )),
        };
        if let Err(reason) = taken {
            flaws.push(RightsFileFlaw { line, reason });
        }
    }
    let mut missing = |field: &str, example: &str| {
        if !table.keys().any(|name| name.get_ref() == field) {
            let reason = format!("a right needs `{field}`, as in {field} = {example}");
            flaws.push(RightsFileFlaw { line, reason });
        }
    };
    missing("agent", "\"worker-*\"");
    missing("allow", "[\"read\"]");
    let narrow = keys
        .as_ref()
        .is_some_and(|keys: &Pattern| keys.as_str() != "*");
    if narrow
        && rights
            .as_ref()
            .is_some_and(|r: &Vec<Right>| r.contains(&Right::Admin))
    {
        let reason = "admin is about a whole swarm: give it in a right of its own, without `keys`";
        flaws.push(RightsFileFlaw {
            line,
            reason: reason.to_owned(),
        });
    }
    if flaws.len() > before {
        return None;
    }
    let every = || Pattern::new("*").ok();
    Some(Grant {
        agents: agents?,
        swarms: swarms.or_else(every)?,
        keys: keys.or_else(every)?,
        rights: rights?,
    })
}

fn pattern(field: &str, value: &DeValue<'_>) -> Result<Pattern, String> {
    let text = value.as_str();
    let text =
        text.ok_or_else(|| format!("`{field}` takes text in quotes, as in {field} = \"a*\""))?;
    Pattern::new(text).map_err(|e| format!("`{field}`: {e}"))
}

fn allow(value: &DeValue<'_>) -> Result<Vec<Right>, String> {
    let shape = "`allow` is a list of read, write and admin, as in allow = [\"read\", \"write\"]";
    let DeValue::Array(listed) = value else {
        return Err(shape.to_owned());
    };
    let rights = listed.iter().map(|right| match right.get_ref().as_str() {
        Some("read") => Ok(Right::Read),
        Some("write") => Ok(Right::Write),
        Some("admin") => Ok(Right::Admin),
        _ => Err(shape.to_owned()),
    });
    let rights: Vec<Right> = rights.collect::<Result<_, _>>()?;
    if rights.is_empty() {
        return Err(shape.to_owned());
    }
    Ok(rights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flaw_is_named_with_its_line() {
        let text = "\
[[right]]
agent = \"a\"
allow = [\"read\", \"fly\"]

[[right]]
agents = \"b\"
allow = [\"read\"]

[[right]]
agent = \"c\"
keys = \"k*\"
allow = [\"admin\"]

[right2]
";
        let flaws = parse(text).unwrap_err();
        let lines: Vec<usize> = flaws.iter().map(|flaw| flaw.line).collect();
        assert_eq!(lines, [3, 5, 6, 9, 14], "{flaws:?}");
        for words in [
            "read, write and admin",
            "needs `agent`",
            "has no \"agents\"",
            "whole swarm",
        ] {
            assert!(
                flaws.iter().any(|f| f.reason.contains(words)),
                "{words}: {flaws:?}"
            );
        }
        let torn = parse("[[right]\n").unwrap_err();
        assert!(torn[0].reason.contains("not TOML"), "{torn:?}");
    }

    #[test]
    fn what_is_left_out_is_everything_and_an_empty_file_gives_nothing() {
        let rights = parse("[[right]]\nagent = \"a\"\nallow = [\"write\"]\n").unwrap();
        let swarm = sync_core::SwarmId::new("any").unwrap();
        let agent = sync_core::AgentId::new("a").unwrap();
        assert!(rights.of(&swarm, &agent).all(Right::Write));
        assert!(parse("# nobody yet\n").unwrap().is_empty());
    }
}
