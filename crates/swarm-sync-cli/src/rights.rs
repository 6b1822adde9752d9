//! Rights as the program reads them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use swarm_sync::policy_file::TEXT_BYTES_MAX;
use swarm_sync::{Rights, rights_file};

use crate::exit::{Code, Failure};

/// The rights in a file, or what is wrong with it: sentences, each with the file and where there is one
/// the line.
pub(crate) fn read(file: &Path) -> Result<Rights, Vec<String>> {
    let name = file.display();
    let mut text = String::new();
    // One byte more than is allowed, so that more is found out, whatever the file is.
    let limit = TEXT_BYTES_MAX as u64 + 1;
    let read = File::open(file).and_then(|file| file.take(limit).read_to_string(&mut text));
    read.map_err(|e| vec![format!("{name}: the file of rights cannot be read: {e}")])?;
    rights_file::parse(&text).map_err(|flaws| {
        let sentence =
            |flaw: rights_file::RightsFileFlaw| format!("{name}:{}: {}", flaw.line, flaw.reason);
        flaws.into_iter().map(sentence).collect()
    })
}

/// The same for a hub that runs. Whoever has it read anew needs `admin`, so a file that gives it to nobody,
/// as one that was cut short does, would be the last.
pub(crate) fn read_anew(file: &Path) -> Result<Rights, Vec<String>> {
    let rights = read(file)?;
    if rights.has_admin() {
        return Ok(rights);
    }
    Err(vec![format!(
        "{}: it gives `admin` to nobody, so that no client could have it read anew; give it to somebody, or start \
         the hub again with this file",
        file.display()
    )])
}

/// Says at the start that no client can change it.
pub(crate) fn warn_without_admin(file: &Path, rights: &Rights) {
    if !rights.has_admin() {
        tracing::warn!(
            file = %file.display(),
            "the file of rights gives `admin` to nobody: no client can have it read anew while the hub runs"
        );
    }
}

/// Ends with what is wrong with a file.
pub(crate) fn refused(flaws: Vec<String>) -> Failure {
    let mut flaws = flaws.into_iter();
    let first = flaws.next().unwrap_or_default();
    Failure::new(Code::Usage, "rights-file", first).with(flaws.collect())
}
