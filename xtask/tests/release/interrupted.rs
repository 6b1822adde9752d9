//! Releases that fail or are killed on the way.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::fixture::Fixture;

#[test]
fn a_release_that_was_killed_has_changed_nothing_and_can_be_run_again() {
    let fixture = Fixture::new();
    fixture.write("slow", "");
    fixture.commit("Be slow");
    let before = fixture.state();
    let mut command = fixture.release_command(&["minor"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The checks have begun, and end only with their input: commit, tag and packages are made by now.
    assert!(
        lines.any(|line| line.unwrap() == "checking"),
        "it ended before it checked anything"
    );
    fixture.refused(&["minor"], "another release is being made");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(child);
    assert_eq!(fixture.state(), before);
    fixture.released(&["minor"]);
    assert_eq!(fixture.git(&["tag", "--list"]), "v0.2.0");
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
