//! What can be wrong with the files of TLS. Nothing secret is ever in a message.

use std::path::PathBuf;

use thiserror::Error;

/// Why certificates, keys or tokens cannot be used. Whatever was in force stays so.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A secret that others can read is none.
    #[error(
        "{}: others can read it (mode {mode:03o}); make it the owner's alone: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Lines of a file are wrong; all of them are named.
    #[error("{}", lines.join("\n"))]
    Lines {
        /// A sentence each, with file and line.
        lines: Vec<String>,
    },
    /// The parts do not go together.
    #[error("{reason}")]
    Mismatch {
        /// What is wrong and what to do.
        reason: String,
    },
}
