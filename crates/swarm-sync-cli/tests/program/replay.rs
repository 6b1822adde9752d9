//! `replay`: histories of git as swarms, equal to git at the end, and what is not one.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use serde_json::{Value as Json, json};

use crate::git::{Act, Story, git, run_git};
use crate::support::{Place, json_of, run, stderr, stdout};

const FILE: &str = "100644";

/// A file with nothing special about it.
fn file(content: &str) -> Act<'_> {
    Act::File(FILE, content)
}

fn replay(repository: &Path, more: &[&str]) -> Output {
    let path = repository.to_string_lossy();
    run(&[&["replay", &path, "--json"], more].concat())
}

/// The facts of a replay in which everything holds.
fn facts(repository: &Path, more: &[&str]) -> Json {
    let output = replay(repository, more);
    let facts = json_of(&output);
    assert!(output.status.success(), "{facts} {}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 1, "one object");
    assert_eq!(stderr(&output), "", "no bar without a terminal");
    assert_eq!(facts["ok"], true, "{facts}");
    facts
}

/// Two authors, a merge, renames, deletes, every kind of entry and paths that are no keys.
fn odd_history(place: &Place) -> std::path::PathBuf {
    let long = [&b"d/"[..]; 600].concat();
    let long = [&long[..], b"file"].concat();
    let mut story = Story::default();
    let first = story.commit(
        "ann",
        &[
            (b"a", file("one")),
            (b"two words", file("")),
            (b"new\nline", file("x")),
            (b"bad\xffbyte", file("y")),
            (b"100%", file("z")),
            ("ä/🐝".as_bytes(), file("bee")),
            (&long, file("far down")),
            (b"script", Act::File("100755", "#!")),
            (b"link", Act::File("120000", "a")),
            (b"module", Act::Module('1')),
            (b"becomes/a/file", file("deep")),
        ],
    );
    let second = story.commit(
        "bob",
        &[
            // A rename, also of a path that is no key.
            (b"a", Act::Delete),
            (b"dir/a", file("one")),
            (b"bad\xffbyte", Act::Delete),
            (b"worse\xfebyte", file("y")),
            (b"two words", Act::Delete),
        ],
    );
    let aside = story.commit_on("side", "ann", &[first], &[(b"side", file("s"))]);
    let merge = [second, aside];
    story.commit_on("main", "bob", &merge, &[(b"side", file("s"))]);
    story.commit(
        "ann",
        &[
            (b"link", file("no link any more")),
            (b"script", Act::File(FILE, "#!")),
            (b"module", Act::Module('2')),
            (b"becomes/a/file", Act::Delete),
            (b"becomes", file("flat")),
            (&long, file("still there")),
        ],
    );
    story.commit("bob", &[]);
    let directory = place.path("odd");
    story.import(&directory);
    directory
}

/// Ann and Bob write the same file in turns.
fn contested_history(place: &Place) -> std::path::PathBuf {
    let mut story = Story::default();
    story.commit("ann", &[(b"shared", file("1")), (b"unseen", file("u"))]);
    story.commit("bob", &[(b"shared", file("2")), (b"unseen", Act::Delete)]);
    story.commit("ann", &[(b"shared", file("3"))]);
    story.commit("bob", &[(b"shared", file("4"))]);
    let directory = place.path("contested");
    story.import(&directory);
    directory
}

#[test]
fn every_replica_equals_the_tree_of_head() {
    let Some(_) = git() else { return };
    let place = Place::new();
    let repository = odd_history(&place);
    for more in [
        &[][..],
        &["--tcp"],
        &["--agents", "3"],
        &["--agents", "3", "--tcp"],
    ] {
        let facts = facts(&repository, more);
        let listed = run_git(&repository, &["ls-tree", "-r", "-z", "HEAD"], b"");
        let paths = listed.split_terminator('\0').count();
        assert_eq!(facts["keys"], paths, "{facts}");
        // Five of main; what was merged counts as the merge's changes.
        assert_eq!(facts["commits"], 5, "{facts}");
        assert_eq!(
            (&facts["conflicts"], &facts["unlike_head"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(
            (&facts["escaped_paths"], &facts["hashed_paths"]),
            (&json!(2), &json!(1))
        );
        assert_eq!(
            (&facts["writes"], &facts["deletes"]),
            (&json!(19), &json!(4)),
            "{facts}"
        );
        assert_eq!(
            facts["head"],
            run_git(&repository, &["rev-parse", "HEAD"], b"").as_str()
        );
        assert_eq!(facts["shallow"], false);
        let members = facts["members"].as_array().expect("a list");
        assert!(
            members.iter().all(|m| m["digest"] == facts["digest"]),
            "{facts}"
        );
        let agents = if more.contains(&"--agents") { 3 } else { 2 };
        assert_eq!((members.len(), &facts["agents"]), (agents, &json!(agents)));
        let authors = members.iter().filter_map(|m| m["author"].as_str());
        let authors: BTreeSet<&str> = authors.collect();
        if agents == 2 {
            assert_eq!(
                authors,
                ["ann <ann@example.org>", "bob <bob@example.org>"].into()
            );
        }
        assert!(facts["bytes"].as_u64() > Some(0) && facts["rounds"].as_u64() > Some(5));
        assert_eq!(
            facts["peak_memory_bytes"].is_u64(),
            cfg!(target_os = "linux")
        );
    }
}

#[test]
fn who_writes_cut_off_converges_and_every_loss_names_its_winner() {
    let Some(_) = git() else { return };
    let place = Place::new();
    let repository = contested_history(&place);
    for more in [&[][..], &["--tcp"]] {
        let facts = facts(&repository, &[&["--offline-every", "2"], more].concat());
        let lost = facts["lost"].as_array().expect("a list");
        assert_eq!((lost.len(), &facts["conflicts"]), (1, &json!(1)), "{facts}");
        let (lost, writer) = (&lost[0], lost[0]["write"].as_str().unwrap_or_default());
        assert_eq!(
            (&lost["key"], &lost["commit"]),
            (&json!("shared"), &json!(3))
        );
        assert!(writer.starts_with("agent-1/"), "{lost}");
        let winner = lost["winner"].as_str().unwrap_or_default();
        assert!(
            winner.starts_with("agent-2/") && lost["winner_commit"] == 4,
            "{lost}"
        );
        let blob = run_git(&repository, &["rev-parse", "HEAD:shared"], b"");
        assert_eq!(lost["winning_value"]["blob"], blob.as_str());
        assert_eq!(lost["winning_value"]["size"], 1);
        // Bob was to delete what Ann had not told the hub yet.
        assert_eq!(
            (&facts["idle_deletes"], &facts["unlike_head"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(facts["keys"], 2, "{facts}");
    }
    // One who knows all there is loses nothing.
    let facts = facts(&repository, &["--offline-every", "2", "--agents", "1"]);
    assert_eq!(
        (&facts["conflicts"], &facts["keys"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn a_deletion_can_win_and_is_named() {
    let Some(_) = git() else { return };
    let place = Place::new();
    let mut story = Story::default();
    story.commit("ann", &[(b"y", file("1"))]);
    story.commit("bob", &[(b"z", file("1"))]);
    story.commit("ann", &[(b"y", file("2"))]);
    story.commit("bob", &[(b"y", Act::Delete)]);
    let repository = place.path("deleted");
    story.import(&repository);
    let facts = facts(&repository, &["--offline-every", "1"]);
    let lost = facts["lost"].as_array().expect("a list");
    assert_eq!(lost.len(), 1, "{facts}");
    assert_eq!(
        (&lost[0]["commit"], &lost[0]["winner_commit"]),
        (&json!(3), &json!(4))
    );
    assert_eq!(
        (&lost[0]["winning_value"], &facts["keys"]),
        (&Json::Null, &json!(1))
    );

    let output = run(&[
        "replay",
        &repository.to_string_lossy(),
        "--offline-every",
        "1",
    ]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    let line = text
        .lines()
        .find(|l| l.starts_with("  y: "))
        .unwrap_or_default();
    assert!(line.contains("commit 3 by agent-1 ("), "{text}");
    assert!(
        line.ends_with("lost against commit 4 by agent-2 (deleted)"),
        "{text}"
    );
    assert!(text.contains("4 of 4 checks hold"), "{text}");
}

#[test]
fn people_read_who_an_agent_is_and_what_made_the_difference() {
    let Some(_) = git() else { return };
    let place = Place::new();
    let mut story = Story::default();
    let bad: &[u8] = b"bad\xff";
    story.commit("ann", &[(b"x", file("same")), (bad, file("b"))]);
    story.commit("bob", &[(b"x", Act::File("100755", "same"))]);
    story.commit("cat", &[(b"y", file("c"))]);
    let repository = place.path("modes");
    story.import(&repository);
    let path = repository.to_string_lossy();
    let text = stdout(&run(&["replay", &path, "--offline-every", "3"]));
    let line = text.lines().find(|l| l.starts_with("  x: "));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains(", mode 100644) lost against"), "{line}");
    assert!(line.ends_with(", mode 100755)"), "{line}");
    for name in ["agent-1 is ann <", "agent-2 is bob <"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(!text.contains("is cat"), "she is not named: {text}");
    assert!(text.contains("(1 path escaped, 0 hashed)"), "{text}");
}

/// Many commits of many authors, who write to files of their own and to some of everybody's.
fn crowded_history(place: &Place, commits: u64, authors: u64) -> std::path::PathBuf {
    // A generator of its own, so that every run and machine has the same history.
    let mut state = 7_u64;
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % limit
    };
    let mut story = Story::default();
    for commit in 0..commits {
        let author = if commit < authors {
            commit
        } else {
            below(authors)
        };
        let changes: Vec<_> = (0..=below(3))
            .map(|_| {
                let own = format!("own/{}", author % 40);
                let shared = format!("shared/{}", below(20));
                let path = if below(4) > 0 { own } else { shared };
                (path, (below(10) > 0).then(|| format!("content {commit}")))
            })
            .collect();
        let acts: Vec<(&[u8], Act<'_>)> = changes
            .iter()
            .map(|(path, content)| {
                let act = content.as_deref().map_or(Act::Delete, file);
                (path.as_bytes(), act)
            })
            .collect();
        story.commit(&format!("author-{author}"), &acts);
    }
    let directory = place.path("crowded");
    story.import(&directory);
    directory
}

/// `cargo xtask replay` does the same with 500 authors, in a release build.
#[test]
fn a_crowd_of_authors_takes_seconds() {
    let Some(_) = git() else { return };
    let place = Place::new();
    let repository = crowded_history(&place, 400, 100);
    let plain = facts(&repository, &[]);
    let cut_off = facts(&repository, &["--offline-every", "3"]);
    for facts in [&plain, &cut_off] {
        assert_eq!(
            (&facts["commits"], &facts["agents"]),
            (&json!(400), &json!(100))
        );
        // Also on a machine that is busy with everything else.
        let elapsed = facts["elapsed_ms"].as_u64();
        assert!(elapsed < Some(60_000), "{elapsed:?} ms");
    }
    assert_eq!(plain["conflicts"], 0);
    assert!(cut_off["conflicts"].as_u64() > Some(50), "{cut_off}");
}
