//! `--help` teaches: an example for each command, the exit codes, the environment.

use crate::support::{run, stdout};

pub(crate) const COMMANDS: [&str; 36] = [
    "demo",
    "serve",
    "agent",
    "get",
    "set",
    "add",
    "sync",
    "delta",
    "version",
    "status",
    "top",
    "unregister",
    "delete",
    "insert",
    "remove",
    "put",
    "unset",
    "clear",
    "keys",
    "watch",
    "completions",
    "policy",
    "memory",
    "propose",
    "replay",
    "receipts",
    "cas",
    "claim",
    "renew",
    "release",
    "history",
    "explain",
    "diff",
    "doctor",
    "backup",
    "restore",
];

#[test]
fn every_command_shows_an_example_and_the_exit_codes() {
    for command in COMMANDS {
        for flag in ["--help", "-h"] {
            let output = run(&[command, flag]);
            assert!(output.status.success());
            let help = stdout(&output);
            let example = format!("  swarm-sync {command}");
            assert!(help.contains(&example), "{help}");
            assert!(help.contains("Exit codes:"), "{help}");
        }
    }
}

#[test]
fn the_overview_names_every_command_and_variable() {
    let help = stdout(&run(&["--help"]));
    for word in COMMANDS {
        assert!(help.contains(&format!("  {word} ")), "{word}: {help}");
    }
    for word in ["HUB", "LISTEN", "METRICS", "SWARM", "NAME", "DATA"] {
        assert!(
            help.contains(&format!("SWARM_SYNC_{word}")),
            "{word}: {help}"
        );
    }
    assert!(
        help.contains("NO_COLOR") && help.contains("Exit codes:"),
        "{help}"
    );
}

#[test]
fn the_agent_lists_its_requests() {
    let help = stdout(&run(&["agent", "--help"]));
    for op in [
        "set",
        "delete",
        "add",
        "insert",
        "remove",
        "get",
        "version",
        "keys",
        "cursor",
        "delta",
        "sync",
        "clear",
        "flush",
        "wait",
        "offline",
        "online",
        "digest",
        "status",
        "receipts",
        "quit",
        "put",
        "unset",
        "watch",
        "unwatch",
        "policies",
        "explain",
        "siblings",
        "memory",
        "propose",
        "vote",
        "repropose",
        "ack_receipt",
        "fate",
        "\"cas\"",
        "\"claim\"",
        "renew",
        "release",
        "history",
        "diff",
        "knew",
        "at_least",
        "replicas",
    ] {
        assert!(help.contains(op), "{op}: {help}");
    }
}

#[test]
fn nodes_say_how_they_end_if_their_store_fails() {
    for command in ["serve", "agent"] {
        let help = stdout(&run(&[command, "--help"]));
        // As it is wrapped.
        let help = help.replace('\n', " ");
        assert!(help.contains("store fails"), "{help}");
        assert!(help.contains("exit code 4"), "{help}");
        assert!(help.contains("SIGHUP"), "{help}");
    }
}

#[test]
fn the_version_is_the_crates() {
    let expected = format!("swarm-sync {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(stdout(&run(&["--version"])), expected);
}

#[test]
fn the_parts_of_policy_have_their_own_help() {
    for part in ["check", "show", "explain", "reload"] {
        let help = stdout(&run(&["policy", part, "--help"]));
        let example = format!("  swarm-sync policy {part}");
        assert!(help.contains(&example), "{help}");
        assert!(help.contains("Exit codes:"), "{help}");
    }
}

#[test]
fn the_parts_of_memory_have_their_own_help() {
    for part in ["store", "get", "delete", "list", "clear", "stats"] {
        let help = stdout(&run(&["memory", part, "--help"]));
        let example = format!("  swarm-sync memory {part}");
        assert!(help.contains(&example), "{help}");
        assert!(help.contains("Exit codes:"), "{help}");
    }
}

/// The fields are those that the reader of such files names: a new one is not forgotten here.
#[test]
fn policy_explains_every_field_that_a_file_may_hold() {
    let error = swarm_sync::policy_file::parse("[[policy]]\npattern = \"a\"\nno_such_field = 1\n");
    let sentence = error.expect_err("no such field").flaws[0].reason.clone();
    let (_, fields) = sentence
        .split_once("; the fields are ")
        .expect("they are named");
    let help = stdout(&run(&["policy", "--help"]));
    for field in fields.split(", ") {
        assert!(help.contains(&format!("  {field} = ")), "{field}: {help}");
    }
    assert!(fields.split(", ").count() >= 9, "{sentence}");
}

/// As above: the rules are those that the reader of such files names.
#[test]
fn policy_names_every_rule() {
    let error = swarm_sync::policy_file::parse("[[policy]]\npattern = \"a\"\nrule = \"none\"\n");
    let sentence = error.expect_err("no such rule").flaws[0].reason.clone();
    let (_, rules) = sentence
        .split_once("it is one of ")
        .expect("they are named");
    let help = stdout(&run(&["policy", "--help"]));
    for rule in rules.split(", ") {
        assert!(help.contains(rule), "{rule}: {help}");
    }
    assert!(rules.contains("authority"), "{sentence}");
}
