//! Proposals and decisions as the program shows them, to programs and to people.

use serde_json::{Map, Value as Json, json};
use swarm_sync::{
    Agreement, AlgorithmStatistics, Cast, Decision, Effect, Operation, Poll, Revision, Verdict,
    Version, Vote,
};

use crate::output::{self, brief_text, names, or_dash, visible};

/// The fields of an object.
type Fields = Map<String, Json>;

/// What an agent is asked to vote on. What approval writes has the names that `propose` takes.
pub(crate) fn poll(poll: &Poll) -> Fields {
    let proposal = &poll.proposal;
    let mut fields = fields(json!({
        "proposal_id": proposal.id,
        "proposal": proposal.subject,
        "proposer": poll.proposer,
        "algorithm": proposal.algorithm,
        "threshold": proposal.threshold,
        "participants": poll.participants,
        "remaining_ms": poll.remaining_ms,
    }));
    if let Some(effect) = &proposal.effect {
        fields.extend(self::effect(effect));
    }
    fields
}

fn effect(effect: &Effect) -> Fields {
    let mut named = match &effect.operation {
        Operation::Put(value) => json!({"value": value}),
        Operation::PutField(field, value) => json!({"field": field, "value": value}),
        Operation::Add(amount) => json!({"add": amount}),
        Operation::Insert(element) => json!({"insert": element}),
        Operation::Remove(element) => json!({"remove": element}),
        Operation::UnsetField(field) => json!({"unset": field}),
        Operation::Delete => json!({"delete": true}),
        other => json!({"operation": other.name()}),
    };
    named["key"] = json!(effect.key);
    fields(named)
}

/// A decision with everything that led to it.
pub(crate) fn decision(decision: &Decision) -> Fields {
    let mut fields = fields(json!(decision));
    let dissent: Vec<&Cast> = decision.dissent().collect();
    fields.insert("dissent".to_owned(), json!(dissent));
    if !decision.weights.is_empty() {
        let of = |vote| decision.weight_that(vote);
        let (all, abstain) = (decision.weight_in_all(), of(Vote::Abstain));
        let sums = json!({"for": of(Vote::For), "against": of(Vote::Against), "abstain": abstain, "all": all});
        fields.insert("weighed".to_owned(), sums);
    }
    // Named also if nothing was committed.
    fields.entry("committed").or_insert(Json::Null);
    fields
}

/// The same, and how far what was approved has come.
pub(crate) fn agreement(agreement: &Agreement) -> Fields {
    let synced = match &agreement.synced {
        None => Json::Null,
        Some(Ok(report)) => crate::json::report(report),
        Some(Err(error)) => {
            json!({"error": {"kind": error.kind(), "message": error.to_string()}})
        }
    };
    let mut fields = decision(&agreement.decision);
    fields.insert("synced".to_owned(), synced);
    fields
}

fn fields(json: Json) -> Fields {
    match json {
        Json::Object(fields) => fields,
        _ => Fields::new(),
    }
}

/// A decision for people: how it ended, who voted how and why.
pub(crate) fn text(decision: &Decision) -> String {
    let (voted, all) = (decision.votes.len(), decision.participants.len());
    let mut lines = vec![format!(
        "{} by {}{}: {voted} of {all} voted{}, {} ms",
        decision.verdict,
        brief_text(&decision.algorithm),
        decision
            .threshold
            .map_or_else(String::new, |share| format!(" with a threshold of {share}")),
        in_favour(decision),
        decision.duration_ms,
    )];
    lines.extend(written(decision));
    let why = decision.why.as_deref().map(visible);
    lines.extend(why.map(|why| format!("no verdict: {why}")));
    let mut table = output::table(&["agent", "vote", "reason"]);
    for agent in &decision.participants {
        let cast = decision.votes.iter().find(|cast| cast.agent == *agent);
        let vote = cast.map(|cast| cast.ballot.vote);
        let reason = cast.and_then(|cast| cast.ballot.reason.as_deref());
        table.add_row([
            agent.to_string(),
            or_dash(vote),
            or_dash(reason.map(visible)),
        ]);
    }
    lines.push(table.to_string());
    lines.push(format!("proposal {}", decision.proposal));
    lines.join("\n")
}

/// How much weight is in favour, where agents weigh differently.
fn in_favour(decision: &Decision) -> String {
    if decision.weights.is_empty() {
        return String::new();
    }
    let (weight, all) = (decision.weight_that(Vote::For), decision.weight_in_all());
    format!(", in favour {weight} of {all} by weight")
}

/// What was committed, or why it was not.
fn written(decision: &Decision) -> Option<String> {
    if let Some(committed) = &decision.committed {
        let (key, revision) = (brief_text(committed.key.as_str()), committed.revision.get());
        let version = or_dash(committed.version.map(Version::get));
        return Some(format!(
            "committed {key} at revision {revision}, version {version}"
        ));
    }
    let why = decision.not_committed.as_ref()?;
    Some(format!("nothing was committed: {}", visible(why)))
}

/// How far it has come, for people; nothing if nothing was committed.
pub(crate) fn synced(agreement: &Agreement) -> Option<String> {
    let said = match agreement.synced.as_ref()? {
        Ok(report) => {
            let others: Vec<_> = report.missing.iter().chain(report.unconfirmed()).collect();
            let (of, all) = (
                report.in_step.len(),
                report.responded.len() + report.missing.len(),
            );
            let rest = if others.is_empty() {
                String::new()
            } else {
                format!("; not: {}", names(others))
            };
            let revision = Revision::get(report.revision);
            format!("in step at revision {revision}: {of} of {all} agents{rest}")
        }
        Err(error) => format!("not synchronized: {}", visible(&error.to_string())),
    };
    Some(said)
}

/// What votes have come to, a row for each algorithm that anything was put to. A hub counts from its
/// start, so that nothing is said of what was decided before.
pub(crate) fn statistics(all: &[AlgorithmStatistics]) -> String {
    let is_used = |one: &&AlgorithmStatistics| one.open > 0 || one.mean_duration_ms.is_some();
    let used: Vec<_> = all.iter().filter(is_used).collect();
    if used.is_empty() {
        return "no votes since this hub started".to_owned();
    }
    let headings = [
        "algorithm",
        "open",
        "approved",
        "rejected",
        "timeout",
        "votes",
        "mean ms",
    ];
    let mut table = output::table(&headings);
    for one in used {
        table.add_row([
            brief_text(&one.algorithm),
            one.open.to_string(),
            one.approved.to_string(),
            one.rejected.to_string(),
            one.timeouts.to_string(),
            format!("{} of {}", one.votes, one.participants),
            or_dash(one.mean_duration_ms),
        ]);
    }
    format!("votes since this hub started:\n{table}")
}

/// Whether what was proposed takes place, with what it writes.
pub(crate) fn takes_place(decision: &Decision) -> bool {
    decision.verdict == Verdict::Approved && decision.not_committed.is_none()
}
