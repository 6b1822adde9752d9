//! What cannot be replayed, and repositories that are not whole: each a sentence that says what to do.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::git::{Act, Story, git, run_git};
use crate::support::{Place, json_of, program, run, stderr, stdout};

/// A repository with a commit for each of these contents.
fn history(place: &Place, contents: &[&str]) -> PathBuf {
    let mut story = Story::default();
    for content in contents {
        story.commit("ann", &[(b"file", Act::File("100644", content))]);
    }
    let directory = place.path("repository");
    story.import(&directory);
    directory
}

fn replay(path: &Path) -> Output {
    program(&["replay", &path.to_string_lossy(), "--json"])
        // Whatever is above the directories of a test is no repository of its.
        .env("GIT_CEILING_DIRECTORIES", path.parent().unwrap_or(path))
        .output()
        .expect("the program starts")
}

/// It failed with this kind of error, in a sentence that holds these words.
fn refused(output: &Output, kind: &str, words: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    let answer = json_of(output);
    assert_eq!(
        (&answer["ok"], &answer["error"]["kind"]),
        (&false.into(), &kind.into())
    );
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    for word in words {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert!(stderr(output).contains(message), "people read it too");
}

#[test]
fn what_is_no_repository_is_refused_with_what_to_do() {
    let Some(_) = git() else { return };
    let place = Place::new();
    refused(
        &replay(&place.path("absent")),
        "no-repository",
        &["nothing at", "give the path"],
    );
    let file = place.path("file");
    std::fs::write(&file, "no repository").expect("it is new");
    refused(
        &replay(&file),
        "no-repository",
        &["not a directory", "give the directory"],
    );
    let directory = place.path("directory");
    std::fs::create_dir(&directory).expect("it is new");
    refused(
        &replay(&directory),
        "no-repository",
        &["is no git repository", "git init"],
    );
    run_git(&directory, &["init", "--quiet"], b"");
    refused(
        &replay(&directory),
        "no-commits",
        &["names no commit", "commit something first"],
    );
}

#[test]
fn without_git_it_says_so() {
    let place = Place::new();
    let output = program(&["replay", ".", "--json"])
        .env("PATH", place.path("empty"))
        .output()
        .expect("the program starts");
    refused(
        &output,
        "no-git",
        &["no program `git` in PATH", "install it"],
    );
}

#[test]
fn nobody_and_never_are_no_numbers_to_replay_with() {
    for option in ["--agents", "--offline-every"] {
        for number in ["0", "-1", "many"] {
            let output = run(&["replay", ".", &format!("{option}={number}")]);
            assert_eq!(output.status.code(), Some(2));
            let said = stderr(&output);
            assert!(
                said.contains("a whole number from 1") && said.contains(option),
                "{said}"
            );
        }
    }
    let output = run(&["replay"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("swarm-sync replay"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_shallow_clone_is_replayed_from_where_it_begins() {
    let Some(_) = git() else { return };
    let place = Place::new();
    let whole = history(&place, &["1", "2", "3", "4"]);
    let from = format!("file://{}", whole.display());
    let clone = place.path("clone");
    let words = [
        "clone",
        "--quiet",
        "--depth",
        "2",
        &from,
        &clone.to_string_lossy(),
    ];
    run_git(&whole, &words, b"");
    let output = replay(&clone);
    let facts = json_of(&output);
    assert!(output.status.success(), "{facts}");
    assert_eq!(
        (&facts["commits"], &facts["shallow"]),
        (&2.into(), &true.into())
    );
    // A directory within the working tree will do as well, and so will a HEAD that is on no branch.
    let below = clone.join("below");
    std::fs::create_dir(&below).expect("it is new");
    run_git(&clone, &["checkout", "--quiet", "--detach"], b"");
    let output = run(&["replay", &below.to_string_lossy(), "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(json_of(&output)["head"], facts["head"]);
}

#[test]
fn a_repository_that_lacks_an_object_is_not_taken_for_whole() {
    let Some(_) = git() else { return };
    let place = Place::new();
    let repository = history(&place, &["1", "2"]);
    let blob = run_git(&repository, &["rev-parse", "HEAD:file"], b"");
    let (folder, rest) = blob.split_at(2);
    let object = repository.join("objects").join(folder).join(rest);
    std::fs::remove_file(object).expect("a short history is unpacked");
    refused(
        &replay(&repository),
        "git",
        &["git cat-file", "missing", "git fsck"],
    );
}

#[test]
fn the_users_configuration_changes_nothing() {
    let Some(_) = git() else { return };
    let place = Place::new();
    let repository = history(&place, &["1", "2", "3"]);
    for (name, value) in [
        ("log.showSignature", "true"),
        ("log.diffMerges", "combined"),
        ("diff.ignoreSubmodules", "all"),
        ("diff.relative", "true"),
        ("color.ui", "always"),
        ("i18n.logOutputEncoding", "UTF-16"),
    ] {
        run_git(&repository, &["config", name, value], b"");
    }
    let output = program(&["replay", &repository.to_string_lossy(), "--json"])
        // As in a hook of another repository.
        .env("GIT_DIR", place.path("elsewhere"))
        .output()
        .expect("the program starts");
    let facts = json_of(&output);
    assert!(output.status.success(), "{facts}");
    assert_eq!((&facts["commits"], &facts["keys"]), (&3.into(), &1.into()));
}

/// A program that takes the place of git: this script, with the real one as `$GIT`.
#[cfg(unix)]
fn in_place_of_git(place: &Place, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let directory = place.path("bin");
    std::fs::create_dir(&directory).expect("it is new");
    let program = directory.join("git");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("it is new");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("it is ours");
    directory
}

#[cfg(unix)]
#[test]
fn a_tree_that_is_not_what_was_replayed_fails() {
    let Some(real) = git() else { return };
    let place = Place::new();
    let repository = history(&place, &["1", "2"]);
    // It lists the tree of the commit before.
    let script =
        r#"case " $* " in *" ls-tree "*) exec "$GIT" "$@~1" ;; *) exec "$GIT" "$@" ;; esac"#;
    let bin = in_place_of_git(&place, script);
    for json in [true, false] {
        let path = repository.to_string_lossy();
        let mut command = program(&["replay", &path]);
        command.args(json.then_some("--json"));
        command.env("PATH", &bin).env("GIT", &real);
        let output = command.output().expect("the program starts");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        if json {
            let facts = json_of(&output);
            assert_eq!(
                (&facts["ok"], &facts["unlike_head"]),
                (&false.into(), &1.into())
            );
        } else {
            let text = stdout(&output);
            assert!(
                text.contains("FAILED") && text.contains("3 of 4 checks hold"),
                "{text}"
            );
            assert!(text.contains("0 of 1; 1 paths differ"), "{text}");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_replay_ends_its_git_and_says_so() {
    use crate::support::{Process, until};
    let place = Place::new();
    let bin = in_place_of_git(
        &place,
        r#"echo $$ > "$NOTE.new"; mv "$NOTE.new" "$NOTE"; exec /bin/sleep 600"#,
    );
    let note = place.path("note");
    let path = format!("{}:/bin:/usr/bin", bin.display());
    let environment = [("PATH", Path::new(&path)), ("NOTE", &note)];
    let mut process = Process::start_in(&["replay", ".", "--json"], &environment);
    until(|| note.exists(), |there| *there);
    process.signal("INT");
    assert_eq!(process.end().code(), Some(130));
    let answer = process.json();
    assert_eq!(answer["error"]["kind"], "interrupted", "{answer}");
    let pid = std::fs::read_to_string(&note).expect("it wrote it");
    let alive = || {
        let asked = std::process::Command::new("kill")
            .args(["-0", pid.trim()])
            .output();
        asked.expect("there is a kill").status.success()
    };
    until(alive, |alive| !alive);
}

#[test]
fn a_setting_of_git_that_is_wrong_is_passed_over_or_named() {
    let Some(_) = git() else { return };
    let place = Place::new();
    let repository = history(&place, &["1", "2"]);
    let set = |name: &str, value: &str| {
        run_git(&repository, &["config", name, value], b"");
    };
    set("diff.orderFile", "/nowhere/order");
    set("log.date", "bogus");
    let output = replay(&repository);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(json_of(&output)["commits"], 2);
    set("diff.colorMoved", "bogus");
    let output = replay(&repository);
    refused(&output, "git", &["diff.colormoved", "mend that setting"]);
    assert!(!stderr(&output).contains("fsck"), "{}", stderr(&output));
}
