//! Policies as a TOML file: an array of tables, one for each pattern, checked as a whole.
//!
//! ```
//! let policies = swarm_sync::policy_file::parse(
//!     r#"
//!     [[policy]]
//!     pattern = "task_*"
//!     rule = "causal"          # lww (or register), counter, set, map, causal, custom
//!     on_concurrent = "keep"   # for causal: lww, keep, custom
//!     durability = "hub"       # memory, disk, hub
//!     ttl = "7d"               # ms, s, m, h, d
//!     ttl_refresh = true       # counted from the last write
//!     priority = "high"        # critical, high, medium, low, background
//!     max_value_bytes = 65536
//!     history_commits = 100    # kept per key for those who ask how it came about, and for how long
//!     history_age = "30d"
//!     receipts = 1000
//!     "#,
//! )?;
//! assert_eq!(policies.iter().count(), 1);
//! # Ok::<(), swarm_sync::policy_file::PolicyFileError>(())
//! ```
//!
//! Only `pattern` must be there. With `rule = "custom"`, or `on_concurrent = "custom"`, `merge` names the
//! function that merges. `priority` decides in which order keys are synchronized, how long they are waited
//! for, and what gives way first where room runs out, see [`Priority`](crate::Priority).

mod table;

use std::fmt;

use crate::Merges;
use sync_core::{Policies, Policy};
use thiserror::Error;
use toml::de::{DeTable, DeValue};

pub(crate) use self::table::{Lines, brief};
use self::table::{Read, read};

/// Longest text that is read: room for the largest table with a page of comments for each policy.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// More than this are not listed: who meets so many has one cause for them.
const FLAWS_MAX: usize = 20;

/// A text that holds no valid table; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(clippy::exhaustive_structs, reason = "what is wrong, and where")]
pub struct PolicyFileError {
    /// What is wrong, in the order of the lines; at least one.
    pub flaws: Vec<PolicyFileFlaw>,
}

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what is wrong, and where")]
pub struct PolicyFileFlaw {
    /// The line, from 1.
    pub line: usize,
    /// A sentence.
    pub reason: String,
}

impl fmt::Display for PolicyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, flaw) in self.flaws.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}line {}: {}", flaw.line, flaw.reason)?;
        }
        Ok(())
    }
}

/// Reads a table of policies. It may name any function as `merge`: whoever puts it in force knows them.
pub fn parse(text: &str) -> Result<Policies, PolicyFileError> {
    parse_with(text, |_| Ok(()))
}

/// The same for a hub with these functions; a policy may name no other.
pub fn parse_for(text: &str, merges: &Merges) -> Result<Policies, PolicyFileError> {
    parse_with(text, |function| {
        if merges.get(function).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = merges.names().collect();
        let known = match known.len() {
            0 => "none is".to_owned(),
            _ => format!("registered are {}", known.join(", ")),
        };
        let function = brief(function);
        Err(format!(
            "the merge function {function:?} is not registered at the hub; {known}"
        ))
    })
}

fn parse_with(
    text: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<Policies, PolicyFileError> {
    let lines = Lines::of(text);
    let mut flaws = Vec::new();
    let tables = tables(text, &lines, &mut flaws);
    let mut policies: Vec<Read> = tables
        .into_iter()
        .filter_map(|(line, table)| read(&table, line, &lines, &mut flaws))
        .collect();
    for read in &policies {
        let named = read.policy.merge.as_deref().filter(|name| !name.is_empty());
        if let Some(Err(reason)) = named.map(&check) {
            let line = read.line_of("merge");
            flaws.push(PolicyFileFlaw { line, reason });
        }
    }
    let table = fit(&mut policies, &mut flaws);
    match table {
        Some(table) if flaws.is_empty() => Ok(table),
        _ => {
            flaws.sort_by_key(|flaw| flaw.line);
            flaws.truncate(FLAWS_MAX);
            Err(PolicyFileError { flaws })
        }
    }
}

/// The tables of a text and their lines.
fn tables<'t>(
    text: &'t str,
    lines: &Lines,
    flaws: &mut Vec<PolicyFileFlaw>,
) -> Vec<(usize, DeTable<'t>)> {
    let mut flaw = |line, reason: String| flaws.push(PolicyFileFlaw { line, reason });
    if text.len() > TEXT_BYTES_MAX {
        let bytes = text.len();
        let reason = format!("the file has {bytes} bytes; the limit is {TEXT_BYTES_MAX}");
        flaw(1, reason + ": leave comments out");
        return Vec::new();
    }
    let document = match DeTable::parse(text) {
        Ok(document) => document.into_inner(),
        Err(error) => {
            let line = lines.at(error.span().map_or(0, |span| span.start));
            let message = error.message();
            let reason = format!(
                "not TOML: {message}; a setting looks like pattern = \"task_*\", and each policy begins with [[policy]]"
            );
            flaw(line, reason);
            return Vec::new();
        }
    };
    let mut tables = Vec::new();
    for (name, value) in document {
        let line = lines.at(name.span().start);
        let name = name.into_inner();
        match value.into_inner() {
            DeValue::Array(policies) if name == "policy" => {
                for policy in policies {
                    let line = lines.at(policy.span().start);
                    match policy.into_inner() {
                        DeValue::Table(table) => tables.push((line, table)),
                        _ => flaw(line, "a policy is a table: begin it with [[policy]]".into()),
                    }
                }
            }
            _ if name == "policy" => {
                let reason = "policies are an array: begin each with [[policy]], in two brackets";
                flaw(line, reason.into());
            }
            _ => {
                let name = brief(&name);
                let reason = "begin each policy with [[policy]] and put its settings below that";
                flaw(line, format!("{name:?} is in no policy; {reason}"));
            }
        }
    }
    tables
}

/// The policies as one table. What does not fit the others is taken out of `policies`, so that all of it
/// is found.
fn fit(policies: &mut Vec<Read>, flaws: &mut Vec<PolicyFileFlaw>) -> Option<Policies> {
    loop {
        let table: Vec<Policy> = policies.iter().map(|read| read.policy.clone()).collect();
        let error = match Policies::new(table) {
            Ok(table) => return Some(table),
            Err(error) => error,
        };
        let flawed = policies.get(error.index)?;
        flaws.push(flawed.explain(&error.flaw, policies));
        if flaws.len() >= FLAWS_MAX || table::is_of_all(&error.flaw) {
            return None;
        }
        policies.remove(error.index);
    }
}

#[cfg(test)]
mod tests;
