//! Policies from a file: checked, in force, shown, explained, read anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value as Json, json};

use crate::support::{Hub, Place, json_of, run, stderr, stdout};

const FILE: &str = r#"
[[policy]]
pattern = "task_*"
rule = "causal"
on_concurrent = "keep"
ttl = "7d"
ttl_refresh = true
max_value_bytes = 1000

[[policy]]
pattern = "task_?"
durability = "hub"

[[policy]]
pattern = "*"
priority = "low"
"#;

fn write(place: &Place, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let file = place.path(name);
    fs::write(&file, text).expect("it is writable");
    file
}

/// A hub with the policies of a file.
fn hub_with(place: &Place, file: &Path) -> Hub {
    Hub::start_with(&place.path("hub"), &["--policy", &file.to_string_lossy()])
}

fn patterns(listed: &Json) -> Vec<&str> {
    let policies = listed["policies"].as_array().expect("a list");
    let pattern = |policy: &'_ Json| policy["pattern"].as_str().map(str::len);
    assert!(policies.iter().all(|p| pattern(p).is_some()), "{listed}");
    policies
        .iter()
        .filter_map(|p| p["pattern"].as_str())
        .collect()
}

#[test]
fn a_valid_file_is_a_table() {
    let place = Place::new();
    let file = write(&place, "p.toml", FILE);
    let file = file.to_string_lossy();
    let checked = run(&["policy", "check", &file]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    let table = stdout(&checked);
    for text in [
        "task_*",
        "causal: keep",
        "7d, renewed",
        "1000",
        "low",
        "3 policies",
    ] {
        assert!(table.contains(text), "{table}");
    }
    assert!(table.contains(&format!("{file} is valid")), "{table}");
    let listed = json_of(&run(&["policy", "check", &file, "--json"]));
    // The most specific first: as many characters spelled out, but no star.
    assert_eq!(patterns(&listed), ["task_?", "task_*", "*"]);
    assert_eq!(
        listed["policies"][1],
        json!({"pattern": "task_*", "rule": "causal", "on_concurrent": "keep", "merge": null,
            "durability": null, "ttl_ms": 604_800_000, "ttl_refresh": true, "priority": "medium",
            "max_value_bytes": 1000, "history_commits": null, "history_age_ms": null, "receipts": null})
    );
    let empty = write(&place, "empty.toml", "");
    let checked = run(&["policy", "check", &empty.to_string_lossy()]);
    assert!(stdout(&checked).starts_with("0 policies"));
}

/// The end of a file after `[[policy]]` and `pattern = "a*"`, and what is said of it.
const FLAWED: [(&str, &str); 14] = [
    (
        "rule = \"lwww\"",
        "3: `rule` cannot be \"lwww\"; it is one of lww, register, counter, set, map, causal, custom",
    ),
    (
        "rul = \"lww\"",
        "3: a policy has no field \"rul\"; the fields are pattern, rule, on_concurrent, merge, durability, ttl, ttl_refresh, priority, max_value_bytes, history_commits, history_age, receipts",
    ),
    ("rule = lww", "3: not TOML: "),
    ("\n\nrule = \"lww", "5: not TOML: "),
    (
        "on_concurrent = \"keep\"",
        "3: `on_concurrent` needs the rule causal",
    ),
    ("rule = \"custom\"", "3: a custom merge needs `merge`"),
    (
        "rule = \"custom\"\nmerge = \"nope\"",
        "4: the merge function \"nope\" is not registered at the hub",
    ),
    (
        "durability = \"tape\"",
        "3: `durability` cannot be \"tape\"; it is one of memory, disk, hub",
    ),
    ("ttl = \"soon\"", "3: `ttl` cannot be \"soon\""),
    (
        "priority = \"urgent\"",
        "3: `priority` cannot be \"urgent\"; it is one of critical, high, medium, low, background",
    ),
    (
        "max_value_bytes = \"1K\"",
        "3: `max_value_bytes` is text; it takes a number of bytes",
    ),
    (
        "[[policy]]\npattern = \"*b\"",
        "4: *b and a* both match \"ab\" and neither is more specific; make one more specific, or add a policy for what both match (the other is in line 2)",
    ),
    (
        "[[policy]]\npattern = \"a*\"",
        "4: the pattern a* is there twice; keep one of the two (the other is in line 2)",
    ),
    (
        "[hub]",
        "3: \"hub\" is in no policy; begin each policy with [[policy]]",
    ),
];

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    let place = Place::new();
    for (end, expected) in FLAWED {
        let text = format!("[[policy]]\npattern = \"a*\"\n{end}\n");
        let file = write(&place, "p.toml", text);
        let file = file.to_string_lossy();
        let expected = format!("{file}:{expected}");
        for args in [
            &["policy", "check", &file][..],
            &["policy", "explain", "k", "--file", &file],
            &[
                "serve",
                "--memory",
                "--listen",
                "127.0.0.1:0",
                "--policy",
                &file,
            ],
        ] {
            let refused = run(args);
            assert_eq!(refused.status.code(), Some(2), "{args:?}");
            assert_eq!(stdout(&refused), "", "{args:?}");
            let said = stderr(&refused);
            assert!(
                said.starts_with(&format!("swarm-sync: {expected}")),
                "{said}"
            );
        }
    }
    let file = write(
        &place,
        "p.toml",
        "[[policy]]\npattern = \"a\"\nx = 1\ny = 2\n",
    );
    let file = file.to_string_lossy();
    let refused = run(&["policy", "check", &file, "--json"]);
    let error = &json_of(&refused)["error"];
    assert_eq!(error["kind"], "policy-file");
    let message = |text: &Json| text.as_str().map(|t| t.starts_with(&*file));
    assert_eq!(message(&error["message"]), Some(true), "{error}");
    assert_eq!(message(&error["more"][0]), Some(true), "{error}");
    assert_eq!(stderr(&refused).lines().count(), 2);
}

#[test]
fn what_is_no_text_is_refused() {
    let place = Place::new();
    let refused = |file: &Path| {
        let refused = run(&["policy", "check", &file.to_string_lossy()]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        stderr(&refused)
    };
    let missing = place.path("missing.toml");
    let said = refused(&missing);
    assert!(
        said.contains("missing.toml: the file of policies cannot be read"),
        "{said}"
    );
    fs::create_dir(place.path("directory")).expect("it is new");
    let said = refused(&place.path("directory"));
    assert!(said.contains("cannot be read"), "{said}");
    let said = refused(&write(&place, "latin.toml", b"\n# \xe4\n"));
    assert!(said.contains("latin.toml:2: not UTF-8"), "{said}");
    let said = refused(&write(&place, "long.toml", "# ä\n".repeat(400_000)));
    assert!(
        said.contains("long.toml:1: the file has") && said.contains("limit is 1048576"),
        "{said}"
    );
    // Nothing is started, nothing is made.
    let data = place.path("hub");
    let (data, file) = (data.to_string_lossy(), missing.to_string_lossy());
    let serve = run(&["serve", "--json", "--data", &data, "--policy", &file]);
    assert_eq!(serve.status.code(), Some(2));
    assert_eq!(json_of(&serve)["event"], "failed");
    assert!(!place.path("hub").exists());
}

#[test]
#[cfg(unix)]
fn a_file_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let file = write(&place, "p.toml", FILE);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o0)).expect("it is ours");
    if fs::read(&file).is_ok() {
        return; // Nothing is hidden from this user.
    }
    let refused = run(&["policy", "check", &file.to_string_lossy()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("Permission denied"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn the_policies_of_a_hub_hold_and_are_explained() {
    let place = Place::new();
    let hub = hub_with(&place, &write(&place, "p.toml", FILE));
    let shown = json_of(&hub.client(&["policy", "show", "--json"]));
    assert_eq!(patterns(&shown), ["task_?", "task_*", "*"]);
    let table = stdout(&hub.client(&["policy", "show"]));
    assert!(
        table.contains("3 policies, in force at 127.0.0.1:"),
        "{table}"
    );

    let large = "x".repeat(2_000);
    let refused = hub.client(&["set", "task_70", &large]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("the limit is 1000"),
        "{}",
        stderr(&refused)
    );
    assert!(hub.client(&["set", "other", &large]).status.success());

    let explained = |key: &str| json_of(&hub.client(&["policy", "explain", key, "--json"]));
    let seven = explained("task_7");
    assert_eq!(seven["counts"], "task_?");
    assert_eq!(seven["matching"].as_array().map(Vec::len), Some(3));
    assert_eq!(seven["holds"]["durability"], "hub");
    assert_eq!(seven["holds"]["rule"], Json::Null, "only one policy counts");
    let seventy = explained("task_70");
    assert_eq!(seventy["counts"], "task_*");
    assert_eq!(seventy["holds"]["on_concurrent"], "keep");
    let why = seventy["why"].as_str().expect("a sentence");
    assert!(why.contains("more characters than *: 5 against 0"), "{why}");
    let text = stdout(&hub.client(&["policy", "explain", "task_70"]));
    for line in [
        "counts         task_*",
        "rule           causal",
        "if concurrent  keep: all are shown",
        "lifetime       7d from the last write",
        "largest value  1000 bytes",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let text = stdout(&hub.client(&["policy", "explain", "other"]));
    assert!(text.contains("no other pattern matches"), "{text}");
    assert!(
        text.contains("rule           that of the key's first operation"),
        "{text}"
    );
}

#[test]
fn a_key_without_a_policy_is_explained_too() {
    let place = Place::new();
    let hub = place.hub();
    let none = json_of(&hub.client(&["policy", "explain", "k", "--json"]));
    assert_eq!(
        (&none["counts"], &none["holds"]),
        (&Json::Null, &Json::Null)
    );
    assert_eq!(none["matching"], json!([]));
    let shown = stdout(&hub.client(&["policy", "show"]));
    assert!(shown.starts_with("0 policies, in force at"), "{shown}");
    let refused = hub.client(&["policy", "reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = stderr(&refused);
    assert!(
        said.contains("started without a file of policies"),
        "{said}"
    );
}

#[test]
fn a_file_is_read_anew_and_a_broken_one_changes_nothing() {
    let place = Place::new();
    let file = write(&place, "p.toml", FILE);
    let hub = hub_with(&place, &file);
    write(&place, "p.toml", "[[policy]]\npattern = \"only\"\n");
    let reloaded = json_of(&hub.client(&["policy", "reload", "--json"]));
    assert_eq!(patterns(&reloaded), ["only"]);

    write(
        &place,
        "p.toml",
        "[[policy]]\npattern = \"a*\"\nrule = \"nope\"\nx = 1\n",
    );
    let refused = hub.client(&["policy", "reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let (said, name) = (stderr(&refused), file.display());
    assert!(
        said.contains(&format!("{name}:3: `rule` cannot be \"nope\"")),
        "{said}"
    );
    assert!(
        said.contains(&format!("{name}:4: a policy has no field \"x\"")),
        "{said}"
    );
    assert!(
        said.contains("the policies in force stay as they are"),
        "{said}"
    );
    // The same list as of a check.
    let listed = |refused: &Output| {
        let error = &json_of(refused)["error"];
        let more = error["more"].as_array().expect("a list");
        let flaws = [&error["message"]].into_iter().chain(more);
        let texts = flaws.filter_map(|flaw| flaw.as_str().map(str::to_owned));
        texts.collect::<Vec<_>>()
    };
    let checked = listed(&run(&[
        "policy",
        "check",
        &file.to_string_lossy(),
        "--json",
    ]));
    let reloaded = listed(&hub.client(&["policy", "reload", "--json"]));
    assert_eq!(checked[1..], reloaded[1..]);
    assert!(reloaded[0].starts_with(&checked[0]), "{reloaded:?}");
    fs::remove_file(&file).expect("it is there");
    let refused = hub.client(&["policy", "reload", "--json"]);
    assert_eq!(json_of(&refused)["error"]["kind"], "invalid");
    let shown = json_of(&hub.client(&["policy", "show", "--json"]));
    assert_eq!(
        patterns(&shown),
        ["only"],
        "the table in force is as it was"
    );
}

/// A table is no rewrite of what is there: as long as the value is, its own rule goes on.
#[test]
fn a_key_that_is_held_under_another_rule_is_explained_so() {
    let place = Place::new();
    let file = write(&place, "p.toml", "");
    let hub = hub_with(&place, &file);
    hub.client(&["set", "r1", "v"]);
    write(
        &place,
        "p.toml",
        "[[policy]]\npattern = \"r*\"\nrule = \"counter\"\n",
    );
    assert!(hub.client(&["policy", "reload"]).status.success());
    let explain = |args: &[&str]| hub.client(&[&["policy", "explain", "r1"], args].concat());
    let held = || json_of(&explain(&["--json"]))["held_under"].clone();
    let said = stdout(&explain(&[]));
    let line = "held under     lww, until the key is deleted; then the rule below begins\nrule           counter";
    assert!(said.contains(line), "{said}");
    assert_eq!(held(), "lww");
    assert!(hub.client(&["set", "r1", "w"]).status.success());
    assert_eq!(held(), "lww", "to replace it does not change its rule");
    hub.client(&["delete", "r1"]);
    assert_eq!(held(), Json::Null);
    assert!(hub.client(&["add", "r1", "1"]).status.success());
    let said = stdout(&explain(&[]));
    assert!(
        said.contains("held under     counter\nrule           counter"),
        "{said}"
    );
}
