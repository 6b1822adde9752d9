//! `--help` teaches: an example for each command, the exit codes, the environment.

use crate::support::{run, stdout};

const COMMANDS: [&str; 11] = [
    "demo", "replay", "serve", "agent", "get", "set", "add", "sync", "delta", "version", "status",
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
    for word in ["HUB", "LISTEN", "SWARM", "NAME", "DATA"] {
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
        "set", "delete", "add", "insert", "remove", "get", "version", "keys", "cursor", "delta",
        "sync", "clear", "flush", "wait", "offline", "online", "digest", "status", "receipts",
        "quit",
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
