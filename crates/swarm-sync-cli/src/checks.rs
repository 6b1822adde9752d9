//! What a report has checked, for programs and for people.

use comfy_table::{Cell, Table};
use serde::Serialize;

use crate::output;

#[derive(Debug, Serialize)]
struct Check {
    #[serde(rename = "check")]
    what: &'static str,
    ok: bool,
    result: String,
}

/// Checks in the order in which they were made.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    pub(crate) fn add(&mut self, what: &'static str, ok: bool, result: String) {
        self.0.push(Check { what, ok, result });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn all_hold(&self) -> bool {
        self.0.iter().all(|check| check.ok)
    }

    pub(crate) fn table(&self) -> Table {
        let mut table = output::table(&["check", "result", ""]);
        for check in &self.0 {
            let (name, result) = (Cell::new(check.what), output::visible(&check.result));
            table.add_row([name, Cell::new(result), output::verdict(check.ok)]);
        }
        table
    }

    /// How many hold and how long that took; no full stop, as more may follow.
    pub(crate) fn summary(&self, elapsed_ms: u64) -> String {
        let held = self.0.iter().filter(|check| check.ok).count();
        let all = self.0.len();
        format!("{held} of {all} checks hold, in {elapsed_ms} ms")
    }

    #[cfg(test)]
    pub(crate) fn last_result(&self) -> Option<&str> {
        self.0.last().map(|check| check.result.as_str())
    }
}
