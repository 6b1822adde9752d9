//! A closed directory, looked at from within: what a node that opened it would be told, and every row that
//! can be read. The engines write when they open, so that all of it is done on a copy.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bytes::Bytes;
use sync_core::id::SwarmId;
use sync_core::store::{Row, StoreError};

use crate::damage::corrupt;
use crate::directory::{FORMAT_FILE, LOCK_FILE, SEAL_FILE, TRIAL_DIRECTORY, io_error};
use crate::hold::hold;
use crate::look::{Found, look};
use crate::row::FORMAT;
use crate::seal::{Seal, SealFile};

/// Damaged rows that are named one by one: enough to see what happened, the rest is counted.
const NAMED_MAX: usize = 64;

/// What a closed directory holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inspection {
    /// What keeps its rows: `sled` or `redb`.
    pub engine: String,
    /// What a node that opens it is told; none if it opens.
    pub refused: Option<StoreError>,
    /// Physical rows whose bytes are those that were written, without the seal.
    pub rows: u64,
    /// How many there are to be by the newest acknowledged seal, and by the one among the rows.
    pub sealed: [Option<Sealed>; 2],
    /// The first of those that are damaged.
    pub damaged: Vec<DamagedRow>,
    /// How many are.
    pub damaged_count: u64,
    /// Why not all could be looked at.
    pub unread: Option<String>,
}

/// A row that does not carry the bytes that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedRow {
    /// Its key, escaped.
    pub row: String,
    /// What does not fit.
    pub reason: String,
}

/// What a seal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealed {
    /// The number of the commit that it was written with.
    pub number: u64,
    /// How many rows there were then.
    pub rows: u64,
}

/// What a survey of an engine's rows meets.
#[derive(Debug)]
pub(crate) enum Met {
    /// A row of a swarm.
    Row(SwarmId, Row),
    /// A row that only the store knows of.
    #[cfg(feature = "sled")]
    Inner,
    Seal(Seal),
    Damaged(DamagedRow),
}

/// What is told of each.
pub(crate) type Survey<'a> = &'a mut dyn FnMut(Met);

/// Looks at the directory `path`, which nobody may have open, and hands every row of a swarm that can be
/// read to `each`, the rows of a swarm together and in ascending order. What is there is copied into
/// `scratch`, an empty directory; `path` is only read. Blocks.
///
/// # Errors
///
/// [`StoreError::InUse`] while somebody has it open, [`StoreError::Format`] if a newer program wrote it,
/// [`StoreError::Io`] if there is no store or it cannot be copied. Damage is no error.
pub fn inspect(
    path: impl AsRef<Path>,
    scratch: impl AsRef<Path>,
    mut each: impl FnMut(&SwarmId, Row),
) -> Result<Inspection, StoreError> {
    let (path, scratch) = (path.as_ref(), scratch.as_ref());
    let name = path.display().to_string();
    let (engine, marked) = engine_of(path, &name)?;
    let _held = hold(path)?;
    copy(path, scratch).map_err(|e| io_error(&name, "copying to look at it", &e))?;
    let refused = if marked {
        opened(&engine, scratch)?.err()
    } else {
        let reason = "the file `format` does not name a storage format";
        Some(corrupt(&name, FORMAT_FILE.as_bytes(), reason))
    };
    let mut inspection = Inspection {
        engine,
        refused: refused.map(|error| renamed(error, &name)),
        rows: 0,
        sealed: [sealed_file(scratch), None],
        damaged: Vec::new(),
        damaged_count: 0,
        unread: None,
    };
    let engine = inspection.engine.clone();
    // sled's files are only read, which is done where they are; redb opens what it reads.
    let place = if engine == "sled" { path } else { scratch };
    let surveyed = survey(&engine, place, &mut |met| {
        inspection.meet(met, &mut each);
    });
    if let Err(error) = surveyed {
        inspection.unread = Some(match error {
            StoreError::Corrupt { reason, .. } | StoreError::Io { reason, .. } => reason,
            other => other.to_string(),
        });
    }
    Ok(inspection)
}

impl Inspection {
    /// Whether a node can be started from it, and has all that was acknowledged.
    pub fn is_healthy(&self) -> bool {
        self.refused.is_none() && self.damaged_count == 0 && self.unread.is_none()
    }

    fn meet(&mut self, met: Met, each: &mut impl FnMut(&SwarmId, Row)) {
        match met {
            Met::Row(swarm, row) => {
                self.rows += 1;
                each(&swarm, row);
            }
            #[cfg(feature = "sled")]
            Met::Inner => self.rows += 1,
            Met::Seal(seal) => self.sealed[1] = Some(Sealed::of(&seal)),
            Met::Damaged(row) => {
                self.damaged_count += 1;
                if self.damaged.len() < NAMED_MAX {
                    self.damaged.push(row);
                }
            }
        }
    }
}

impl Sealed {
    fn of(seal: &Seal) -> Self {
        Self {
            number: seal.number,
            rows: seal.rows,
        }
    }
}

impl Met {
    /// A row that a swarm's name and a value were taken from.
    pub(crate) fn row(swarm: SwarmId, key: &[u8], value: Bytes) -> Self {
        let key = Bytes::copy_from_slice(key);
        Self::Row(swarm, Row { key, value })
    }

    /// A row that an error speaks of; the error itself if it is of no row.
    pub(crate) fn damaged(error: StoreError) -> Result<Self, StoreError> {
        match error {
            StoreError::Corrupt { row, reason, .. } if row.starts_with('"') => {
                Ok(Self::Damaged(DamagedRow { row, reason }))
            }
            other => Err(other),
        }
    }
}

/// What keeps the rows, and whether the file that says so can be read.
fn engine_of(path: &Path, name: &str) -> Result<(String, bool), StoreError> {
    let refuse = |reason: String| {
        Err(StoreError::Io {
            path: name.to_owned(),
            doing: "looking for a store",
            reason,
        })
    };
    match look(path)? {
        Found::Store { format, engine } if format == FORMAT => Ok((engine, true)),
        Found::Store { format, .. } => Err(StoreError::Format {
            path: name.to_owned(),
            found: format,
            known: FORMAT,
        }),
        Found::Unreadable => {
            let redb = path.join("rows.redb").exists();
            let engine = if redb { "redb" } else { "sled" };
            Ok((engine.to_owned(), false))
        }
        Found::Nothing => refuse("there is none".to_owned()),
        Found::Foreign { file } => refuse(format!(
            "the directory is not a store (it has {file} but no file `format`)"
        )),
    }
}

/// Opens it as a node would. The outer error is that nobody here can.
fn opened(engine: &str, place: &Path) -> Result<Result<(), StoreError>, StoreError> {
    Ok(match engine {
        #[cfg(feature = "sled")]
        "sled" => crate::sled_store::try_open(place),
        #[cfg(feature = "redb")]
        "redb" => crate::redb_store::try_open(place),
        _ => return Err(unknown(engine, place)),
    })
}

/// Meets every row that is there. Engines panic on damage in places.
fn survey(engine: &str, place: &Path, each: Survey<'_>) -> Result<(), StoreError> {
    let surveyed = catch_unwind(AssertUnwindSafe(|| match engine {
        #[cfg(feature = "sled")]
        "sled" => crate::sled_store::survey(place, each),
        #[cfg(feature = "redb")]
        "redb" => crate::redb_store::survey(place, each),
        _ => Err(unknown(engine, place)),
    }));
    surveyed.unwrap_or_else(|_| {
        let reason = "the storage engine panicked over it";
        Err(corrupt(&place.display().to_string(), b"", reason))
    })
}

fn unknown(engine: &str, place: &Path) -> StoreError {
    StoreError::Io {
        path: place.display().to_string(),
        doing: "opening",
        reason: format!("this program was built without {engine}"),
    }
}

/// The same error about the directory that was copied.
pub(crate) fn renamed(error: StoreError, name: &str) -> StoreError {
    match error {
        StoreError::Corrupt { row, reason, .. } => StoreError::Corrupt {
            path: name.to_owned(),
            row,
            reason,
        },
        StoreError::Io { doing, reason, .. } => StoreError::Io {
            path: name.to_owned(),
            doing,
            reason,
        },
        other => other,
    }
}

/// What the file `seal` says; none if it says nothing.
fn sealed_file(place: &Path) -> Option<Sealed> {
    let file = fs::File::open(place.join(SEAL_FILE)).ok()?;
    let seal = SealFile::new(file).read().ok()??;
    Some(Sealed::of(&seal))
}

/// Copies the files of a store, and those of a directory in it.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let file = entry.file_name();
        let kind = entry.file_type()?;
        if file == TRIAL_DIRECTORY {
            // A copy itself.
            continue;
        }
        if kind.is_dir() {
            fs::create_dir(to.join(&file))?;
            copy(&entry.path(), &to.join(&file))?;
        } else if kind.is_file() && file != LOCK_FILE {
            fs::copy(entry.path(), to.join(&file))?;
        }
    }
    Ok(())
}
