//! The two ends of TLS from their arguments.

use std::sync::Arc;
use std::time::SystemTime;

use swarm_sync::tls::{AgentTls, AgentTlsFiles, HubTls, HubTlsFiles, TlsError};
use swarm_sync::{AgentId, SwarmId};

use crate::cli::{HubTlsArgs, TlsArgs};
use crate::exit::{Code, Failure};

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// An agent's end; none without a CA: then it speaks in the clear.
pub(crate) fn agent(args: &TlsArgs) -> Result<Option<Arc<AgentTls>>, Failure> {
    let Some(ca) = args.tls_ca.clone() else {
        return Ok(None);
    };
    let files = AgentTlsFiles {
        ca,
        certificate: args.tls_cert.clone().zip(args.tls_key.clone()),
        token: args.token_file.clone(),
    };
    let tls = AgentTls::load(files).map_err(unusable)?;
    Ok(Some(Arc::new(tls)))
}

/// The name that it proves in a swarm.
pub(crate) fn name_in(tls: &AgentTls, swarm: &SwarmId) -> Result<AgentId, Failure> {
    let held = tls.principals();
    let name = held.iter().find(|principal| principal.swarm == *swarm);
    if let Some(principal) = name {
        return Ok(principal.agent.clone());
    }
    let held: Vec<_> = held.iter().map(ToString::to_string).collect();
    let message = match held.len() {
        0 => {
            "give --tls-cert and --tls-key, or --token-file: a hub with TLS takes nobody without a \
              name that is proved"
                .to_owned()
        }
        _ => format!(
            "neither certificate nor token name anybody of the swarm {swarm}, but {}; check --swarm",
            held.join(", ")
        ),
    };
    Err(Failure::new(Code::Usage, "tls", message))
}

/// A hub's end; none without a certificate.
pub(crate) fn hub(args: &HubTlsArgs) -> Result<Option<Arc<HubTls>>, Failure> {
    let Some((certificate, key)) = args.tls_cert.clone().zip(args.tls_key.clone()) else {
        return Ok(None);
    };
    let files = HubTlsFiles {
        certificate,
        key,
        ca: args.tls_ca.clone(),
        tokens: args.tokens.clone(),
    };
    let tls = HubTls::load(files).map_err(unusable)?;
    Ok(Some(Arc::new(tls)))
}

/// Whole days until then; 0 once it is over.
pub(crate) fn days_until(end: SystemTime) -> u64 {
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    left.as_secs() / DAY_SECONDS
}

/// What is wrong with the files.
pub(crate) fn unusable(error: TlsError) -> Failure {
    match error {
        TlsError::Lines { lines } => {
            let mut lines = lines.into_iter();
            let first = lines.next().unwrap_or_default();
            Failure::new(Code::Usage, "tls", first).with(lines.collect())
        }
        other => Failure::new(Code::Usage, "tls", other.to_string()),
    }
}
