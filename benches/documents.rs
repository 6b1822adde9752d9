//! JSON documents that exist wherever this repository does: what cargo and git say of it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Bytes of the whole of a document: a value fits a frame.
const DOCUMENT_BYTES_MAX: usize = 400 << 10;

/// Bytes of a small value, from and to.
const PART_BYTES: std::ops::RangeInclusive<usize> = 100..=500;

/// Every document by its name.
pub(crate) fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("packages: `cargo metadata`", cut(packages())),
        ("commits: `git log`", cut(commits())),
        ("lines: `git grep -n fn`", cut(lines())),
    ]
}

/// Parts of `document` of 100 to 500 bytes that no two share, in the order of their hashes.
pub(crate) fn parts(document: &Value, count: usize) -> Vec<Value> {
    let mut parts = Vec::new();
    collect(document, &mut parts);
    parts.sort_by_cached_key(|part| hash(&part.to_string()));
    parts.dedup();
    parts.truncate(count);
    parts
}

fn collect(value: &Value, parts: &mut Vec<Value>) {
    if value.is_object() && PART_BYTES.contains(&value.to_string().len()) {
        return parts.push(value.clone());
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, parts)),
        Value::Object(fields) => fields.values().for_each(|item| collect(item, parts)),
        _ => {}
    }
}

/// FNV-1a: an order without a pattern, the same at every run.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// As many items of a list as fit.
fn cut(list: Value) -> Value {
    let Value::Array(items) = list else {
        return list;
    };
    let mut bytes = 0;
    let fits = items.into_iter().take_while(|item| {
        bytes += item.to_string().len() + 1;
        bytes <= DOCUMENT_BYTES_MAX
    });
    Value::Array(fits.collect())
}

fn packages() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let printed = output(&cargo, &["metadata", "--format-version", "1", "--offline"]);
    let metadata: Value = serde_json::from_str(&printed).expect("cargo prints JSON");
    metadata["packages"].clone()
}

fn commits() -> Value {
    let printed = output("git", &["log", "--format=%H%x00%an%x00%aI%x00%s%x00%b%x01"]);
    let commit = |entry: &str| {
        let mut fields = entry.trim_start().split('\0');
        let mut next = || fields.next().unwrap_or_default();
        json!({"hash": next(), "author": next(), "date": next(), "subject": next(), "body": next()})
    };
    printed.split_terminator('\u{1}').map(commit).collect()
}

fn lines() -> Value {
    let printed = output("git", &["grep", "-n", "fn ", "--", "*.rs"]);
    let line = |found: &str| {
        let mut fields = found.splitn(3, ':');
        let mut next = || fields.next().unwrap_or_default();
        json!({"file": next(), "line": next(), "text": next(), "kind": "function", "open": true})
    };
    printed.lines().map(line).collect()
}

fn output(program: &str, args: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let run = Command::new(program).args(args).current_dir(root).output();
    let run = run.expect("cargo and git are there");
    assert!(run.status.success(), "{program} {args:?} failed");
    String::from_utf8_lossy(&run.stdout).into_owned()
}
