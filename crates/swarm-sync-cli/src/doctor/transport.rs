//! How far a connection got.

use std::time::Duration;

use swarm_sync::TransportError;

use super::report::Check;
use crate::cli::SwarmArgs;
use crate::exit::Code;

/// The steps of a connection, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Name,
    Tcp,
    Tls,
    Hello,
}

impl Step {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Hello => "hello",
        }
    }
}

/// Every step was taken.
pub(super) fn reached(at: &SwarmArgs, secure: bool, name: &str, took: Duration) -> Vec<Check> {
    let mut checks = before(Step::Hello, at, secure);
    let (swarm, took) = (&at.swarm, took.as_millis());
    let message = format!("the hub let {name} of the swarm {swarm} in, after {took} ms in all");
    checks.push(Check::ok(Step::Hello.text(), message));
    checks
}

/// The steps before one.
fn before(step: Step, at: &SwarmArgs, secure: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    if step > Step::Tcp {
        let message = format!("something listens at {}", at.hub);
        checks.push(Check::ok(Step::Tcp.text(), message));
    }
    if step > Step::Tls {
        let message = if secure {
            "both ends believe each other's certificates; nobody reads along"
        } else {
            "not used: names are believed and bytes travel in the clear"
        };
        checks.push(Check::ok(Step::Tls.text(), message));
    }
    checks
}

/// One failed: those before it, and that one.
pub(super) fn failed(at: &SwarmArgs, secure: bool, error: &TransportError) -> Vec<Check> {
    let step = step_of(error, secure);
    let mut checks = before(step, at, secure);
    let message = match error {
        // These say themselves what to do.
        TransportError::Unreachable { .. }
        | TransportError::Refused { .. }
        | TransportError::Tls { .. } => error.to_string(),
        _ => format!(
            "{} answers as no hub would: {error}; check --hub, as another program may listen there, \
             or the hub may hang",
            at.hub
        ),
    };
    checks.push(Check::fail(step.text(), Code::NoHub, message));
    checks
}

/// Where an error belongs. `secure` is whether this side speaks TLS.
fn step_of(error: &TransportError, secure: bool) -> Step {
    match error {
        TransportError::Unreachable { .. } => Step::Tcp,
        TransportError::Tls { .. } => Step::Tls,
        // The handshake and the hello share a deadline; who says nothing at all fails at the first.
        TransportError::Deadline { .. } if secure => Step::Tls,
        _ => Step::Hello,
    }
}
