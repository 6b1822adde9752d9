//! What an engine does to its files, noted one by one in the order in which it happens.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex};

use redb::backends::FileBackend;
use redb::{BackendError, Builder, Database, DatabaseError, StorageBackend};

use super::super::engine::{DATABASE_FILE, Files};
use crate::directory::SEAL_FILE;
use crate::seal::{SealDisk, SealFile};

/// What is done to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    SetLen(usize),
    /// What came before is on disk now, of this file.
    Sync,
}

/// An operation, and on which file.
pub(super) type Noted = (&'static str, Op);

/// Does everything as asked, and notes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorder {
    noted: Arc<Mutex<Vec<Noted>>>,
    /// Says nothing of the syncs of the database, as if there were none.
    no_syncs: bool,
}

impl Recorder {
    pub(super) fn without_syncs_of_the_database() -> Self {
        Self {
            noted: Arc::default(),
            no_syncs: true,
        }
    }

    /// What was noted since the last time.
    pub(super) fn take(&self) -> Vec<Noted> {
        std::mem::take(&mut self.noted.lock().unwrap())
    }

    fn note(&self, file: &'static str, op: Op) {
        self.noted.lock().unwrap().push((file, op));
    }
}

impl Files for Recorder {
    fn database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        builder.create_with_backend(NotedDatabase {
            file: FileBackend::new(file)?,
            recorder: self.clone(),
        })
    }

    fn seal(&self, file: File) -> SealFile {
        SealFile::new(NotedSeal {
            file,
            recorder: self.clone(),
        })
    }
}

fn place(at: u64) -> usize {
    usize::try_from(at).unwrap()
}

#[derive(Debug)]
struct NotedDatabase {
    file: FileBackend,
    recorder: Recorder,
}

impl StorageBackend for NotedDatabase {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.recorder.note(DATABASE_FILE, Op::SetLen(place(len)));
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        if !self.recorder.no_syncs {
            self.recorder.note(DATABASE_FILE, Op::Sync);
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let (offset_here, bytes) = (place(offset), data.to_vec());
        let op = Op::Write {
            offset: offset_here,
            bytes,
        };
        self.recorder.note(DATABASE_FILE, op);
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[derive(Debug)]
struct NotedSeal {
    file: File,
    recorder: Recorder,
}

impl SealDisk for NotedSeal {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        self.file.read()
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let op = Op::Write {
            offset: place(offset),
            bytes: bytes.to_vec(),
        };
        self.recorder.note(SEAL_FILE, op);
        self.file.write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.recorder.note(SEAL_FILE, Op::Sync);
        self.file.sync()
    }
}
