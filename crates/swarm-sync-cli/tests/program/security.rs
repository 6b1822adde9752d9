//! TLS, names that are proved, and rights.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::json;

use crate::support::{Agent, Hub, Place, json_of, run, stderr, stdout, until};

/// A directory with a CA, a hub and its files.
pub(crate) struct Secured {
    pub(crate) place: Place,
    pub(crate) certs: PathBuf,
}

impl Secured {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        let certs = place.path("certs");
        let secured = Self { place, certs };
        secured.cert(&["ca"]);
        secured.cert(&["hub", "--host", "127.0.0.1"]);
        secured
    }

    /// `cert`, which must succeed: what it printed.
    pub(crate) fn cert(&self, args: &[&str]) -> String {
        let made = self.try_cert(args);
        assert!(made.status.success(), "{args:?}: {}", stderr(&made));
        stdout(&made)
    }

    pub(crate) fn try_cert(&self, args: &[&str]) -> Output {
        let dir = self.certs.to_string_lossy();
        run(&[&["cert"], args, &["--dir", &dir]].concat())
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.certs.join(name).to_string_lossy().into_owned()
    }

    /// Certificate and key of an agent of the swarm `team`, as arguments.
    pub(crate) fn agent(&self, name: &str) -> Vec<String> {
        self.cert(&["agent", "--swarm", "team", "--id", name]);
        self.with_certificate(&format!("team.{name}"))
    }

    pub(crate) fn with_certificate(&self, stem: &str) -> Vec<String> {
        let (certificate, key) = (format!("{stem}.pem"), format!("{stem}.key"));
        let mut args = self.team();
        args.extend(["--tls-cert".into(), self.file(&certificate)]);
        args.extend(["--tls-key".into(), self.file(&key)]);
        args
    }

    /// Its token, as arguments, and the line of the hub's list.
    pub(crate) fn token(&self, name: &str) -> (Vec<String>, String) {
        let line = self.cert(&["token", "--swarm", "team", "--id", name]);
        let mut args = self.team();
        args.extend([
            "--token-file".into(),
            self.file(&format!("team.{name}.token")),
        ]);
        (args, line)
    }

    /// What everybody needs.
    pub(crate) fn team(&self) -> Vec<String> {
        ["--swarm", "team", "--tls-ca", &self.file("ca.pem")]
            .map(str::to_owned)
            .to_vec()
    }

    pub(crate) fn serve(&self, more: &[&str]) -> Hub {
        let files = self.hub_files();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        Hub::start_with(&self.place.path("hub"), &[&files[..], more].concat())
    }

    pub(crate) fn hub_files(&self) -> Vec<String> {
        let mut args = Vec::new();
        for (flag, file) in [
            ("--tls-cert", "hub.pem"),
            ("--tls-key", "hub.key"),
            ("--tls-ca", "ca.pem"),
        ] {
            args.extend([flag.to_owned(), self.file(file)]);
        }
        args
    }

    /// A file that is the owner's alone.
    pub(crate) fn private(&self, name: &str, text: &str) -> String {
        let path = self.certs.join(name);
        std::fs::write(&path, text).expect("it can be written");
        mode(&path, 0o600);
        path.to_string_lossy().into_owned()
    }
}

pub(crate) fn mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let wanted = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, wanted).expect("it is ours");
    }
    let _ = (path, mode);
}

/// A one-shot command with these arguments of TLS.
pub(crate) fn ask(hub: &Hub, args: &[&str], tls: &[String]) -> Output {
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    hub.client(&[args, &tls].concat())
}

fn agent(secured: &Secured, hub: &Hub, name: &str, tls: &[String]) -> Agent {
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    Agent::start_with(&hub.address, name, &secured.place.path(name), &tls)
}

#[test]
fn agents_and_commands_work_over_tls_by_certificate_and_by_token() {
    let secured = Secured::new();
    let (token, line) = secured.token("agent-2");
    let tokens = secured.private("tokens", &line);
    let hub = secured.serve(&["--tokens", &tokens]);
    let certificate = secured.agent("agent-1");
    let mut first = agent(&secured, &hub, "agent-1", &certificate);
    let mut second = agent(&secured, &hub, "agent-2", &token);
    first.in_step();
    second.in_step();
    first.set("k", &json!("over TLS"));
    second.reads("k", &json!("over TLS"));
    let set = ask(&hub, &["set", "k2", "2"], &certificate);
    assert!(set.status.success(), "{}", stderr(&set));
    second.reads("k2", &json!(2));
    let got = ask(&hub, &["get", "k2"], &token);
    assert_eq!(stdout(&got), "2\n", "{}", stderr(&got));
    let claimed = ask(&hub, &["claim", "task", "--lease", "30s"], &token);
    assert!(claimed.status.success(), "{}", stderr(&claimed));
}

#[test]
fn keys_and_tokens_are_the_owners_alone_and_nothing_is_overwritten_unasked() {
    let secured = Secured::new();
    secured.agent("agent-1");
    let (_, line) = secured.token("agent-1");
    let token = std::fs::read_to_string(secured.file("team.agent-1.token")).unwrap();
    let secret = token.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(!line.contains(&secret), "the hub's line tells the token");
    #[cfg(unix)]
    for name in [
        "ca.key",
        "hub.key",
        "team.agent-1.key",
        "team.agent-1.token",
    ] {
        use std::os::unix::fs::PermissionsExt;
        let found = std::fs::metadata(secured.file(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let before = std::fs::read_to_string(secured.file("hub.key")).unwrap();
    let again = secured.try_cert(&["hub", "--host", "127.0.0.1"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--replace"), "{}", stderr(&again));
    assert_eq!(
        std::fs::read_to_string(secured.file("hub.key")).unwrap(),
        before
    );
    secured.cert(&["hub", "--host", "127.0.0.1", "--replace"]);
    assert_ne!(
        std::fs::read_to_string(secured.file("hub.key")).unwrap(),
        before
    );
}

#[test]
fn a_ca_of_which_one_file_is_there_is_not_made_and_files_of_two_are_not_used() {
    let secured = Secured::new();
    let key = std::fs::read_to_string(secured.file("ca.key")).unwrap();
    std::fs::remove_file(secured.file("ca.key")).unwrap();
    let again = secured.try_cert(&["ca"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(
        stderr(&again).contains("ca.pem is there already"),
        "{}",
        stderr(&again)
    );
    let left = std::fs::exists(secured.file("ca.key")).unwrap();
    assert!(!left, "a key of another CA lies beside it");
    let other = std::fs::read_to_string(Secured::new().file("ca.key")).unwrap();
    secured.private("ca.key", &other);
    let foreign = secured.try_cert(&["agent", "--swarm", "team", "--id", "agent-1"]);
    assert_eq!(foreign.status.code(), Some(2));
    let told = stderr(&foreign);
    assert!(told.contains("the key of another certificate"), "{told}");
    secured.private("ca.key", &key);
    secured.agent("agent-1");
}

/// Bad input, row 15.
#[test]
fn an_address_that_others_reach_is_served_over_tls_without_a_word() {
    let secured = Secured::new();
    let data = secured.place.path("hub");
    let data = data.to_string_lossy();
    let files = secured.hub_files();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let args = ["serve", "--listen", "0.0.0.0:0", "--data", &data, "--json"];
    let process = crate::support::Process::start(&[&args, &files[..]].concat());
    assert_eq!(process.json()["event"], "ready");
}

#[test]
fn certificates_tokens_and_rights_are_read_anew_while_the_hub_runs() {
    let secured = Secured::new();
    let admin = secured.agent("admin");
    let tokens = secured.private("tokens", "");
    let rights = "[[right]]\nagent = \"admin\"\nallow = [\"read\", \"write\", \"admin\"]\n";
    let file = secured.private("rights.toml", rights);
    let hub = secured.serve(&["--tokens", &tokens, "--rights", &file]);
    let (worker, line) = secured.token("worker");
    let refused = ask(&hub, &["set", "k", "1"], &worker);
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    secured.private("tokens", &line);
    secured.cert(&["hub", "--host", "127.0.0.1", "--replace"]);
    let reload = || ask(&hub, &["policy", "reload"], &admin);
    let reloaded = reload();
    assert!(reloaded.status.success(), "{}", stderr(&reloaded));
    let said = stdout(&reloaded);
    assert!(
        said.contains("its rights, tokens, certificate and CA"),
        "{said}"
    );
    let refused = ask(&hub, &["set", "k", "1"], &worker);
    assert!(
        stderr(&refused).contains("no right to write \"k\""),
        "{}",
        stderr(&refused)
    );
    let more =
        "[[right]]\nagent = \"worker\"\nswarm = \"team\"\nkeys = \"k*\"\nallow = [\"write\"]\n";
    secured.private("rights.toml", &[rights, more].concat());
    assert!(reload().status.success(), "{}", stderr(&reload()));
    let set = ask(&hub, &["set", "k", "1"], &worker);
    assert!(set.status.success(), "{}", stderr(&set));
    // A broken file leaves everything as it is, and so does one that would be the last.
    for (text, words) in [
        (
            "[[right]]\nagent = \"worker\"\n",
            "rights.toml:1: a right needs `allow`",
        ),
        ("", "rights.toml: it gives `admin` to nobody"),
    ] {
        secured.private("rights.toml", text);
        let broken = reload();
        assert!(!broken.status.success());
        assert!(stderr(&broken).contains(words), "{}", stderr(&broken));
        let set = ask(&hub, &["set", "k", "2"], &worker);
        assert!(set.status.success(), "{}", stderr(&set));
    }
    // Nor may everybody ask for it.
    let reload = ask(&hub, &["policy", "reload"], &worker);
    for words in ["no right to", "nothing has changed"] {
        assert!(
            stderr(&reload).contains(words),
            "{words}: {}",
            stderr(&reload)
        );
    }
}

const RIGHTS: &str = r#"
[[right]]
agent = "admin"
allow = ["read", "write", "admin"]

[[right]]
agent = "agent-1"
allow = ["read"]

[[right]]
agent = "agent-1"
keys = "task_*"
allow = ["write"]

[[right]]
agent = "narrow"
keys = "task_*"
allow = ["read"]
"#;

/// Bad input, row 16.
#[test]
fn what_a_client_may_not_read_looks_as_if_it_were_not_there() {
    let secured = Secured::new();
    let (admin, narrow) = (secured.agent("admin"), secured.agent("narrow"));
    let rights = secured.private("rights.toml", RIGHTS);
    let hub = secured.serve(&["--rights", &rights]);
    for key in ["task_1", "secret"] {
        assert!(ask(&hub, &["set", key, "1"], &admin).status.success());
    }
    assert_eq!(stdout(&ask(&hub, &["get", "task_1"], &narrow)), "1\n");
    for command in ["get", "version", "explain", "history"] {
        let told = |key: &str| {
            let output = ask(&hub, &[command, key], &narrow);
            let text = [stdout(&output), stderr(&output)].concat();
            (output.status.code(), text.replace(key, "KEY"))
        };
        assert_eq!(told("secret"), told("absent"), "{command}");
    }
    assert_eq!(stdout(&ask(&hub, &["keys", "task_*"], &narrow)), "task_1\n");
    for refused in [
        &["keys", "*"][..],
        &["delta"],
        &["set", "task_1", "2"],
        &["clear", "--all"],
        &["unregister", "agent-1"],
        &["sync", "secret"],
        &["memory", "store", "k", "1"],
    ] {
        let output = ask(&hub, refused, &narrow);
        assert!(
            stderr(&output).contains("no right to"),
            "{refused:?}: {}",
            stderr(&output)
        );
    }
    let status = json_of(&ask(&hub, &["status", "--json"], &narrow));
    assert_eq!(
        (&status["keys"], &status["may_read"]),
        (&json!(0), &json!(false))
    );
    let told = stdout(&ask(&hub, &["status"], &narrow));
    assert!(told.contains("no right to read the whole swarm"), "{told}");
    assert!(!told.contains(" 0 keys"), "{told}");
    let status = json_of(&ask(&hub, &["status", "--json"], &admin));
    assert_eq!(
        (&status["keys"], &status["may_read"]),
        (&json!(2), &json!(true))
    );
    assert!(ask(&hub, &["clear", "--all"], &admin).status.success());
}

#[test]
fn a_write_without_the_right_comes_back_to_its_agent_and_is_undone_there() {
    let secured = Secured::new();
    let tls = secured.agent("agent-1");
    let admin = secured.agent("admin");
    let rights = secured.private("rights.toml", RIGHTS);
    let hub = secured.serve(&["--rights", &rights]);
    for (key, command) in [("plan", "set"), ("tags", "insert")] {
        let made = ask(&hub, &[command, key, "theirs"], &admin);
        assert!(made.status.success(), "{}", stderr(&made));
    }
    let mut agent = agent(&secured, &hub, "agent-1", &tls);
    agent.in_step();
    agent.set("task_1", &json!("mine"));
    agent.set("plan", &json!("mine"));
    agent.ok(json!({"op": "delete", "key": "tags"}));
    agent.flush();
    let receipts = until(
        || agent.ok(json!({"op": "receipts"}))["receipts"].clone(),
        |receipts| receipts.as_array().is_some_and(|r| r.len() == 2),
    );
    for receipt in receipts.as_array().unwrap() {
        assert_eq!(receipt["reason"], "forbidden", "{receipt}");
    }
    agent.reads("plan", &json!("theirs"));
    agent.reads("tags", &json!(["theirs"]));
    agent.reads("task_1", &json!("mine"));
    let at_hub = |key: &str| stdout(&ask(&hub, &["get", key], &admin));
    assert_eq!(at_hub("plan"), "theirs\n");
    assert_eq!(at_hub("task_1"), "mine\n");
    agent.in_step();
}
