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
        other => {
            // For whoever looks into TLS itself; a sentence says what is to be done about it.
            tracing::debug!(error = %other, "TLS failed");
            of_protocol(other, side)
        }
    })
}

/// Why, if the connection itself broke off during the handshake.
pub(crate) fn broken_off(error: &io::Error, side: Side) -> String {
    let who = other_end(side);
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => {
            format!("{who} hung up during the handshake of TLS")
        }
        _ => format!("the connection failed during the handshake of TLS: {error}"),
    }
}

fn other_end(side: Side) -> &'static str {
    match side {
        Side::Agent => "the hub",
        Side::Hub => "the peer",
    }
}

/// What was said does not fit, whoever said it.
fn of_protocol(error: &Error, side: Side) -> String {
    let who = other_end(side);
    match error {
        Error::PeerIncompatible(_) => {
            format!(
                "{who} speaks TLS, but no TLS 1.3 with ciphers that this side knows; use a newer program there"
            )
        }
        Error::NoApplicationProtocol => {
            format!(
                "{who} speaks TLS, but not for swarm-sync; check which address was dialled, and by whom"
            )
        }
        _ => format!(
            "{who} does not keep to TLS: another program answers or asks there, or something in between changes what is sent"
        ),
    }
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
    let who = other_end(side);
    let whose = match side {
        Side::Agent => "this side's certificate",
        Side::Hub => "the hub's certificate",
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
        AlertDescription::ProtocolVersion
        | AlertDescription::HandshakeFailure
        | AlertDescription::InsufficientSecurity => {
            return format!("{who} knows no TLS 1.3 with ciphers that this side knows");
        }
        AlertDescription::NoApplicationProtocol => {
            return format!(
                "{who} speaks TLS, but not for swarm-sync; check which address was dialled, and by whom"
            );
        }
        other => {
            let number = u8::from(other);
            return format!("{who} ended the handshake with the alert {number} of TLS");
        }
    };
    format!("{who} refuses {whose}: {why}")
}

/// Whether the certificate of the other end is not of a CA that is believed here: then it is the file of the CA
/// that is to be looked at, too.
pub(crate) fn is_of_issuer(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    matches!(
        error,
        Some(Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        ))
    )
}

#[cfg(test)]
mod tests {
    use rustls::{PeerIncompatible, PeerMisbehaved};

    use super::*;

    #[test]
    fn no_word_of_the_library_is_repeated() {
        let errors = [
            Error::NoApplicationProtocol,
            Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic),
            Error::PeerMisbehaved(PeerMisbehaved::TooManyEmptyFragments),
            Error::InvalidMessage(InvalidMessage::InvalidCcs),
            Error::DecryptError,
            Error::AlertReceived(AlertDescription::NoApplicationProtocol),
            Error::AlertReceived(AlertDescription::HandshakeFailure),
            Error::AlertReceived(AlertDescription::Unknown(201)),
        ];
        for error in errors {
            let raw = format!("{error:?}");
            for side in [Side::Agent, Side::Hub] {
                let told = sentence(&io::Error::other(error.clone()), side).unwrap_or_default();
                assert!(told.starts_with(other_end(side)), "{raw}: {told}");
                let words = raw.split(|c: char| !c.is_alphanumeric());
                let mut words =
                    words.filter(|word| word.chars().filter(|c| c.is_uppercase()).count() > 1);
                assert!(!words.any(|word| told.contains(word)), "{raw}: {told}");
            }
        }
        let eof = io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof");
        assert_eq!(
            broken_off(&eof, Side::Hub),
            "the peer hung up during the handshake of TLS"
        );
    }
}
