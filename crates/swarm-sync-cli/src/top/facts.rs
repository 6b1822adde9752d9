//! What the hub says beside its agents, as lines: the most important first, as a small screen shows only
//! those.

use std::cmp::Reverse;

use indicatif::{HumanBytes, HumanCount};
use swarm_sync::{Activity, AlgorithmStatistics, HubStatus, MemberStatus, PeriodicStatus};

use super::board::Board;
use super::rates::Rates;

/// A line with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) text: String,
    /// Whether somebody should see to it.
    pub(super) alarming: bool,
}

pub(super) fn facts(board: &Board) -> Vec<Fact> {
    let (status, rates) = (&board.latest.status, board.rates);
    let (traffic, activity) = (&status.traffic, &status.activity);
    let sent = (traffic.sent, traffic.sent_uncompressed());
    let received = (traffic.received, traffic.received_uncompressed());
    let mut facts = alarms(status);
    facts.extend([
        fact("keys", keys(status, rates)),
        fact("agents", agents(status)),
        fact("rounds", rounds(activity, rates)),
        fact("conflicts", conflicts(activity, rates)),
        fact("sent", moved(sent, rates.map(|rates| rates.sent))),
        fact(
            "received",
            moved(received, rates.map(|rates| rates.received)),
        ),
        fact("spared", spared(activity)),
        fact("schedule", schedule(status)),
        fact("votes", votes(status)),
        fact(
            "epoch",
            format!("{}, digest {}", status.epoch, status.digest),
        ),
    ]);
    facts
}

fn alarms(status: &HubStatus) -> Vec<Fact> {
    if status.id_alarms == 0 {
        return Vec::new();
    }
    let count = HumanCount(status.id_alarms);
    let text = format!("{count} write ids named two different writes: a data directory was copied");
    vec![Fact {
        alarming: true,
        ..fact("ALARM", text)
    }]
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

/// The same with what comes before it; nothing if it is not known.
fn speed(before: &str, rates: Option<Rates>, of: fn(&Rates) -> f64) -> String {
    let text = |rates: Rates| format!("{before}{}", per_second(of(&rates)));
    rates.map(text).unwrap_or_default()
}

fn keys(status: &HubStatus, rates: Option<Rates>) -> String {
    let disk = status.store_bytes.map(HumanBytes);
    let disk = disk.map(|disk| format!("; all swarms take {disk} on disk"));
    format!(
        "{} at revision {}{}{}",
        HumanCount(status.keys),
        HumanCount(status.revision.get()),
        speed(", ", rates, |rates| rates.revisions),
        disk.unwrap_or_default(),
    )
}

fn agents(status: &HubStatus) -> String {
    let members = &status.members;
    let count = |holds: fn(&MemberStatus) -> bool| members.iter().filter(|m| holds(m)).count();
    let receipts = members.iter().map(|member| u64::from(member.receipts));
    format!(
        "{} of {} connected, {} not in step, {} receipts wait",
        count(|member| member.connected),
        members.len(),
        count(|member| member.lag != Some(0)),
        HumanCount(receipts.sum()),
    )
}

/// Rounds that have ended, by how; and how long one took on average.
fn rounds(activity: &Activity, rates: Option<Rates>) -> String {
    let rounds = &activity.rounds;
    let mean = rounds.elapsed_ms.checked_div(rounds.run);
    let mean = mean.map(|mean| format!(", {mean} ms each"));
    format!(
        "{}{}, {} complete, {} incomplete, {} failed{}",
        HumanCount(rounds.run),
        speed(", ", rates, |rates| rates.rounds),
        HumanCount(rounds.complete),
        HumanCount(rounds.incomplete),
        HumanCount(rounds.failed),
        mean.unwrap_or_default(),
    )
}

/// Writes that lost, by the rule that decided: that which decides most comes first.
fn conflicts(activity: &Activity, rates: Option<Rates>) -> String {
    let mut rules: Vec<_> = activity.conflicts.iter().collect();
    rules.sort_by_key(|of| Reverse(of.writes));
    let rules = rules
        .iter()
        .map(|of| format!("{} {}", of.rule, HumanCount(of.writes)));
    let rules = rules.collect::<Vec<_>>().join(", ");
    let rules = if rules.is_empty() {
        "none".to_owned()
    } else {
        format!("{rules}{}", speed("; ", rates, |rates| rates.conflicts))
    };
    format!("{rules}; {} writes refused", HumanCount(activity.refused))
}

/// What did not have to be sent.
fn spared(activity: &Activity) -> String {
    format!(
        "{} by deltas, {} by {} answers of nothing new",
        HumanBytes(activity.delta.saved_bytes()),
        HumanBytes(activity.same.saved_bytes),
        HumanCount(activity.same.answers),
    )
}

/// What went one way, and what of that compression has saved.
fn moved((bytes, plain): (u64, u64), rate: Option<f64>) -> String {
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
    let sum = |of: fn(&PeriodicStatus) -> u64| HumanCount(plans.iter().map(of).sum());
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
    let sum =
        |of: fn(&AlgorithmStatistics) -> u64| HumanCount(status.consensus.iter().map(of).sum());
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

    use swarm_sync::MergeRule;

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
    fn conflicts_are_told_by_rule_the_busiest_first() {
        let mut board = board(1);
        assert_eq!(text_of(&board, "conflicts"), "none; 0 writes refused");
        let mut sample: Sample = board.latest.clone();
        sample.at += Duration::from_secs(1);
        let activity = &mut sample.status.activity;
        for rule in [MergeRule::Lww, MergeRule::Map, MergeRule::Map] {
            activity.note_conflict(rule);
        }
        activity.refused = 4;
        activity.rounds.run = 2;
        activity.rounds.complete = 2;
        activity.rounds.elapsed_ms = 9;
        sample.status.store_bytes = Some(2_048);
        board.report(Report::Status(Box::new(sample)));
        let conflicts = "map 2, lww 1; 3.0/s; 4 writes refused";
        assert_eq!(text_of(&board, "conflicts"), conflicts);
        let rounds = "2, 2.0/s, 2 complete, 0 incomplete, 0 failed, 4 ms each";
        assert_eq!(text_of(&board, "rounds"), rounds);
        let keys = "56 at revision 1,234, 0.0/s; all swarms take 2.00 KiB on disk";
        assert_eq!(text_of(&board, "keys"), keys);
    }

    #[test]
    fn agents_are_counted_by_what_they_lack() {
        let mut board = board(3);
        board.latest.status.members.push(member("late", Some(234)));
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
