//! What the hub says beside its agents, as lines: the most important first, as a small screen shows only
//! those.

use indicatif::{HumanBytes, HumanCount};
use swarm_sync::HubStatus;

use super::board::Board;

/// A line with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) text: String,
    /// Whether somebody should see to it.
    pub(super) alarming: bool,
}

pub(super) fn facts(board: &Board) -> Vec<Fact> {
    let status = &board.latest.status;
    let mut facts = Vec::new();
    if status.id_alarms > 0 {
        let count = HumanCount(status.id_alarms);
        let text =
            format!("{count} write ids named two different writes: a data directory was copied");
        facts.push(Fact {
            alarming: true,
            ..fact("ALARM", text)
        });
    }
    let rates = board.rates;
    let keys = HumanCount(status.keys);
    let revision = HumanCount(status.revision.get());
    let speed = rates.map_or_else(String::new, |rates| {
        format!(", {}", per_second(rates.revisions))
    });
    facts.push(fact(
        "keys",
        format!("{keys} at revision {revision}{speed}"),
    ));
    facts.push(fact("agents", agents(status)));
    let traffic = &status.traffic;
    let sent = moved(
        traffic.sent,
        traffic.sent_uncompressed(),
        rates.map(|rates| rates.sent),
    );
    facts.push(fact("sent", sent));
    let plain = traffic.received_uncompressed();
    let received = moved(traffic.received, plain, rates.map(|rates| rates.received));
    facts.push(fact("received", received));
    facts.push(fact("schedule", schedule(status)));
    facts.push(fact("votes", votes(status)));
    facts.push(fact(
        "epoch",
        format!("{}, digest {}", status.epoch, status.digest),
    ));
    facts
}

fn fact(name: &'static str, text: String) -> Fact {
    Fact {
        name,
        text,
        alarming: false,
    }
}

/// With one digit behind the point: small numbers are what is looked at.
fn per_second(rate: f64) -> String {
    format!("{rate:.1}/s")
}

fn agents(status: &HubStatus) -> String {
    let members = &status.members;
    let count =
        |holds: fn(&swarm_sync::MemberStatus) -> bool| members.iter().filter(|m| holds(m)).count();
    let connected = count(|member| member.connected);
    let behind = |member: &&swarm_sync::MemberStatus| member.acked != Some(status.revision);
    let behind = members.iter().filter(behind).count();
    let receipts: u64 = members
        .iter()
        .map(|member| u64::from(member.receipts))
        .sum();
    format!(
        "{connected} of {} connected, {behind} not in step, {} receipts wait",
        members.len(),
        HumanCount(receipts),
    )
}

/// What went one way, and what of that compression has saved.
fn moved(bytes: u64, plain: u64, rate: Option<f64>) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is not negative, and shown rounded"
    )]
    let rate = rate.map(|rate| format!(", {}/s", HumanBytes(rate.round() as u64)));
    let saved = plain.saturating_sub(bytes);
    let percent = saved
        .saturating_mul(100)
        .checked_div(plain)
        .unwrap_or_default();
    format!(
        "{}{}, {percent} % saved by compression",
        HumanBytes(bytes),
        rate.unwrap_or_default(),
    )
}

/// Synchronizations that take place every so often, all together.
fn schedule(status: &HubStatus) -> String {
    let plans = &status.periodic;
    if plans.is_empty() {
        return "nothing is synchronized every so often".to_owned();
    }
    let sum = |of: fn(&swarm_sync::PeriodicStatus) -> u64| HumanCount(plans.iter().map(of).sum());
    let running = plans.iter().filter(|plan| plan.running).count();
    format!(
        "{} runs, {} changed something, {} failed, {} missed, {running} under way",
        sum(|plan| plan.runs),
        sum(|plan| plan.changed),
        sum(|plan| plan.failed),
        sum(|plan| plan.missed),
    )
}

fn votes(status: &HubStatus) -> String {
    let sum = |of: fn(&swarm_sync::AlgorithmStatistics) -> u64| {
        HumanCount(status.consensus.iter().map(of).sum())
    };
    format!(
        "{} open, {} approved, {} rejected, {} out of time",
        sum(|line| line.open),
        sum(|line| line.approved),
        sum(|line| line.rejected),
        sum(|line| line.timeouts),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::board::Report;
    use super::super::examples::{board, member, revision};
    use super::super::rates::Sample;
    use super::*;

    fn text_of(board: &Board, name: &str) -> String {
        let fact = facts(board).into_iter().find(|fact| fact.name == name);
        fact.map(|fact| fact.text).unwrap_or_default()
    }

    #[test]
    fn numbers_come_with_what_they_are_per_second() {
        let mut board = board(2);
        assert_eq!(text_of(&board, "keys"), "56 at revision 1,234");
        let mut sample: Sample = board.latest.clone();
        sample.at += Duration::from_secs(2);
        sample.status.revision = revision(1_239);
        sample.status.traffic.sent = 4_096;
        board.report(Report::Status(Box::new(sample)));
        assert_eq!(text_of(&board, "keys"), "56 at revision 1,239, 2.5/s");
        assert_eq!(
            text_of(&board, "sent"),
            "4.00 KiB, 2.00 KiB/s, 0 % saved by compression"
        );
        assert_eq!(
            text_of(&board, "received"),
            "0 B, 0 B/s, 0 % saved by compression"
        );
    }

    #[test]
    fn agents_are_counted_by_what_they_lack() {
        let mut board = board(3);
        board
            .latest
            .status
            .members
            .push(member("late", Some(1_000)));
        board.latest.status.members.push(member("gone", None));
        board.latest.status.members[0].receipts = 7;
        let expected = "4 of 5 connected, 2 not in step, 7 receipts wait";
        assert_eq!(text_of(&board, "agents"), expected);
    }

    #[test]
    fn a_copied_directory_is_the_first_thing_that_is_said() {
        let mut board = board(1);
        assert!(facts(&board).iter().all(|fact| !fact.alarming));
        board.latest.status.id_alarms = 1;
        assert!(facts(&board)[0].alarming);
    }
}
