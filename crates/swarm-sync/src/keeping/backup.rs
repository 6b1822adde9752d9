//! The rows of a store, written to one file beside its name, read again, and then given the name.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sync_core::{Row, Store, SwarmId};
use sync_store::{ArchiveReader, ArchiveWriter};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::KeepingError;
use super::partial::Partial;
use crate::store_queue::for_each_row;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackedUp {
    /// Rows of all swarms.
    pub rows: u64,
    /// The swarms.
    pub swarms: Vec<SwarmId>,
    /// Length of the file.
    pub bytes: u64,
}

/// Writes all rows of `store`, into which nobody writes meanwhile, to the new file `to`, which its owner
/// alone may read. It has its name once it is whole, durable and was read again.
///
/// # Errors
///
/// [`KeepingError::Exists`] rather than over anything, but what a backup of this name that was killed has left
/// gives way; [`KeepingError::Busy`] while another one writes it; [`KeepingError::Nothing`] if there are no rows.
pub async fn backup(store: &dyn Store, to: impl AsRef<Path>) -> Result<BackedUp, KeepingError> {
    let to = to.as_ref();
    let exists = || KeepingError::Exists {
        path: to.display().to_string(),
    };
    if fs::symlink_metadata(to).is_ok() {
        return Err(exists());
    }
    let swarms = store.swarms().await?;
    if swarms.is_empty() {
        return Err(KeepingError::Nothing);
    }
    let partial = Partial::create(to)?;
    let rows = write(store, &swarms, &partial).await?;
    let read = read(&partial.path)?;
    if read != rows {
        let source = io::Error::other("it gives back other rows than it was given");
        return Err(KeepingError::io(to, "reading it again")(source));
    }
    let bytes = fs::metadata(&partial.path).map_err(KeepingError::io(to, "measuring"))?;
    // A link is not made over anything, as a rename would be.
    fs::hard_link(&partial.path, to).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => exists(),
        _ => KeepingError::io(to, "giving the backup its name")(e),
    })?;
    drop(partial);
    sync_parent(to).map_err(KeepingError::io(to, "fsync"))?;
    Ok(BackedUp {
        rows,
        swarms,
        bytes: bytes.len(),
    })
}

/// The same on a thread of its own, so that no other task waits for the disk.
pub(crate) async fn backup_apart(
    store: Arc<dyn Store>,
    to: PathBuf,
) -> Result<BackedUp, KeepingError> {
    let runtime = Handle::current();
    let made = spawn_blocking(move || runtime.block_on(backup(&*store, &to))).await;
    made.unwrap_or_else(|panicked| {
        let reason = panicked.to_string();
        Err(KeepingError::Stopped { reason })
    })
}

/// Returns how many rows it wrote.
async fn write(
    store: &dyn Store,
    swarms: &[SwarmId],
    partial: &Partial,
) -> Result<u64, KeepingError> {
    let file = partial.file.try_clone();
    let file = file.map_err(KeepingError::io(&partial.path, "writing"))?;
    let failed = KeepingError::archive(&partial.path);
    let mut writer = ArchiveWriter::new(BufWriter::new(file)).map_err(&failed)?;
    for swarm in swarms {
        for_each_row(store, swarm, |row: &Row| {
            writer.row(swarm, row).map_err(&failed)?;
            Ok::<_, KeepingError>(ControlFlow::Continue(()))
        })
        .await?;
    }
    let (rows, _) = writer.finish().map_err(&failed)?;
    let synced = partial.file.sync_all();
    synced.map_err(KeepingError::io(&partial.path, "fsync"))?;
    Ok(rows)
}

/// Counts the rows of a backup, each of which is compared with its checksum.
fn read(path: &Path) -> Result<u64, KeepingError> {
    let file = File::open(path).map_err(KeepingError::io(path, "reading"))?;
    let failed = KeepingError::archive(path);
    let mut reader = ArchiveReader::new(BufReader::new(file)).map_err(&failed)?;
    while reader.next_row().map_err(&failed)?.is_some() {}
    Ok(reader.rows())
}

/// Makes the names beside a file durable. Only Unix can and needs to.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    if cfg!(unix) {
        File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
