//! What must hold of any bytes that come from outside, one module per reader of such bytes. Each
//! `check` returns if it holds and panics if not.
//!
//! Run by the fuzz targets beside this crate and, on stable, by `tests/replay.rs`. A new reader is
//! a module here, a line in [`ALL`], a target and a corpus.
#![expect(clippy::missing_panics_doc, reason = "to panic is how a check answers")]

pub mod frame;
pub mod json_lines;
pub mod message;
pub mod pieces;
pub mod policy_file;
pub mod segment;
pub mod value;

/// The program's reader of lines: a program has no library to take it from.
#[path = "../../../crates/swarm-sync-cli/src/json.rs"]
#[allow(dead_code, reason = "only the reading half is used")]
mod json;

#[path = "../../../crates/swarm-sync-cli/src/position.rs"]
#[allow(dead_code, reason = "only the reading half is used")]
mod position;
#[path = "../../../crates/swarm-sync-cli/src/output/shorten.rs"]
#[allow(dead_code, reason = "tables need more of it")]
mod shorten;

/// What that reader uses of the program's output.
mod output {
    pub(crate) use crate::shorten::shorten;
}

/// A check over any bytes.
pub type Check = fn(&[u8]);

/// Every check by the name of its target and corpus.
pub const ALL: &[(&str, Check)] = &[
    ("frame", frame::check),
    ("json_lines", json_lines::check),
    ("message", message::check),
    ("pieces", pieces::check),
    ("policy_file", policy_file::check),
    ("segment", segment::check),
    ("value", value::check),
];
