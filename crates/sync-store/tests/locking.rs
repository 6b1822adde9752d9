//! Who may open which directory.
#![cfg(any(feature = "sled", feature = "redb"))]
#![allow(clippy::unwrap_used, reason = "helpers fail by panicking, as tests do")]

#[path = "support/common.rs"]
mod common;
#[path = "support/image.rs"]
mod image;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use common::{Disk, batch, child, put, read_all, say, swarm};
use image::Image;
use sync_core::store::StoreError;
use sync_store::{Found, STORE_FORMAT, lock_file, look};

fn assert_in_use(disk: Disk, directory: &Path) {
    let error = disk.open(directory).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    let expected = format!(
        "{} is in use by another process; stop it or choose another directory",
        directory.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_directory_has_one_store_at_a_time() {
    for &disk in Disk::ALL {
        let place = tempfile::tempdir().unwrap();
        let store = disk.open(place.path()).unwrap();
        assert_in_use(disk, place.path());
        let s = swarm("s");
        store
            .commit(vec![batch(&s, [put("k", "v")])])
            .await
            .unwrap();
        assert_in_use(disk, place.path());
        store.close().await.unwrap();
        let store = disk.open(place.path()).unwrap();
        assert_eq!(read_all(&*store, &s).await.len(), 1);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn looking_at_a_directory_tells_what_it_is_and_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("store");
    assert_eq!(look(&path).unwrap(), Found::Nothing);
    assert!(!path.exists(), "looking made it");
    let known = STORE_FORMAT;
    let engine = Disk::ALL[0].name().to_owned();
    let store = |format| {
        let engine = engine.clone();
        Found::Store { format, engine }
    };
    let open = Disk::ALL[0].open(&path).unwrap();
    assert_eq!(look(&path).unwrap(), store(known));
    assert!(lock_file(&path).exists());
    open.close().await.unwrap();
    let newer = format!("swarm-sync store\nformat {}\nengine {engine}\n", known + 1);
    for (text, found) in [
        (&newer[..], store(known + 1)),
        ("swarm-sync store\nformat 300\n", Found::Unreadable),
        ("", Found::Unreadable),
    ] {
        fs::write(path.join("format"), text).unwrap();
        assert_eq!(look(&path).unwrap(), found);
    }
    let file = "store".to_owned();
    assert_eq!(look(place.path()).unwrap(), Found::Foreign { file });
    // What is no directory cannot be looked into.
    assert!(look(path.join("format")).is_err());
}

#[test]
fn of_many_that_open_at_once_one_gets_it() {
    for &disk in Disk::ALL {
        let place = tempfile::tempdir().unwrap();
        let opened = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| disk.open(place.path())))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(opened.iter().filter(|store| store.is_ok()).count(), 1);
        for error in opened.into_iter().filter_map(Result::err) {
            assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn dropping_without_closing_keeps_what_was_committed_and_releases() {
    for &disk in Disk::ALL {
        let place = tempfile::tempdir().unwrap();
        let s = swarm("s");
        let store = disk.open(place.path()).unwrap();
        store
            .commit(vec![batch(&s, [put("k", "v")])])
            .await
            .unwrap();
        drop(store);
        let store = loop {
            match disk.open(place.path()) {
                Ok(store) => break store,
                Err(StoreError::InUse { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(read_all(&*store, &s).await.len(), 1);
        store.close().await.unwrap();
    }
}

/// Not a test of its own: holds the directory until it is killed.
#[test]
fn holder() {
    let Some((disk, directory)) = Disk::of_child() else {
        return;
    };
    let _store = disk.open(directory).unwrap();
    say("open");
    // Standard input never ends before the parent does.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

#[test]
fn another_process_is_told_apart_from_a_dead_one() {
    for &disk in Disk::ALL {
        let place = tempfile::tempdir().unwrap();
        let mut holder = child("holder", disk, place.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        assert!(
            lines
                .map_while(Result::ok)
                .any(|line| line.ends_with("open")),
            "the holder could not open the directory"
        );
        assert_in_use(disk, place.path());
        holder.kill().unwrap();
        holder.wait().unwrap();
        disk.open(place.path()).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_directory_is_made_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    for &disk in Disk::ALL {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("not").join("there");
        drop(disk.open(&directory).unwrap());
        for made in [&*directory, directory.parent().unwrap()] {
            let mode = fs::metadata(made).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", made.display());
        }
    }
}

#[test]
fn a_path_that_is_a_file_is_an_error() {
    for &disk in Disk::ALL {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "text").unwrap();
        let error = disk.open(&file).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        assert_eq!(fs::read(&file).unwrap(), b"text");
    }
}

/// Bad input, row 22.
#[cfg(feature = "sled")]
#[test]
fn what_is_not_a_store_is_left_alone() {
    let files = tempfile::tempdir().unwrap();
    fs::write(files.path().join("notes.txt"), "mine").unwrap();
    let database = tempfile::tempdir().unwrap();
    let db = sled::open(database.path()).unwrap();
    db.insert("theirs", "value").unwrap();
    drop(db);
    for place in [&files, &database] {
        let error = Disk::Sled.open(place.path()).unwrap_err();
        assert!(
            error.to_string().contains("the directory is not a store"),
            "{error}"
        );
        assert!(!place.path().join("format").exists());
        assert!(!place.path().join("seal").exists());
    }
    assert_eq!(fs::read(files.path().join("notes.txt")).unwrap(), b"mine");
    let db = sled::open(database.path()).unwrap();
    assert_eq!(db.get("theirs").unwrap().unwrap(), b"value");
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    for &disk in Disk::ALL {
        let place = tempfile::tempdir().unwrap();
        let s = swarm("s");
        let store = disk.open(place.path()).unwrap();
        store
            .commit(vec![batch(&s, [put("k", "v")])])
            .await
            .unwrap();
        store.close().await.unwrap();
        let file = place.path().join("format");
        let known = fs::read(&file).unwrap();
        let refused = |format: &str| {
            fs::write(&file, format).unwrap();
            let before = Image::read(place.path());
            let error = disk.open(place.path()).unwrap_err();
            assert!(Image::read(place.path()) == before, "{format}");
            error
        };
        let newer = "swarm-sync store\nformat 7\n";
        for newer in [newer.to_owned(), format!("{newer}engine {}\n", disk.name())] {
            let error = refused(&newer);
            assert!(
                matches!(
                    error,
                    StoreError::Format {
                        found: 7,
                        known: 1,
                        ..
                    }
                ),
                "{error}"
            );
        }
        for garbage in ["", "swarm-sync store\nformat 1", "something else"] {
            let error = refused(garbage);
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        }
        fs::write(&file, known).unwrap();
        let store = disk.open(place.path()).unwrap();
        assert_eq!(read_all(&*store, &s).await.len(), 1);
        store.close().await.unwrap();
    }
}

#[cfg(feature = "sled")]
#[test]
fn an_interrupted_first_open_can_be_repeated() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("lock"), "").unwrap();
    fs::write(place.path().join("format.new"), "swarm-sy").unwrap();
    drop(Disk::Sled.open(place.path()).unwrap());

    // Stopped after the format was written, before the seal was.
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("format"), "swarm-sync store\nformat 1\n").unwrap();
    drop(sled::open(place.path()).unwrap());
    drop(Disk::Sled.open(place.path()).unwrap());

    // Stopped before the seal had its length.
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("format"), "swarm-sync store\nformat 1\n").unwrap();
    fs::write(place.path().join("seal"), [0; 10]).unwrap();
    drop(Disk::Sled.open(place.path()).unwrap());
}

#[cfg(feature = "redb")]
#[tokio::test]
async fn an_interrupted_first_open_of_redb_can_be_repeated() {
    let place = tempfile::tempdir().unwrap();
    fs::write(
        place.path().join("format"),
        "swarm-sync store\nformat 1\nengine redb\n",
    )
    .unwrap();
    // redb has given its file a length, and no mark.
    fs::write(place.path().join("rows.redb.new"), [0; 4_096]).unwrap();
    for _ in 0..2 {
        let store = Disk::Redb.open(place.path()).unwrap();
        store.close().await.unwrap();
        assert!(!place.path().join("rows.redb.new").exists());
    }
}

#[cfg(all(feature = "sled", feature = "redb"))]
#[tokio::test]
async fn a_directory_of_another_engine_is_refused_and_left_alone() {
    for (disk, other) in [(Disk::Sled, Disk::Redb), (Disk::Redb, Disk::Sled)] {
        let place = tempfile::tempdir().unwrap();
        let s = swarm("s");
        let store = disk.open(place.path()).unwrap();
        let batches = vec![batch(&s, [put("k", "v")])];
        store.commit(batches).await.unwrap();
        store.close().await.unwrap();
        let error = other.open(place.path()).unwrap_err();
        assert!(matches!(error, StoreError::Engine { .. }), "{error}");
        assert!(!place.path().join(other.database()).exists());
        let store = disk.open(place.path()).unwrap();
        assert_eq!(read_all(&*store, &s).await.len(), 1);
        store.close().await.unwrap();
    }
}
