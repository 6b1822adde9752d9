//! What the system allows a hub here to hold open.

use super::report::Check;

/// Files that a node has open beside its connections: its store, its log, the runtime's own.
#[cfg(unix)]
const OWN: u64 = 64;

/// Fewer than a small swarm and its commands take.
#[cfg(unix)]
const FILES_LEAST: u64 = 1_024;

/// What a hub asks the system to keep of connections that it has not taken yet: a storm of a thousand agents
/// was left hanging with less.
#[cfg(target_os = "linux")]
const BACKLOG: u64 = 4_096;

pub(super) fn look() -> Vec<Check> {
    open_files().into_iter().chain(backlog()).collect()
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "the same face everywhere")]
fn open_files() -> Option<Check> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Some(judge_files(limit.current))
}

#[cfg(not(unix))]
fn open_files() -> Option<Check> {
    None
}

#[cfg(unix)]
fn judge_files(limit: Option<u64>) -> Check {
    let what = "open files";
    let Some(limit) = limit else {
        return Check::ok(what, "as many as a process wants");
    };
    let message = format!(
        "{limit} for a process: a hub here takes about {} connections",
        limit.saturating_sub(OWN)
    );
    if limit >= FILES_LEAST {
        return Check::ok(what, message);
    }
    let advice = "raise it with `ulimit -n`, or LimitNOFILE of its service, where a hub is to run";
    Check::warn(what, format!("{message}; {advice}"))
}

#[cfg(target_os = "linux")]
fn backlog() -> Option<Check> {
    let told = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    Some(judge_backlog(told.trim().parse().ok()?))
}

#[cfg(not(target_os = "linux"))]
fn backlog() -> Option<Check> {
    None
}

#[cfg(target_os = "linux")]
fn judge_backlog(limit: u64) -> Check {
    let what = "backlog";
    let message = format!("the system keeps up to {limit} connections for a hub that is busy");
    if limit >= BACKLOG {
        return Check::ok(what, message);
    }
    let advice = format!(
        "more agents that connect at once wait for seconds: sysctl -w net.core.somaxconn={BACKLOG} where a \
         hub is to run"
    );
    Check::warn(what, format!("{message}; {advice}"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn limits_that_a_hub_would_meet_are_to_be_looked_at() {
        for (limit, verdict, words) in [
            (None, Verdict::Ok, "as many"),
            (Some(1_048_576), Verdict::Ok, "1048512 connections"),
            (Some(1_024), Verdict::Ok, "960 connections"),
            (Some(256), Verdict::Warn, "ulimit -n"),
            (Some(0), Verdict::Warn, "about 0"),
        ] {
            let check = judge_files(limit);
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.message.contains(words), "{check:?}");
        }
        assert_eq!(judge_backlog(4_096).verdict, Verdict::Ok);
        assert_eq!(judge_backlog(128).verdict, Verdict::Warn);
    }
}
