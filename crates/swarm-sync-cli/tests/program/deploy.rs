//! The files of docs/deploy and the commands of docs/operations.md: the program starts by them as they are
//! written.

#![cfg(unix)]

use std::path::{Path, PathBuf};

use crate::support::{Place, Process, run, stderr, until};

fn document(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::read_to_string(docs.join(name)).expect("it is there")
}

/// Lines of which each that ends in a backslash goes on in the next.
fn joined(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// What follows `name` on the line that begins with it.
fn after(lines: &[String], name: &str) -> String {
    let found = lines.iter().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// A list of words in JSON.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text}"))
}

/// The files that both want, under the names that they have there.
fn files(place: &Place) -> PathBuf {
    let directory = place.path("files");
    let at = directory.to_string_lossy().into_owned();
    for make in [
        &["cert", "ca", "--dir", &at][..],
        &["cert", "hub", "--host", "localhost", "--dir", &at],
    ] {
        let made = run(make);
        assert!(made.status.success(), "{}", stderr(&made));
    }
    let token = run(&[
        "cert", "token", "--swarm", "default", "--id", "health", "--dir", &at,
    ]);
    assert!(token.status.success(), "{}", stderr(&token));
    private(&directory.join("tokens"), &token.stdout);
    let made = directory.join("default.health.token");
    std::fs::rename(made, directory.join("health.token")).expect("it was made");
    let rights = b"[[right]]\nagent = \"*\"\nallow = [\"read\", \"write\"]\n";
    private(&directory.join("rights.toml"), rights);
    directory
}

fn private(path: &Path, content: &[u8]) {
    use std::os::unix::fs::PermissionsExt;

    std::fs::write(path, content).expect("it can be written");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("it is ours");
}

/// Starts a hub by these words, on an address of its own; the words must name the one that is expected.
fn start(words: &[String]) -> (Process, String) {
    assert!(words.iter().any(|word| word == "0.0.0.0:7420"), "{words:?}");
    let here = words.iter().map(|word| match word.as_str() {
        "0.0.0.0:7420" | "127.0.0.1:7421" => "127.0.0.1:0",
        other => other,
    });
    let words: Vec<&str> = here.chain(["--json"]).collect();
    let process = Process::start(&words);
    let ready = process.json();
    assert_eq!(ready["event"], "ready", "{ready}");
    let address = ready["addr"].as_str().expect("an address").to_owned();
    (process, address)
}

fn ends_in_order(mut hub: Process) {
    hub.signal("TERM");
    assert!(hub.end().success());
}

#[test]
fn the_service_and_the_container_start_as_they_are_written() {
    let place = Place::new();
    let files = files(&place);

    let unit = joined(&document("deploy/swarm-sync.service"));
    let command = after(&unit, "ExecStart=");
    let state = place.path("state");
    let command = command.replace("%S", &state.to_string_lossy());
    let command = command.replace("%d", &files.to_string_lossy());
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    assert_eq!(words[0], "/usr/local/bin/swarm-sync");
    // Each file is named by the name under which the service gets it.
    for word in words
        .iter()
        .filter_map(|word| Path::new(word).strip_prefix(&files).ok())
    {
        let credential = format!("LoadCredential={0}:/etc/swarm-sync/{0}", word.display());
        assert!(unit.contains(&credential), "{credential}");
    }
    let (hub, _) = start(&words[1..]);
    assert!(state.join("swarm-sync/hub/format").exists());
    ends_in_order(hub);
    assert_eq!(after(&unit, "ExecReload="), "/bin/kill -HUP $MAINPID");
    let stop = after(&unit, "TimeoutStopSec=").parse::<u64>();
    assert!(stop.is_ok_and(|seconds| seconds > crate::rolling::STOP_MAX.as_secs()));

    let image = joined(&document("deploy/Dockerfile"));
    assert_eq!(list(&after(&image, "ENTRYPOINT ")), ["swarm-sync"]);
    let secrets = |text: String| text.replace("/run/secrets", &files.to_string_lossy());
    let mut words = list(&secrets(after(&image, "CMD ")));
    words.extend([
        "--data".to_owned(),
        place.path("volume").to_string_lossy().into_owned(),
    ]);
    let (hub, address) = start(&words);
    let port = address.rsplit(':').next().unwrap_or_default();
    let check = after(&image, "HEALTHCHECK ");
    let (_, check) = check.split_once("CMD ").expect("a command");
    let check = secrets(check.to_owned()).replace("localhost:7420", &format!("localhost:{port}"));
    let words = list(&check);
    assert_eq!(words[0], "swarm-sync");
    let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    let healthy = run(&words);
    assert!(healthy.status.success(), "{}", stderr(&healthy));
    ends_in_order(hub);
    let gone = until(|| run(&words), |checked| !checked.status.success());
    assert_eq!(gone.status.code(), Some(3));
}

/// Whether `.dockerignore` keeps a file from what an image is built of: the last line that matches it, or a
/// directory above it, decides. Patterns are those that the file has: `*`, a path, `**/NAME`, `**/*.END`.
fn kept_out(rules: &str, file: &str) -> bool {
    let matches = |pattern: &str| match pattern.strip_prefix("**/") {
        Some(name) => file.split('/').any(|part| match name.strip_prefix('*') {
            Some(end) => part.ends_with(end),
            None => part == name,
        }),
        None => pattern == "*" || Path::new(file).starts_with(pattern),
    };
    let rules = rules.lines().map(str::trim);
    let rules = rules.filter(|rule| !rule.is_empty() && !rule.starts_with('#'));
    rules.fold(false, |out, rule| match rule.strip_prefix('!') {
        Some(pattern) => out && !matches(pattern),
        None => out || matches(rule),
    })
}

#[test]
fn what_must_not_get_into_an_image_is_kept_out_of_it() {
    let rules = document("../.dockerignore");
    let place = Place::new();
    let made = files(&place);
    let agent = ["cert", "agent", "--swarm", "team", "--id", "a", "--dir"];
    assert!(
        run(&[&agent[..], &[&*made.to_string_lossy()]].concat())
            .status
            .success()
    );
    let listed = std::fs::read_dir(&made).expect("it is there");
    let made: Vec<String> = listed
        .map(|entry| entry.expect("it is read").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        // Rights are no secret.
        .filter(|name| name != "rights.toml")
        .collect();
    assert!(made.len() >= 8, "{made:?}");
    for above in ["", "swarm-sync-certs/", "crates/", "crates/x/certs/"] {
        for name in &made {
            let file = format!("{above}{name}");
            assert!(kept_out(&rules, &file), "{file} gets into an image");
        }
    }
    for file in [
        "swarm-sync-data/hub/format",
        "crates/swarm-sync-data/hub/format",
        "data/hub/format",
        "crates/x/hub.backup",
        "crates/x/hub.backup.partial",
        "rights.toml",
        ".git/config",
        "target/release/swarm-sync",
        "crates/target/x",
    ] {
        assert!(kept_out(&rules, file), "{file} gets into an image");
    }
    for file in [
        "Cargo.toml",
        "Cargo.lock",
        "crates/swarm-sync-cli/src/main.rs",
        "crates/sync-transport/src/tls/tokens.rs",
        "xtask/Cargo.toml",
        "benches/Cargo.toml",
        "fuzz/checks/Cargo.toml",
    ] {
        assert!(!kept_out(&rules, file), "{file} is missing in an image");
    }
}

/// What a line that is typed gives the program.
fn program_part(line: &str) -> Option<&str> {
    if line.starts_with("docker run") {
        let at = line.rfind(" swarm-sync serve ")?;
        return Some(line[at..].trim_start_matches(" swarm-sync "));
    }
    line.strip_prefix("swarm-sync ")
}

/// With `--help` at its end a command line is refused for the first word that it does not know.
#[test]
fn every_command_that_operations_shows_is_one() {
    let text = document("operations.md");
    let shown = joined(&text);
    // Of a container the image is named like the program, and what follows is the program's.
    let commands: Vec<&str> = shown.iter().filter_map(|line| program_part(line)).collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        let command = command.split(" >> ").next().unwrap_or_default();
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let known = run(&words);
        assert!(known.status.success(), "{command}: {}", stderr(&known));
    }
    let unknown = run(&["serve", "--no-such-option", "--help"]);
    assert_eq!(unknown.status.code(), Some(2));
}
