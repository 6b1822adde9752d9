//! Whether a hub's own certificate is one that agents can believe: a hub that starts with another, or takes
//! it over, locks everybody out, and with them whoever would have it take the next.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsError;
use super::files::content;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Days before the end from which a hub says that it nears: two weeks are enough to have a new one issued by
/// whoever is away at first.
const WARNING_DAYS: i64 = 14;

/// When the first certificate of a chain ends that can be read; none if none can.
pub(super) fn ends(chain: &[CertificateDer<'_>]) -> Option<SystemTime> {
    let ends = chain.iter().filter_map(|certificate| {
        let (_, read) = X509Certificate::from_der(certificate).ok()?;
        let seconds = u64::try_from(read.validity().not_after.timestamp()).ok()?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    });
    ends.min()
}

/// What keeps any hub from believing an agent's certificate, as far as this side can tell: after "which".
pub(super) fn flaw(certificate: &CertificateDer<'_>) -> Option<&'static str> {
    let (_, read) = X509Certificate::from_der(certificate).ok()?;
    let validity = read.validity();
    if now() > validity.not_after.timestamp() {
        return Some("has expired; issue a new one: swarm-sync cert agent … --replace");
    }
    if now() < validity.not_before.timestamp() {
        return Some("is not valid yet by the clock here");
    }
    let by_itself = read.issuer().as_raw() == read.subject().as_raw();
    by_itself.then_some(
        "was signed by itself and by no CA, which proves nothing; have the hub's CA issue one: swarm-sync cert agent",
    )
}

/// Refuses a certificate that is not valid now, a CA's or not of a server; tells of one that soon will not be. Who
/// issued it and what it is for is for the agents to judge: they know whom they believe, and what they dial.
pub(super) fn check(path: &Path, certificate: &CertificateDer<'_>) -> Result<(), TlsError> {
    let (_, read) = X509Certificate::from_der(certificate)
        .map_err(|_| content(path, "its first certificate cannot be read"))?;
    let usage = read
        .extended_key_usage()
        .map_err(|_| content(path, "what its first certificate is for cannot be read"))?;
    if usage.is_some_and(|usage| !usage.value.server_auth) {
        return Err(content(
            path,
            "it is not the certificate of a hub: it is for another purpose than a server's, so no agent would \
             believe it; `swarm-sync cert hub` issues one",
        ));
    }
    let constraints = read.basic_constraints().map_err(|_| {
        content(
            path,
            "whether its first certificate is of a CA cannot be read",
        )
    })?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err(content(
            path,
            "it is the certificate of a CA, or one that was signed by itself, which no agent would believe to \
             be a hub's; `swarm-sync cert hub` issues one",
        ));
    }
    let validity = read.validity();
    let (from, until) = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    in_time(now(), from, until).map_err(|reason| content(path, reason))?;
    if let Some(days) = days_left(now(), until) {
        tracing::warn!(file = %path.display(), days, "the hub's certificate expires soon: issue a new one");
    }
    Ok(())
}

/// Seconds since 1970 by the clock here, which is the only one there is.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map(|since| since.as_secs()).unwrap_or_default();
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn in_time(now: i64, from: i64, until: i64) -> Result<(), &'static str> {
    if now > until {
        return Err(
            "this certificate of the hub has expired, or the clock here is wrong, so no agent would believe \
             it; issue a new one",
        );
    }
    if now < from {
        return Err(
            "this certificate of the hub is not valid yet, or the clock here is wrong, so no agent would \
             believe it; wait, or issue another",
        );
    }
    Ok(())
}

/// Whole days that are left, if that is worth a word.
fn days_left(now: i64, until: i64) -> Option<i64> {
    let days = (until - now) / DAY_SECONDS;
    (days < WARNING_DAYS).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_believed_from_its_first_second_to_its_last() {
        for (now, good) in [(9, false), (10, true), (20, true), (21, false)] {
            assert_eq!(in_time(now, 10, 20).is_ok(), good, "{now}");
        }
    }

    #[test]
    fn the_end_is_told_of_two_weeks_before() {
        assert_eq!(days_left(0, WARNING_DAYS * DAY_SECONDS), None);
        assert_eq!(days_left(1, WARNING_DAYS * DAY_SECONDS), Some(13));
        assert_eq!(days_left(0, 0), Some(0));
    }
}
