//! How long the certificates of both ends are still good for.

use swarm_sync::tls::AgentTls;

use super::report::Check;
use crate::tls::days_until;

/// From so many days before its end on, one is to be looked at: as a hub does when it starts.
const WARNING_DAYS: u64 = 14;

/// This side's own, if it has one.
pub(super) fn own(tls: &AgentTls) -> Option<Check> {
    let ends = tls.ends()?;
    Some(judge(
        "certificate",
        "the certificate here",
        days_until(ends),
    ))
}

/// The one that the hub has shown.
pub(super) fn of_hub(tls: &AgentTls) -> Option<Check> {
    let ends = tls.hub_ends()?;
    Some(judge(
        "hub's cert",
        "the certificate of the hub",
        days_until(ends),
    ))
}

fn judge(what: &'static str, whose: &str, days: u64) -> Check {
    let message = format!("{whose} ends in {days} days");
    if days >= WARNING_DAYS {
        return Check::ok(what, message);
    }
    let advice = "issue a new one in its place: swarm-sync cert … --replace; a hub reads it on \
                  `swarm-sync policy reload`, an agent by itself";
    Check::warn(what, format!("{message}: {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn two_weeks_before_its_end_one_is_to_be_looked_at() {
        for (days, verdict) in [(14, Verdict::Ok), (13, Verdict::Warn), (0, Verdict::Warn)] {
            let check = judge("certificate", "the certificate here", days);
            assert_eq!(check.verdict, verdict, "{check:?}");
        }
    }
}
