//! Can the hub be reached? One connection, as of a command; each step that it got to is a check.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use swarm_sync::{Client, LinkOptions, RequestError, StartError};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::report::{Check, Verdict};
use super::rights::Asker;
use super::transport::{self, Step};
use super::{certificates, clock, rights, versions};
use crate::cli::HubArgs;
use crate::exit::{Code, Failure};
use crate::oneshot::{self, Way};

/// What is left of the time after the steps of a connection, so that the one that was too slow says so.
const SPARE: Duration = Duration::from_secs(1);

/// Addresses of a name that are shown.
const ADDRESSES_MAX: usize = 4;

/// `agent`: whether an agent is to run under this name.
pub(super) async fn look(args: &HubArgs, agent: bool) -> Vec<Check> {
    let address = &args.at.hub;
    let found = timeout(args.patience(), lookup_host(address)).await;
    let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let named = resolved(address, found.map(Iterator::collect));
    let has_address = named.verdict == Verdict::Ok;
    let mut checks = vec![named];
    if has_address {
        checks.extend(connect(args, agent).await);
    }
    checks
}

/// What the name of the hub stands for.
fn resolved(address: &str, found: io::Result<Vec<SocketAddr>>) -> Check {
    let failed = |why: String| {
        let message = format!(
            "{address} has no address: {why}; check --hub for typing errors, and the name service"
        );
        Check::fail(Step::Name.text(), Code::NoHub, message)
    };
    match found {
        Err(error) => failed(error.to_string()),
        Ok(found) if found.is_empty() => failed("the name service knows none".to_owned()),
        Ok(found) => {
            let shown = found.iter().take(ADDRESSES_MAX).map(ToString::to_string);
            let shown = shown.collect::<Vec<_>>().join(", ");
            Check::ok(Step::Name.text(), format!("{address} is {shown}"))
        }
    }
}

async fn connect(args: &HubArgs, agent: bool) -> Vec<Check> {
    let patience = args.patience();
    let options = LinkOptions {
        connect: patience,
        hello: patience,
        ..LinkOptions::default()
    };
    let Way { link, name, tls } = match oneshot::way(&args.at, options) {
        Ok(way) => way,
        Err(failure) => return vec![unusable(&failure)],
    };
    let own = tls.as_deref().and_then(certificates::own);
    let secure = args.at.tls.tls_ca.is_some();
    let began = Instant::now();
    let limit = patience * 2 + SPARE;
    let checks = match Client::connect(&link, args.at.swarm.clone(), name.clone(), limit).await {
        Ok(client) => {
            let took = began.elapsed();
            let mut checks = transport::reached(&args.at, secure, name.as_str(), took);
            checks.extend(tls.as_deref().and_then(certificates::of_hub));
            let asker = Asker {
                name: name.as_str(),
                swarm: &args.at.swarm,
                agent,
            };
            checks.extend(ask(client, asker, patience).await);
            checks
        }
        Err(StartError::Transport(error)) => transport::failed(&args.at, secure, &error),
        Err(other) => vec![Check::fail(
            Step::Hello.text(),
            Code::NoHub,
            other.to_string(),
        )],
    };
    own.into_iter().chain(checks).collect()
}

/// Its files of TLS are not in order, or name somebody else.
fn unusable(failure: &Failure) -> Check {
    Check::fail("files", failure.code(), failure.message())
}

/// What the hub says of itself.
async fn ask(mut client: Client, asker: Asker<'_>, patience: Duration) -> Vec<Check> {
    let (asked, before) = (Instant::now(), SystemTime::now());
    let answered = timeout(patience, client.about()).await;
    let took = asked.elapsed();
    let answered = answered.unwrap_or_else(|_| {
        Err(RequestError::Deadline {
            doing: "what the hub says of itself".to_owned(),
            limit_ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
        })
    });
    match answered {
        Ok(about) => {
            let rights = rights::look(&mut client, asker, patience).await;
            // Whoever hangs up without a word is noted there.
            client.close().await;
            let versions = versions::compare(versions::OWN, &about);
            vec![rights, versions, clock::against(before, took, &about)]
        }
        Err(RequestError::ConnectionLost { reason }) => vec![Check::warn(
            "versions",
            format!(
                "the hub let this command in, and hung up when it was asked for its versions: {reason}; \
                 its program may be older: upgrade it"
            ),
        )],
        Err(error) => vec![Check::fail(
            "versions",
            Code::NoHub,
            format!(
                "the hub is there, and does not answer: {error}; see to the hub's log and disk"
            ),
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_an_address_is_well_and_one_without_is_not() {
        let one = "127.0.0.1:7420".parse().unwrap();
        let well = resolved("h:1", Ok(vec![one; 9]));
        assert_eq!(well.verdict, Verdict::Ok);
        assert_eq!(well.message.matches("7420").count(), ADDRESSES_MAX);
        for found in [Ok(Vec::new()), Err(io::Error::other("no such host"))] {
            let check = resolved("h:1", found);
            assert_eq!(check.verdict, Verdict::Fail);
            assert!(check.message.contains("check --hub"), "{check:?}");
        }
    }
}
