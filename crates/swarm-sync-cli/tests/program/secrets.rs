//! Keys and tokens: in no log, no error, no answer and no command line.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::security::{Secured, mode};
use crate::support::{Agent, Hub, Process, program, serve_args, stderr, stdout};

/// What nobody may see: every token, its hash, and every line of every private key.
fn secrets(secured: &Secured) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&secured.certs).expect("made") {
        let path = entry.expect("readable").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let (name, kind) = (path.file_name(), path.extension());
        if kind.is_some_and(|kind| kind == "key") {
            let lines = text.lines().filter(|line| !line.starts_with('-'));
            found.extend(lines.map(str::to_owned));
        } else if kind.is_some_and(|kind| kind == "token") || name.is_some_and(|n| n == "tokens") {
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

/// A hub over TLS that agents and commands use well and badly, all of them talkative.
struct Scene {
    secured: Secured,
    rust_log: bool,
    hub: Hub,
    by_certificate: Vec<String>,
    by_token: Vec<String>,
    /// The hub's line of that token.
    line: String,
    said: Said,
}

impl Scene {
    fn new(rust_log: bool) -> Self {
        let secured = Secured::new();
        let by_certificate = secured.agent("agent-1");
        let (by_token, line) = secured.token("agent-2");
        let tokens = secured.private("tokens", &line);
        let data = secured.place.path("hub");
        let mut files = secured.hub_files();
        files.extend(["--tokens".to_owned(), tokens]);
        let serve = serve_args("127.0.0.1:0", &data);
        let process = Process::spawn(talkative(rust_log, &serve, &files));
        let ready = process.json();
        let address = ready["addr"].as_str().expect("ready").to_owned();
        Self {
            secured,
            rust_log,
            hub: Hub {
                process,
                address,
                metrics: None,
            },
            by_certificate,
            by_token,
            line,
            said: Said::default(),
        }
    }

    fn ask(&mut self, args: &[&str], tls: &[String]) {
        let args = [args, &["--hub", &self.hub.address]].concat();
        let asked = talkative(self.rust_log, &args, tls).output();
        self.said.by(&asked.expect("it starts"));
    }

    /// Asks with this token file.
    fn ask_by(&mut self, token: String) {
        let tls = [self.secured.team(), vec!["--token-file".into(), token]].concat();
        self.ask(&["get", "k"], &tls);
    }

    fn agent(&mut self, name: &str, tls: &[String]) {
        let data = self.secured.place.path(name);
        let data = data.to_string_lossy();
        let args = crate::support::agent_args(&self.hub.address, name, &data);
        let process = Process::spawn(talkative(self.rust_log, &args, tls));
        let mut agent = Agent::of(process);
        agent.in_step();
        agent.set("k", &json!(name));
        agent.flush();
        self.said.by_process(agent.process);
    }

    fn what_goes_well(&mut self) {
        let (certificate, token) = (self.by_certificate.clone(), self.by_token.clone());
        self.agent("agent-1", &certificate);
        self.agent("agent-2", &token);
        for command in [
            &["get", "k"][..],
            &["status"],
            &["doctor"],
            &["policy", "reload"],
        ] {
            self.ask(command, &certificate);
            self.ask(command, &token);
        }
    }

    fn what_is_refused(&mut self) {
        // A token of somebody else, and one under another name.
        let (theirs, _) = self.secured.token("agent-3");
        self.ask(&["get", "k"], &theirs);
        let mine = std::fs::read_to_string(&self.by_token[5]).expect("made");
        let secured = &self.secured;
        let files = [
            secured.private("forged.token", &mine.replace("agent-2", "agent-4")),
            // Cut short, two of them, a key in place of a token.
            secured.private("cut.token", &mine[..mine.len() - 3]),
            secured.private("two.token", &[&*mine, &mine].concat()),
            secured.file("hub.key"),
        ];
        for file in files {
            self.ask_by(file);
        }
        // And a token in place of a key.
        let mut key = self.by_certificate.clone();
        key[7].clone_from(&self.by_token[5]);
        self.ask(&["get", "k"], &key);
        let broken = [&self.line, "team/agent-5 = 12\n", &self.line[..40]].concat();
        self.secured.private("tokens", &broken);
        let certificate = self.by_certificate.clone();
        self.ask(&["policy", "reload"], &certificate);
        let token = self.by_token.clone();
        mode(Path::new(&token[5]), 0o644);
        self.ask(&["get", "k"], &token);
    }
}

#[test]
fn nothing_that_is_said_at_any_level_holds_a_key_or_a_token() {
    for rust_log in [true, false] {
        let mut scene = Scene::new(rust_log);
        scene.what_goes_well();
        scene.what_is_refused();
        let Scene {
            secured,
            hub,
            mut said,
            ..
        } = scene;
        said.by_process(hub.process);
        said.assert_tells_none_of(&secrets(&secured));
        // Each of these was tried, and told of.
        for words in ["audit", "agent-4", "chmod 600", "tokens:2"] {
            assert!(said.0.contains(words), "{words} is not said");
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
        &["get", "k", "--tls-cert", &token, "--tls-key", "k"],
        &["get", "k", "--token-file", &token[..40]],
        &["policy", "check", &line],
        &["doctor", "--data", &line],
        &["serve", "--policy", &line],
        &["serve", "--data", &token],
        &["serve", "--tls-cert", &line, "--tls-key", "k"],
        &[
            "serve",
            "--tls-cert",
            "c",
            "--tls-key",
            "k",
            "--rights",
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
    // Without another CA in the way.
    for secret in [&token, &line, &token[..40]] {
        let output = program(&["get", "k", "--tls-ca", secret]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = [stdout(&output), stderr(&output)].concat();
        assert!(said.contains("the name of a file"), "{said}");
        assert!(!said.contains("0123456789abcdef"), "{said}");
    }
}

#[test]
fn a_secret_in_a_variable_that_names_a_file_is_not_repeated() {
    let line = format!("team/agent-1 = {}", "0123456789abcdef".repeat(4));
    for variable in ["TOKEN_FILE", "TLS_CA", "TLS_CERT", "TLS_KEY"] {
        for args in [&["get", "--help"][..], &["get", "k"]] {
            let mut command = program(args);
            command.env(format!("SWARM_SYNC_{variable}"), &line);
            let output = command.output().unwrap();
            let said = [stdout(&output), stderr(&output)].concat();
            assert!(!said.contains("0123456789abcdef"), "{said}");
        }
    }
}
