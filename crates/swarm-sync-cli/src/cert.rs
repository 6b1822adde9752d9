//! `cert`: a CA, certificates and tokens as files.

use std::fs::DirBuilder;
use std::path::Path;

use swarm_sync::tls::{
    Authority, Issued, Principal, TlsError, Token, replace_private, write_private,
};

use crate::cli::{CertArgs, CertCommand, Directory};
use crate::exit::{Code, Failure};
use crate::output;
use crate::tls::unusable;

pub(crate) fn run(args: CertArgs) -> Result<(), Failure> {
    match args.command {
        CertCommand::Ca {
            name,
            validity,
            directory,
        } => {
            let made = Authority::create(&name, validity.span()).map_err(unusable)?;
            put(&directory, "ca", &made)
        }
        CertCommand::Hub {
            hosts,
            validity,
            directory,
        } => {
            let issued = authority(&directory.dir)?.hub(&hosts, validity.span());
            put(&directory, "hub", &issued.map_err(unusable)?)
        }
        CertCommand::Agent {
            of,
            validity,
            directory,
        } => {
            let principal = Principal {
                swarm: of.swarm,
                agent: of.id,
            };
            let issued = authority(&directory.dir)?.agent(&principal, validity.span());
            put(&directory, &stem(&principal), &issued.map_err(unusable)?)
        }
        CertCommand::Token { of, directory } => {
            let principal = Principal {
                swarm: of.swarm,
                agent: of.id,
            };
            let token = Token::random(principal).map_err(unusable)?;
            make(&directory.dir)?;
            let name = format!("{}.token", stem(token.principal()));
            let path = directory.dir.join(name);
            write(&directory, &[(&path, &token.secret_line())])?;
            output::line(token.hub_line().trim_end())?;
            Ok(())
        }
    }
}

fn authority(dir: &Path) -> Result<Authority, Failure> {
    let (certificate, key) = (dir.join("ca.pem"), dir.join("ca.key"));
    if !certificate.exists() {
        let message = format!(
            "{}: there is no CA; make one with `swarm-sync cert ca`, or name its directory with --dir",
            certificate.display()
        );
        return Err(Failure::new(Code::Usage, "tls", message));
    }
    Authority::read(&certificate, &key).map_err(unusable)
}

/// The key first: a certificate without its key would be found out only when it is used. If it stops between
/// the two, whoever reads them says that they do not go together, and what to do.
fn put(directory: &Directory, name: &str, issued: &Issued) -> Result<(), Failure> {
    make(&directory.dir)?;
    let path = |end: &str| directory.dir.join(format!("{name}.{end}"));
    let (certificate, key) = (path("pem"), path("key"));
    if !directory.replace {
        // Of both before either is written: one of two would not fit the other.
        refuse_present(&[&key, &certificate])?;
    }
    let files: [(&Path, &str); 2] = [(&key, &issued.key), (&certificate, &issued.certificate)];
    write(directory, &files)?;
    let (certificate, key) = (certificate.display(), key.display());
    output::line(&format!("{certificate}\n{key}"))?;
    Ok(())
}

fn write(directory: &Directory, files: &[(&Path, &str)]) -> Result<(), Failure> {
    let written = if directory.replace {
        replace_private(files)
    } else {
        let mut files = files.iter();
        files.try_for_each(|(path, text)| write_private(path, text))
    };
    written.map_err(|error| match error {
        TlsError::File { path, source } if source.kind() == std::io::ErrorKind::AlreadyExists => {
            is_present(&path)
        }
        other => unusable(other),
    })
}

fn refuse_present(files: &[&Path]) -> Result<(), Failure> {
    // Also a link to nowhere, in place of which nothing is written.
    let present = files.iter().find(|file| file.symlink_metadata().is_ok());
    present.map_or(Ok(()), |file| Err(is_present(file)))
}

fn is_present(path: &Path) -> Failure {
    let message = format!(
        "{} is there already; add --replace to replace it, or choose another --dir",
        path.display()
    );
    Failure::new(Code::Usage, "tls", message)
}

/// The owner's alone from the start, whatever the umask says: keys are in it.
fn make(dir: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| {
        let message = format!("{} cannot be made: {error}", dir.display());
        Failure::new(Code::Failed, "io", message)
    })
}

/// Names hold nothing that a path would take for more than a name.
fn stem(principal: &Principal) -> String {
    format!("{}.{}", principal.swarm, principal.agent)
}
