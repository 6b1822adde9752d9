//! The agents as rows of a table, in an order.

use std::cmp::Reverse;

use swarm_sync::{HubStatus, MemberStatus, Revision};

use crate::output::{or_dash, visible};

/// Which agents come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Those that are furthest behind.
    Lag,
    Name,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) agent: String,
    pub(super) connected: bool,
    /// Revisions that it lacks; none if it has confirmed none since the hub started.
    pub(super) lag: Option<u64>,
    /// Up to where it is in step.
    pub(super) acked: String,
    pub(super) receipts: String,
}

impl Row {
    pub(super) fn lag_text(&self) -> String {
        self.lag
            .map_or_else(|| "?".to_owned(), |lag| lag.to_string())
    }
}

/// One row per agent of the roster.
pub(super) fn rows(status: &HubStatus, order: Order) -> Vec<Row> {
    let mut rows: Vec<Row> = status.members.iter().map(row).collect();
    match order {
        Order::Name => rows.sort_by(|a, b| a.agent.cmp(&b.agent)),
        // Of whom nothing is known comes before all that is known.
        Order::Lag => rows.sort_by(|a, b| {
            let lag = |row: &Row| Reverse(row.lag.unwrap_or(u64::MAX));
            lag(a).cmp(&lag(b)).then_with(|| a.agent.cmp(&b.agent))
        }),
    }
    rows
}

fn row(member: &MemberStatus) -> Row {
    let receipts = match member.receipts_dropped {
        0 => member.receipts.to_string(),
        dropped => format!("{} + {dropped} dropped", member.receipts),
    };
    Row {
        // Its characters are checked where it is decoded; a terminal is steered by none all the same.
        agent: visible(member.agent.as_str()),
        connected: member.connected,
        lag: member.lag,
        acked: or_dash(member.acked.map(Revision::get)),
        receipts,
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::{hub, member};
    use super::*;

    #[test]
    fn who_is_furthest_behind_comes_first_and_the_unknown_before_all() {
        let mut status = hub(10, 0);
        status.members = vec![
            member("c", Some(0)),
            member("b", Some(6)),
            member("d", None),
            member("a", Some(0)),
        ];
        let names = |order| -> Vec<String> {
            let rows = rows(&status, order);
            rows.iter()
                .map(|row| format!("{} {}", row.agent, row.lag_text()))
                .collect()
        };
        assert_eq!(names(Order::Lag), ["d ?", "b 6", "a 0", "c 0"]);
        assert_eq!(names(Order::Name), ["a 0", "b 6", "c 0", "d ?"]);
    }
}
