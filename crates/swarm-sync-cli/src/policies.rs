//! Policies as the program reads, shows and explains them.

mod explain;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};
use swarm_sync::policy_file::{TEXT_BYTES_MAX, parse_for};
use swarm_sync::{History, Merges, Policies, Policy, Ttl, span};

use crate::exit::{Code, Failure};
use crate::output::{self, brief_text, or_dash, shorten};

pub(crate) use self::explain::Explanation;

/// The functions that policies may name as `merge`.
pub(crate) fn merges() -> Merges {
    Merges::default()
}

/// The table in a file, or what is wrong with it: sentences, each with the file and where there is one
/// the line.
pub(crate) fn read(file: &Path) -> Result<Policies, Vec<String>> {
    let name = file.display();
    let unread = |error: std::io::Error| {
        vec![format!(
            "{name}: the file of policies cannot be read: {error}"
        )]
    };
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that more is found out, whatever the file is.
    let limit = TEXT_BYTES_MAX as u64 + 1;
    let read = File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(unread)?;
    if bytes.len() > TEXT_BYTES_MAX {
        // The limit may have cut a character. Its own sentence is the one to say.
        return parse_file(file, &String::from_utf8_lossy(&bytes));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse_file(file, text),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = before.split(|b| *b == b'\n').count();
            Err(vec![format!("{name}:{line}: not UTF-8; save it as UTF-8")])
        }
    }
}

fn parse_file(file: &Path, text: &str) -> Result<Policies, Vec<String>> {
    let name = file.display();
    parse_for(text, &merges()).map_err(|error| {
        let flaws = error.flaws.into_iter();
        let sentence = |flaw: swarm_sync::policy_file::PolicyFileFlaw| {
            format!("{name}:{}: {}", flaw.line, flaw.reason)
        };
        flaws.map(sentence).collect()
    })
}

/// Ends with what is wrong with a file.
pub(crate) fn refused(flaws: Vec<String>) -> Failure {
    let mut flaws = flaws.into_iter();
    let first = flaws.next().unwrap_or_default();
    Failure::new(Code::Usage, "policy-file", first).with(flaws.collect())
}

/// How many there are, for people.
pub(crate) fn counted(count: usize) -> String {
    let noun = if count == 1 { "policy" } else { "policies" };
    format!("{count} {noun}")
}

/// All of them, the most specific first.
pub(crate) fn list<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Vec<Json> {
    policies.into_iter().map(object).collect()
}

/// A policy under the names of the file; what it does not say is null.
fn object(policy: &Policy) -> Json {
    json!({
        "pattern": policy.pattern,
        "rule": policy.rule,
        "on_concurrent": policy.on_concurrent,
        "merge": policy.merge,
        "durability": policy.durability,
        "ttl_ms": policy.ttl.map(|ttl| millis(ttl.after)),
        "ttl_refresh": policy.ttl.is_some_and(|ttl| ttl.refresh),
        "priority": policy.priority,
        "max_value_bytes": policy.max_value_bytes,
        "history_commits": policy.history.commits,
        "history_age_ms": policy.history.age.map(millis),
        "receipts": policy.receipts,
    })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A table of policies for people.
pub(crate) fn table<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> String {
    let headings = [
        "pattern",
        "rule",
        "durability",
        "lifetime",
        "priority",
        "bytes",
        "keeps",
    ];
    let mut table = output::table(&headings);
    for policy in policies {
        table.add_row([
            brief_text(policy.pattern.as_str()),
            or_dash(rule(policy)),
            or_dash(policy.durability),
            or_dash(policy.ttl.map(lifetime)),
            word(policy.priority),
            or_dash(policy.max_value_bytes),
            or_dash(kept(policy)),
        ]);
    }
    table.to_string()
}

/// The rule in one cell.
fn rule(policy: &Policy) -> Option<String> {
    let rule = policy.rule?;
    Some(match (policy.on_concurrent, &policy.merge) {
        (_, Some(function)) => format!("{rule}: {}", brief_text(function)),
        (Some(_), None) => format!("{rule}: {}", word(policy.on_concurrent())),
        (None, None) => rule.to_string(),
    })
}

fn lifetime(ttl: Ttl) -> String {
    let renewed = if ttl.refresh { ", renewed" } else { "" };
    format!("{}{renewed}", span::text(ttl.after))
}

/// How much is kept, in one cell.
fn kept(policy: &Policy) -> Option<String> {
    let receipts = policy.receipts.map(|count| format!("{count} receipts"));
    let bounds: Vec<String> = history(policy.history)
        .into_iter()
        .chain(receipts)
        .collect();
    (!bounds.is_empty()).then(|| bounds.join(", "))
}

/// Both bounds of the history.
fn history(history: History) -> Option<String> {
    let commits = history.commits.map(|count| format!("{count} commits"));
    let age = history.age.map(span::text);
    let bounds: Vec<String> = commits.into_iter().chain(age).collect();
    (!bounds.is_empty()).then(|| bounds.join(", "))
}

/// A name as in the file.
fn word(of: impl serde::Serialize) -> String {
    let name = serde_json::to_value(of).ok();
    let name = name.as_ref().and_then(Json::as_str);
    shorten(name.unwrap_or_default())
}
