//! What is in the directory.

use std::path::Path;

use swarm_sync::{Found, STORE_FORMAT, StoreError};

use super::report::Check;
use crate::exit::Code;
use crate::output::shorten;

const WHAT: &str = "data";

pub(super) fn look(directory: &Path) -> Check {
    let name = directory.display().to_string();
    judge(&shorten(&name), swarm_sync::look(directory))
}

fn judge(name: &str, found: Result<Found, StoreError>) -> Check {
    let known = STORE_FORMAT;
    match found {
        Ok(Found::Nothing) => Check::ok(
            WHAT,
            format!("{name} holds nothing yet; a node makes a store of format {known} there"),
        ),
        Ok(Found::Store { format, engine }) if format == known => Check::ok(
            WHAT,
            format!("{name} holds a store of {engine} in format {known}, that of this program"),
        ),
        Ok(Found::Store { format: found, .. }) => Check::fail(
            WHAT,
            Code::Data,
            format!(
                "{name} holds a store of format {found}, and this program reads {known}: start the program \
                 that wrote it, or choose another directory with --data"
            ),
        ),
        Ok(Found::Unreadable) => Check::fail(
            WHAT,
            Code::Data,
            format!(
                "the file `format` in {name} names no storage format: it is damaged; restore the directory, \
                 or choose another one with --data"
            ),
        ),
        Ok(Found::Foreign { file }) => Check::fail(
            WHAT,
            Code::Data,
            format!(
                "{name} is not a store (it has {} but no file `format`); choose an empty directory with --data",
                shorten(&file)
            ),
        ),
        Ok(other) => Check::warn(WHAT, format!("{name}: {other:?}")),
        Err(error) => Check::fail(
            WHAT,
            Code::Data,
            format!(
                "{error}; choose another directory with --data, or have it opened to this user"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn a_node_starts_in_an_empty_directory_or_in_a_store_of_its_format() {
        let store = |format| {
            let engine = "sled".to_owned();
            Ok(Found::Store { format, engine })
        };
        let foreign = Ok(Found::Foreign {
            file: "letters".to_owned(),
        });
        for (found, verdict, words) in [
            (Ok(Found::Nothing), Verdict::Ok, "nothing yet"),
            (store(STORE_FORMAT), Verdict::Ok, "of this program"),
            (store(STORE_FORMAT + 1), Verdict::Fail, "that wrote it"),
            (Ok(Found::Unreadable), Verdict::Fail, "damaged"),
            (foreign, Verdict::Fail, "it has letters"),
        ] {
            let check = judge("place", found);
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.message.contains(words), "{check:?}");
        }
    }
}
