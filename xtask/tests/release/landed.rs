//! A release that goes well, and one that is only tried.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::fixture::Fixture;

/// The archive in a directory.
fn archive_in(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .find(|file| file.to_string_lossy().ends_with(".tar.gz"))
        .unwrap()
}

/// The paths in an archive below its one folder.
fn members(archive: &Path) -> Vec<String> {
    let bytes = fs::read(archive).unwrap();
    let mut tar = tar::Archive::new(GzDecoder::new(&*bytes));
    let paths = tar.entries().unwrap().map(|entry| {
        let path = entry
            .unwrap()
            .path()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        path.split_once('/').unwrap().1.to_owned()
    });
    paths.collect()
}

fn gunzipped(path: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    GzDecoder::new(fs::File::open(path).unwrap())
        .read_to_end(&mut content)
        .unwrap();
    content
}

#[test]
fn a_release_is_one_commit_with_its_tag_and_an_archive_that_runs() {
    let fixture = Fixture::new();
    let before = fixture.git(&["rev-parse", "HEAD"]);
    let said = fixture.released(&["minor"]);
    for line in [
        "0.1.0 → 0.2.0",
        "checking",
        "git push --atomic REMOTE",
        "in this order: alpha, beta",
    ] {
        assert!(said.contains(line), "no `{line}` in: {said}");
    }

    assert_eq!(fixture.git(&["rev-parse", "HEAD~1"]), before);
    check_commit(&fixture);
    check_archive(&fixture);

    // What was released has no news, and its version is not made a second time.
    fixture.refused(
        &["0.2.0"],
        "the tag v0.2.0 exists: that version is released",
    );
    fixture.refused(&[], "is released already: say what follows it");
    fixture.refused(&["patch"], "says nothing");
}

/// The commit changes versions and changelog and nothing else, and its tag says what is new.
fn check_commit(fixture: &Fixture) {
    let tagged = fixture.git(&["rev-parse", "v0.2.0^{commit}"]);
    assert_eq!(tagged, fixture.git(&["rev-parse", "main"]));
    assert_eq!(fixture.git(&["cat-file", "-t", "v0.2.0"]), "tag");
    assert_eq!(fixture.git(&["status", "--porcelain"]), "");
    let who = fixture.git(&["show", "--no-patch", "--format=%an %cn", "HEAD"]);
    assert_eq!(who, "A Maintainer A Maintainer");
    let changed = fixture.git(&["diff", "--name-only", "HEAD~1"]);
    assert_eq!(changed, "CHANGELOG.md\nCargo.lock\nCargo.toml");
    let notes = fixture.git(&["tag", "--list", "--format=%(contents)", "v0.2.0"]);
    for (text, expected) in [
        (
            notes,
            "Release 0.2.0\n\n### Added\n\n- **alpha**: all of it.",
        ),
        (
            fixture.read("CHANGELOG.md"),
            "## Unreleased\n\n## 0.2.0 - 2025-12-31\n\n### Added\n",
        ),
        (
            fixture.read("Cargo.toml"),
            "alpha = { path = \"alpha\", version = \"0.2.0\" }",
        ),
        (fixture.read("Cargo.toml"), "publish = false"),
        (
            fixture.read("Cargo.lock"),
            "name = \"beta\"\nversion = \"0.2.0\"",
        ),
    ] {
        assert!(text.contains(expected), "no `{expected}` in: {text}");
    }
}

/// The archive has the program, which runs, and what is read with it.
fn check_archive(fixture: &Fixture) {
    let archive = archive_in(&fixture.root().join("target/dist/v0.2.0"));
    let program = format!("beta{}", std::env::consts::EXE_SUFFIX);
    let expected = [
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        &program,
        "completions/_beta",
        "completions/beta.bash",
        "completions/beta.fish",
        "docs/guide.md",
    ];
    assert_eq!(members(&archive), expected);
    let unpacked = tempfile::tempdir().unwrap();
    let tar = gunzipped(&archive);
    tar::Archive::new(&*tar).unpack(unpacked.path()).unwrap();
    let mut folders = fs::read_dir(unpacked.path()).unwrap();
    let folder = folders.next().unwrap().unwrap().path();
    let mut run = fixture.command(folder.join(&program));
    let printed = run.output().unwrap().stdout;
    assert_eq!(String::from_utf8(printed).unwrap().trim(), "uses alpha");
}

#[test]
fn a_dry_run_makes_everything_and_changes_nothing() {
    let fixture = Fixture::new();
    let before = (
        fixture.state(),
        fixture.read("CHANGELOG.md"),
        fixture.read("Cargo.toml"),
    );
    let first = fixture.released(&["--dry-run"]);
    for line in [
        "releasing 0.1.0 → 0.1.0 (a dry run)",
        "packaged beta 0.1.0",
        "`cargo xtask ci` would run here",
        "publish nothing",
    ] {
        assert!(first.contains(line), "no `{line}` in: {first}");
    }
    assert!(!first.contains("checking"), "{first}");
    assert!(!fixture.root().join("target/dist").exists());
    let archive = archive_in(&fixture.root().join("target/xtask-release/dist"));
    let bytes = fs::read(&archive).unwrap();
    let checksum = fs::read_to_string(format!("{}.sha256", archive.display())).unwrap();
    let name = archive.file_name().unwrap().to_string_lossy().into_owned();
    assert!(checksum.ends_with(&format!("  {name}\n")), "{checksum}");
    assert!(
        first.contains(checksum.split(' ').next().unwrap()),
        "{checksum} {first}"
    );

    // The same commit at the same moment makes the same archive.
    fixture.released(&["--dry-run"]);
    assert!(bytes == fs::read(archive).unwrap(), "the archives differ");
    let after = (
        fixture.state(),
        fixture.read("CHANGELOG.md"),
        fixture.read("Cargo.toml"),
    );
    assert_eq!(before, after);
}
