//! Keys and tokens: in no log, no error, no answer and no command line; and their files are the owner's alone.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::security::{Secured, mode};
#[cfg(unix)]
use crate::support::program_after;
use crate::support::{Agent, Hub, Process, program, stderr, stdout};

/// What nobody may see: every token, its hash, and every line of every private key.
fn secrets(secured: &Secured) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&secured.certs).expect("made") {
        let path = entry.expect("readable").path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("text");
        if name.ends_with(".key") {
            let lines = text.lines().filter(|line| !line.starts_with('-'));
            found.extend(lines.map(str::to_owned));
        } else if name.ends_with(".token") || name.starts_with("tokens") {
            let after = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
            found.extend(text.lines().map(after));
        }
    }
    found.retain(|secret| secret.len() >= 16);
    assert!(found.len() > 10, "{found:?}");
    found
}

/// Everything that was said.
#[derive(Default)]
struct Said(String);

impl Said {
    fn by(&mut self, output: &Output) {
        self.0.push_str(&stdout(output));
        self.0.push_str(&stderr(output));
    }

    /// By one that goes on, which is told to stop.
    fn by_process(&mut self, mut process: Process) {
        self.0.push_str(&command_line(&process));
        process.signal("TERM");
        assert!(process.end().success());
        for line in process.rest().into_iter().chain(process.logs()) {
            self.0.push_str(&line);
            self.0.push('\n');
        }
    }

    fn assert_tells_none_of(&self, secrets: &[String]) {
        for secret in secrets {
            let line = self.0.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{secret} is told: {line:?}");
        }
    }
}

/// As everybody on the machine can read it.
fn command_line(process: &Process) -> String {
    let path = format!("/proc/{}/cmdline", process.child.id());
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The program as talkative as it gets: by `RUST_LOG`, or by `-vv`.
fn talkative(rust_log: bool, args: &[&str], tls: &[String]) -> Command {
    let mut command = program(args);
    command.args(tls);
    if rust_log {
        command.env("RUST_LOG", "trace");
    } else {
        command.arg("-vv");
    }
    command
}

fn run_as(rust_log: bool, args: &[&str], tls: &[String]) -> Output {
    talkative(rust_log, args, tls).output().expect("it starts")
}

#[cfg(unix)]
#[test]
fn nothing_that_is_said_at_any_level_holds_a_key_or_a_token() {
    for rust_log in [true, false] {
        let secured = Secured::new();
        let by_certificate = secured.agent("agent-1");
        let (by_token, line) = secured.token("agent-2");
        let tokens = secured.private("tokens", &line);
        let data = secured.place.path("hub");
        let data = data.to_string_lossy();
        let mut said = Said::default();

        let mut files = secured.hub_files();
        files.extend(["--tokens".to_owned(), tokens.clone()]);
        let serve = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            &data,
            "--json",
        ];
        let hub = Process::spawn(talkative(rust_log, &serve, &files));
        let address = hub.json()["addr"].as_str().expect("ready").to_owned();
        let hub = Hub {
            process: hub,
            address,
        };
        said.0.push_str(&command_line(&hub.process));
        for (name, tls) in [("agent-1", &by_certificate), ("agent-2", &by_token)] {
            let data = secured.place.path(name);
            let data = data.to_string_lossy();
            let args = crate::support::agent_args(&hub.address, name, &data);
            let mut agent = Agent::of(Process::spawn(talkative(rust_log, &args, tls)));
            agent.in_step();
            agent.set("k", &json!(name));
            agent.flush();
            said.by_process(agent.process);
        }
        let ask = |args: &[&str], tls: &[String]| {
            run_as(rust_log, &[args, &["--hub", &hub.address]].concat(), tls)
        };
        for command in [
            &["get", "k"][..],
            &["status"],
            &["doctor"],
            &["policy", "reload"],
        ] {
            said.by(&ask(command, &by_token));
            said.by(&ask(command, &by_certificate));
        }
        // A token of somebody else, and one under another name.
        let (theirs, _) = secured.token("agent-3");
        said.by(&ask(&["get", "k"], &theirs));
        let mine = std::fs::read_to_string(&by_token[5]).unwrap();
        let forged = secured.private("forged.token", &mine.replace("agent-2", "agent-4"));
        let forged = [secured.team(), vec!["--token-file".into(), forged]].concat();
        said.by(&ask(&["get", "k"], &forged));
        // Files that are broken: a token cut short, two of them, a key for a token, a token for a key.
        let cut = secured.private("cut.token", &mine[..mine.len() - 3]);
        let two = secured.private("two.token", &[&*mine, &mine].concat());
        for token in [cut, two, secured.file("hub.key")] {
            let broken = [secured.team(), vec!["--token-file".into(), token]].concat();
            said.by(&ask(&["get", "k"], &broken));
        }
        let mut key = by_certificate.clone();
        key[7].clone_from(&by_token[5]);
        said.by(&ask(&["get", "k"], &key));
        secured.private(
            "tokens",
            &[&line, "team/agent-5 = 12\n", &line[..40]].concat(),
        );
        let reload = ask(&["policy", "reload"], &by_certificate);
        assert!(!reload.status.success(), "the list is broken");
        said.by(&reload);
        mode(Path::new(&by_token[5]), 0o644);
        said.by(&ask(&["get", "k"], &by_token));
        said.by_process(hub.process);
        said.assert_tells_none_of(&secrets(&secured));
        for words in ["audit", "agent-4", "chmod 600"] {
            assert!(said.0.contains(words), "{words} was not tried");
        }
    }
}

#[test]
fn a_secret_given_where_a_file_is_named_is_not_repeated() {
    let token = "0123456789abcdef".repeat(4);
    let line = format!("team/agent-1 = {token}");
    let unknown = format!("--token={token}");
    let ca = ["--tls-ca", "ca.pem"];
    for args in [
        &["get", "k", "--token-file", &token][..],
        &["get", "k", "--token-file", &line],
        &[
            "get",
            "k",
            "--tls-cert",
            "c.pem",
            "--tls-key",
            "-----BEGIN PRIVATE KEY-----\n0123456789abcdef",
        ],
        &["get", "k", "--token", &token],
        &["get", "k", &unknown],
        &["get", "k", &token],
        &["serve", "--tls-cert", "c", "--tls-key", &token],
        &[
            "serve",
            "--tls-cert",
            "c",
            "--tls-key",
            "k",
            "--tokens",
            &line,
        ],
    ] {
        let output = program(&[args, &ca].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = [stdout(&output), stderr(&output)].concat();
        assert!(!said.contains("0123456789abcdef"), "{said}");
        if args.contains(&"--token-file") {
            assert!(said.contains("the name of a file"), "{said}");
        }
    }
    for args in [&["get", "--help"][..], &["get", "k", "--tls-ca", "ca.pem"]] {
        let mut command = program(args);
        command.env("SWARM_SYNC_TOKEN_FILE", &token);
        let output = command.output().unwrap();
        let said = [stdout(&output), stderr(&output)].concat();
        assert!(!said.contains("0123456789abcdef"), "{said}");
    }
}

/// Permission bits of everything below a directory, itself included.
#[cfg(unix)]
fn modes(directory: &Path) -> Vec<(String, u32)> {
    use std::os::unix::fs::PermissionsExt;

    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        let told = std::fs::symlink_metadata(&path).expect("it is there");
        found.push((
            path.display().to_string(),
            told.permissions().mode() & 0o777,
        ));
        if told.is_dir() {
            let entries = std::fs::read_dir(&path).expect("readable");
            waiting.extend(entries.map(|entry| entry.expect("readable").path()));
        }
    }
    found
}

#[cfg(unix)]
#[test]
fn whatever_the_umask_says_others_can_read_neither_secrets_nor_state() {
    let secured = Secured::new();
    let place = &secured.place;
    let dir = place.path("made/certs");
    let dir_text = dir.to_string_lossy();
    for args in [
        &["ca"][..],
        &["hub", "--host", "127.0.0.1"],
        &["agent", "--swarm", "team", "--id", "agent-1"],
        &["token", "--swarm", "team", "--id", "agent-1"],
        &["hub", "--host", "127.0.0.1", "--replace"],
    ] {
        let args = [&["cert"], args, &["--dir", &dir_text]].concat();
        let made = program_after("umask 000", &args).output().unwrap();
        assert!(made.status.success(), "{args:?}: {}", stderr(&made));
    }
    let data = place.path("state/hub");
    let data_text = data.to_string_lossy();
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        &data_text,
        "--json",
    ];
    let hub = Process::spawn(program_after("umask 000", &serve));
    let address = hub.json()["addr"].as_str().expect("ready").to_owned();
    let state = place.path("state/agent-1");
    let state_text = state.to_string_lossy();
    let args = crate::support::agent_args(&address, "agent-1", &state_text);
    let mut agent = Agent::of(Process::spawn(program_after("umask 000", &args)));
    agent.set("k", &json!("secret"));
    agent.flush();
    for directory in [&dir, &data, &state] {
        let (_, mode) = &modes(directory)[0];
        assert_eq!(*mode, 0o700, "{}", directory.display());
    }
    // What was missing above them was made the same way.
    for above in ["made", "state"] {
        assert_eq!(modes(&place.path(above))[0].1, 0o700, "{above}");
    }
    for (path, mode) in modes(&dir).iter().skip(1) {
        assert_eq!(*mode, 0o600, "{path}");
    }
}

#[cfg(unix)]
#[test]
fn a_directory_of_state_that_others_may_read_is_complained_of() {
    let secured = Secured::new();
    let data = secured.place.path("open");
    std::fs::create_dir(&data).unwrap();
    mode(&data, 0o755);
    let hub = Hub::start(&data);
    let said = hub.process.logged("chmod 700");
    assert!(said.contains("mode 755"), "{said}");
}

#[cfg(unix)]
#[test]
fn every_file_that_holds_a_secret_is_refused_if_others_can_read_it() {
    let secured = Secured::new();
    let by_certificate = secured.agent("agent-1");
    let (by_token, line) = secured.token("agent-2");
    let tokens = secured.private("tokens", &line);
    let mut serve = ["serve", "--listen", "127.0.0.1:0", "--memory"]
        .map(str::to_owned)
        .to_vec();
    serve.extend(secured.hub_files());
    serve.extend(["--tokens".to_owned(), tokens.clone()]);
    let get = |tls: &[String]| [vec!["get".to_owned(), "k".to_owned()], tls.to_vec()].concat();
    let dir = secured.certs.to_string_lossy().into_owned();
    let issue = ["cert", "hub", "--host", "h", "--dir", &dir].map(str::to_owned);
    for (file, args) in [
        (secured.file("hub.key"), serve.clone()),
        (tokens.clone(), serve),
        (by_certificate[7].clone(), get(&by_certificate)),
        (by_token[5].clone(), get(&by_token)),
        (secured.file("ca.key"), issue.to_vec()),
    ] {
        for bad in [0o640, 0o604, 0o666] {
            mode(Path::new(&file), bad);
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let output = program(&args).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{file}");
            let told = stderr(&output);
            assert!(told.contains(&format!("mode {bad:o}")), "{told}");
            assert!(told.contains(&format!("chmod 600 {file}")), "{told}");
        }
        mode(Path::new(&file), 0o600);
    }
}
