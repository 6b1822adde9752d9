//! What went wrong in a handshake, as a sentence: what, and what to do.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use crate::compress::Side;

/// Why, if TLS is the reason; `side` is this end.
pub(crate) fn sentence(error: &io::Error, side: Side) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(flaw) => of_certificate(flaw, side),
        Error::AlertReceived(alert) => of_alert(*alert, side),
        Error::NoCertificatesPresented => {
            "the agent shows no certificate, and this hub takes no tokens".into()
        }
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => match side {
            Side::Agent => {
                "what answers there does not speak TLS: start the hub with --tls-cert and \
                          --tls-key, or leave out --tls-ca if it is meant to have none"
                    .into()
            }
            Side::Hub => "the peer does not speak TLS".into(),
        },
        other => other.to_string(),
    })
}

/// This end does not believe the certificate of the other.
fn of_certificate(flaw: &CertificateError, side: Side) -> String {
    let whose = match side {
        Side::Agent => "the hub's certificate",
        Side::Hub => "the agent's certificate",
    };
    match flaw {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("{whose} has expired, or the clock here is wrong; issue a new one")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("{whose} is not valid yet, or the clock here is wrong")
        }
        // A CA that was made anew under the same name signs otherwise.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "{whose} was not issued by the CA that this side believes; check --tls-ca, and that the \
             certificate is of the same CA"
        ),
        CertificateError::NotValidForName => {
            format!("{whose} is for another name than the one dialled")
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "{whose} is not for {}, which was dialled, but for {}; dial that, or issue one for it",
            expected.to_str(),
            presented.join(", ")
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("{whose} is for another purpose: a hub and an agent have one each")
        }
        CertificateError::BadEncoding => format!("{whose} cannot be read; issue a new one"),
        CertificateError::Revoked => format!("{whose} was revoked; issue a new one"),
        // The only flaw that has no name of its own and is met: others issue nothing by accident.
        CertificateError::Other(flaw) if format!("{flaw:?}").contains("CaUsedAsEndEntity") => {
            format!(
                "{whose} is that of a CA, or was signed by itself, which proves nothing; have the CA issue one: \
             swarm-sync cert"
            )
        }
        other => format!("{whose} is not in order ({other}); issue a new one: swarm-sync cert"),
    }
}

/// The other end does not believe this one.
fn of_alert(alert: AlertDescription, side: Side) -> String {
    let (who, whose) = match side {
        Side::Agent => ("the hub", "this side's certificate"),
        Side::Hub => ("the peer", "the hub's certificate"),
    };
    let why = match alert {
        AlertDescription::CertificateExpired => {
            "it has expired or is not valid yet; issue a new one"
        }
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "it is not of the CA that is believed there"
        }
        AlertDescription::CertificateRequired => {
            return format!(
                "{who} takes nobody without a certificate: give --tls-cert and --tls-key"
            );
        }
        AlertDescription::BadCertificate => "it is not in order there",
        AlertDescription::UnsupportedCertificate => {
            "it is for another purpose: a hub and an agent have one each"
        }
        AlertDescription::CertificateRevoked => "it was revoked",
        AlertDescription::CertificateUnknown => {
            "it is not acceptable there; have the CA issue another"
        }
        other => return format!("{who} ended the handshake: {other:?}"),
    };
    format!("{who} refuses {whose}: {why}")
}
