//! Who a certificate or a token names: an agent of a swarm.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use sync_core::id::{AgentId, SwarmId};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How the names of agents begin in a certificate. Not a DNS name: that has no colon, tells no upper
/// case from lower, and holds no swarm.
const SCHEME: &str = "swarm-sync://";

/// Names read from one certificate: more swarms than an agent belongs to.
const NAMES_MAX: usize = 64;

/// An agent of a swarm, written `SWARM/AGENT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// The swarm.
    pub swarm: SwarmId,
    /// The agent, or whoever uses commands under that name.
    pub agent: AgentId,
}

impl Principal {
    /// As a certificate says it, among its subject alternative names.
    pub fn uri(&self) -> String {
        format!("{SCHEME}{self}")
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.swarm, self.agent)
    }
}

impl FromStr for Principal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let (swarm, agent) = parts.ok_or("it is not SWARM/AGENT")?;
        Ok(Self {
            swarm: SwarmId::new(swarm).map_err(|e| e.to_string())?,
            agent: AgentId::of_peer(agent).map_err(|e| e.to_string())?,
        })
    }
}

/// The agents that a certificate names. Its signature was checked before.
pub(super) fn principals(certificate: &CertificateDer<'_>) -> Vec<Principal> {
    let Ok((_, read)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(names)) = read.subject_alternative_name() else {
        return Vec::new();
    };
    let uris = names.value.general_names.iter().filter_map(|n| match n {
        GeneralName::URI(uri) => uri.strip_prefix(SCHEME),
        _ => None,
    });
    uris.filter_map(|named| named.parse().ok())
        .take(NAMES_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_it_was_written() {
        for good in ["team/agent-1", "a.b:c/_x:Y", "team/hub-2"] {
            let read: Principal = good.parse().unwrap();
            assert_eq!(read.to_string(), good);
            assert_eq!(read.uri(), format!("swarm-sync://{good}"));
        }
        for bad in [
            "", "team", "/", "team/", "/agent", "a/b/c", "team/hub", "t m/a",
        ] {
            assert!(bad.parse::<Principal>().is_err(), "{bad:?}");
        }
    }
}
