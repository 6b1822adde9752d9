//! Scripts that complete commands, run by the shell they are for.

use std::process::Command;

use crate::support::{Place, run, stdout};

/// Asks bash, as a Tab would, what the last of the words may become.
const ASK: &str = r#"
source "$1"
found=$(complete -p swarm-sync)
found=${found#*-F }
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"${found%% *}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[@]}"
"#;

#[test]
fn shells_get_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert!(output.status.success());
        let script = stdout(&output);
        for word in crate::help::COMMANDS {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "to be seen in the output of the tests")]
fn bash_completes_after_the_first_word_too() {
    if Command::new("bash").arg("--version").output().is_err() {
        println!("skipped: there is no bash in PATH");
        return;
    }
    let place = Place::new();
    let script = place.path("script");
    let printed = run(&["completions", "bash"]).stdout;
    std::fs::write(&script, printed).expect("written");
    let cases: [(&[&str], &str); 10] = [
        (&["po"], "policy"),
        (&["policy", "che"], "check"),
        (&["policy", "show", "--js"], "--json"),
        (&["watch", "--fr"], "--from"),
        (&["watch", "task_*", "--from", "start", "--co"], "--count"),
        (&["replay", "--offl"], "--offline-every"),
        (&["memory", "st"], "store stats"),
        (&["memory", "clear", "--names"], "--namespace"),
        (&["propose", "go", "--thre"], "--threshold"),
        (&["help", "repl"], "replay"),
    ];
    for (words, expected) in cases {
        let asked = Command::new("bash")
            .args(["--norc", "-c", ASK, "bash"])
            .arg(&script)
            .arg("swarm-sync")
            .args(words)
            .output()
            .expect("bash starts");
        assert_eq!(stdout(&asked).trim(), expected, "{words:?}: {asked:?}");
    }
}
