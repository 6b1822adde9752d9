//! Releases that fail or are killed on the way.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::fixture::Fixture;

/// A release whose checks have begun: commit, tag and packages are made, and the checks end with their input.
fn checking(fixture: &Fixture) -> (Child, impl Iterator<Item = String>) {
    fixture.write("slow", "");
    fixture.commit("Be slow");
    let mut command = fixture.release_command(&["minor"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let has_begun = lines.any(|line| line == "checking");
    assert!(has_begun, "it ended before it checked anything");
    (child, lines)
}

#[test]
fn a_release_that_was_killed_has_changed_nothing_and_can_be_run_again() {
    let fixture = Fixture::new();
    let (mut child, _lines) = checking(&fixture);
    let during = fixture.state();
    assert!(!during.contains("refs/tags"), "{during}");
    fixture.refused(&["minor"], "another release is being made");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fixture.state(), during);
    fixture.released(&["minor"]);
    assert_eq!(fixture.git(&["tag", "--list"]), "v0.2.0");
}

#[test]
fn what_is_committed_while_a_release_is_made_stops_it() {
    let fixture = Fixture::new();
    let (mut child, _lines) = checking(&fixture);
    fixture.write("alpha/src/late.rs", "");
    fixture.commit("Come late");
    let before = fixture.state();
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success());
    assert_eq!(fixture.state(), before);
    fixture.released(&["minor"]);
    let files = fixture.git(&["ls-tree", "-r", "--name-only", "v0.2.0"]);
    assert!(files.contains("alpha/src/late.rs"), "{files}");
}

#[test]
fn a_branch_that_cannot_move_is_left_without_the_tag() {
    let fixture = Fixture::new();
    let (mut child, _lines) = checking(&fixture);
    let before = fixture.state();
    // What another git at work here would leave.
    fixture.write(".git/index.lock", "");
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success());
    assert_eq!(fixture.state(), before);
    fs::remove_file(fixture.root().join(".git/index.lock")).unwrap();
    fixture.released(&["minor"]);
}

#[test]
fn a_release_that_is_red_is_none_until_it_is_green_or_the_checks_are_skipped() {
    let fixture = Fixture::new();
    fixture.write("red", "");
    fixture.commit("Break it");
    let said = fixture.refused(&["patch"], "something is red");
    assert!(
        said.contains("0.1.1 is not released and your repository is as it was"),
        "{said}"
    );
    let said = fixture.released(&["patch", "--skip-checks"]);
    assert!(
        said.contains("CHECKS ARE SKIPPED") && !said.contains("something is red"),
        "{said}"
    );
    assert_eq!(fixture.git(&["tag", "--list"]), "v0.1.1");
}

#[test]
fn a_release_that_stopped_before_its_branch_moved_says_how_to_go_on() {
    let fixture = Fixture::new();
    fixture.released(&["minor"]);
    // As if it had been interrupted between the tag and the branch.
    fixture.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    fixture.refused(
        &["minor"],
        "`git merge --ff-only v0.2.0` completes it, `git tag --delete v0.2.0` undoes it",
    );
    fixture.git(&["merge", "--quiet", "--ff-only", "v0.2.0"]);
    fixture.refused(&["0.2.0"], "that version is released");
}
