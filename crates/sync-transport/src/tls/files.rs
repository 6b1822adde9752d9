//! Reads and writes the files: certificates, and what only its owner may read.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// Larger than any chain of certificates and any list of tokens of the largest swarm; a device or a log
/// given by mistake ends there.
const FILE_BYTES_MAX: u64 = 16 << 20;

pub(super) fn content(path: &Path, reason: impl Into<String>) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

fn failed(path: &Path, source: io::Error) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        source,
    }
}

/// Reads a file of text that is the owner's alone.
///
/// # Errors
///
/// [`TlsError::Exposed`] if others can read it: where the system knows such a thing.
pub fn read_private(path: &Path) -> Result<String, TlsError> {
    let file = File::open(path).map_err(|e| failed(path, e))?;
    // Of what was opened, not of what may lie at that path by now.
    refuse_exposed(path, &file)?;
    read_text(path, file)
}

/// Writes a new file that is the owner's alone from its first byte on, durably; one that exists is left
/// alone and is an error. What cannot be written whole is removed again.
pub fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|e| failed(path, e))?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_name(path));
    written.map_err(|e| {
        // Half a key is nobody's; the first error says what was wrong.
        let _ = fs::remove_file(path);
        failed(path, e)
    })
}

/// The same in place of files that are there: who reads one meanwhile sees the old or the new one, whole.
/// All are written before the first takes its place, so that a disk that is full, and all but a stop
/// between two renames, leave the old ones.
pub fn replace_private(files: &[(&Path, &str)]) -> Result<(), TlsError> {
    for (path, text) in files {
        let beside = beside(path);
        // Of an attempt that was broken off.
        let _ = fs::remove_file(&beside);
        write_private(&beside, text)?;
    }
    for (path, _) in files {
        fs::rename(beside(path), path)
            .and_then(|()| sync_name(path))
            .map_err(|e| failed(path, e))?;
    }
    Ok(())
}

/// Where what is to replace a file is written.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Makes the name of a file durable. Only Unix can and needs to.
fn sync_name(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if cfg!(unix) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// The certificates of a PEM file, one at least.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = File::open(path).map_err(|e| failed(path, e))?;
    let text = read_text(path, file)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let read = read.map_err(|e| content(path, format!("not a certificate in PEM: {e}")))?;
    if read.is_empty() {
        return Err(content(
            path,
            "it holds no certificate in PEM; `swarm-sync cert` makes one",
        ));
    }
    Ok(read)
}

/// The private key of a PEM file that is the owner's alone.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read_private(path)?;
    // What the parser says could quote the key.
    PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| content(path, "it holds no private key in PEM"))
}

/// Those who issue the certificates that are believed.
pub(super) fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|e| content(path, format!("not the certificate of a CA: {e}")))?;
    }
    Ok(roots)
}

fn read_text(path: &Path, file: File) -> Result<String, TlsError> {
    let mut text = String::new();
    let mut limited = file.take(FILE_BYTES_MAX + 1);
    limited
        .read_to_string(&mut text)
        .map_err(|e| failed(path, e))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let reason = format!("it is larger than {FILE_BYTES_MAX} bytes, the limit");
        return Err(content(path, reason));
    }
    Ok(text)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &File) -> Result<(), TlsError> {
    use std::os::unix::fs::MetadataExt;

    let found = file.metadata().map_err(|e| failed(path, e))?;
    let mode = found.mode() & 0o777;
    if is_exposed(mode, found.uid(), found.gid()) {
        return Err(TlsError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// Whether others than its owner may read it. What systemd hands a service as a credential is root's, with one
/// entry more for the user of the service, which shows as the right of a group: that of root, which root does
/// not need.
#[cfg(unix)]
fn is_exposed(mode: u32, owner: u32, group: u32) -> bool {
    let credential = mode == 0o440 && owner == 0 && group == 0;
    mode & 0o077 > 0 && !credential
}

/// Elsewhere who may read a file is not a matter of a few bits.
#[cfg(not(unix))]
fn refuse_exposed(_path: &Path, _file: &File) -> Result<(), TlsError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_credential_of_systemd_is_its_services_alone() {
        let users = (1_000, 1_000);
        for (mode, (owner, group), exposed) in [
            (0o600, users, false),
            (0o400, users, false),
            (0o440, users, true),
            (0o440, (0, 0), false),
            (0o440, (0, 1_000), true),
            (0o640, (0, 0), true),
            (0o444, (0, 0), true),
        ] {
            assert_eq!(is_exposed(mode, owner, group), exposed, "{mode:o} {owner}");
        }
    }
}
