//! Makes a CA and what it issues, for a start: whoever has a CA of his own uses that.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{certificates, content};
use super::{Principal, TlsError, read_private};

/// How far back a certificate begins: clocks of one network differ by less.
const BACKDATED: Duration = Duration::from_hours(1);

/// A certificate and its private key, both in PEM. Its debug format shows no key.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The private key: a secret.
    pub key: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// A CA that can issue.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new CA, valid for so long.
    ///
    /// # Errors
    ///
    /// [`TlsError::Mismatch`] with what could not be made.
    pub fn create(name: &str, valid: Duration) -> Result<Issued, TlsError> {
        let mut params = params(name, valid);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(|e| not_made(&e))?;
        let certificate = params.self_signed(&key).map_err(|e| not_made(&e))?;
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Reads a CA from its certificate and its key, which must be its owner's alone.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let held = certificates(certificate)?;
        // What the parser says could quote the key.
        let pair = KeyPair::from_pem(&read_private(key)?)
            .map_err(|_| content(key, "it holds no private key in PEM that can sign"))?;
        let der = held
            .first()
            .ok_or_else(|| content(certificate, "it is empty"))?;
        let is_no_ca = |e: &dyn std::fmt::Display| {
            content(certificate, format!("not the certificate of a CA: {e}"))
        };
        let (_, parsed) = X509Certificate::from_der(der).map_err(|e| is_no_ca(&e))?;
        // What it issued would be believed by nobody, and found out only when it is used.
        if parsed.public_key().raw != pair.subject_public_key_info() {
            let reason = format!(
                "the key of another certificate than {}; put the two that were made together side by side",
                certificate.display()
            );
            return Err(content(key, reason));
        }
        let issuer = Issuer::from_ca_cert_der(der, pair).map_err(|e| is_no_ca(&e))?;
        Ok(Self { issuer })
    }

    /// Issues a certificate for a hub that is dialled by these names and addresses.
    pub fn hub(&self, hosts: &[String], valid: Duration) -> Result<Issued, TlsError> {
        let first = hosts.first().map_or("hub", String::as_str);
        let mut params = params(first, valid);
        let names: Result<Vec<SanType>, rcgen::Error> = hosts.iter().map(|h| host(h)).collect();
        params.subject_alt_names = names.map_err(|e| not_made(&e))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params)
    }

    /// Issues a certificate for an agent, or whoever uses commands under that name.
    pub fn agent(&self, principal: &Principal, valid: Duration) -> Result<Issued, TlsError> {
        let mut params = params(&principal.to_string(), valid);
        let uri = principal.uri();
        let uri = uri.as_str().try_into().map_err(|e| not_made(&e))?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Result<Issued, TlsError> {
        let key = KeyPair::generate().map_err(|e| not_made(&e))?;
        let issued = params.signed_by(&key, &self.issuer);
        Ok(Issued {
            certificate: issued.map_err(|e| not_made(&e))?.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn params(name: &str, valid: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + valid).into();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn host(text: &str) -> Result<SanType, rcgen::Error> {
    match text.parse() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(text.try_into()?)),
    }
}

fn not_made(error: &rcgen::Error) -> TlsError {
    TlsError::Mismatch {
        reason: format!("the certificate cannot be made: {error}"),
    }
}
