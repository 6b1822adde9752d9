//! The requests of `swarm-sync agent --json`: a line is refused with a sentence or read, and what
//! it asks to write can be sent.

#![allow(dead_code, reason = "only the reading half of the program is used")]

#[path = "../../../crates/swarm-sync-cli/src/agent/lines.rs"]
mod lines;
#[path = "../../../crates/swarm-sync-cli/src/agent/request.rs"]
mod request;

use sync_core::{Operation, Value};

use self::lines::Line;
use self::request::Request;

/// Reads `bytes` as what a program writes, line by line.
pub fn check(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        let (id, read) = request::read(Line::Bytes(line.to_vec()));
        // It goes back with the answer.
        let id = id.to_string();
        assert!(!id.contains('\n'), "an id that breaks the line: {id}");
        match read {
            Ok(Request::Write { operation, .. }) => writable(&operation),
            Ok(_) => {}
            Err(refused) => assert!(!refused.message.is_empty(), "{}", refused.kind),
        }
    }
}

fn writable(operation: &Operation) {
    if let Operation::Put(value) | Operation::Insert(value) | Operation::Remove(value) = operation {
        assert_eq!(Value::decode(&value.encode()).as_ref(), Ok(value));
    }
}
