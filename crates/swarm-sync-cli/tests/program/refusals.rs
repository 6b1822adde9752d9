//! Whom the rights do not let in: told why, once, and noted with the name; let in once the rights say so.

use serde_json::json;

use crate::metrics::scraped;
use crate::security::{Secured, ask};
use crate::support::{Agent, Hub, Process, json_of, stderr, stdout, until};

const ADMIN: &str = "[[right]]\nagent = \"admin\"\nallow = [\"read\", \"write\", \"admin\"]\n";
const SOME: &str = "[[right]]\nagent = \"narrow\"\nkeys = \"task_*\"\nallow = [\"read\"]\n";
const ALL: &str = "[[right]]\nagent = \"narrow\"\nallow = [\"read\"]\n";

const LACKING: &str = "this name has no right to read all of it";

/// A hub whose rights can be changed, and the arguments of who may have it read them.
struct Scene {
    secured: Secured,
    hub: Hub,
    admin: Vec<String>,
    narrow: Vec<String>,
}

impl Scene {
    fn new(rights: &str) -> Self {
        let secured = Secured::new();
        let (admin, narrow) = (secured.agent("admin"), secured.agent("narrow"));
        let file = secured.private("rights.toml", &[ADMIN, rights].concat());
        let hub = secured.serve(&["--rights", &file, "--metrics", "127.0.0.1:0"]);
        Self {
            secured,
            hub,
            admin,
            narrow,
        }
    }

    /// Other rights, from now on.
    fn grant(&self, rights: &str) {
        let text = [ADMIN, rights].concat();
        self.secured.private("rights.toml", &text);
        let reloaded = ask(&self.hub, &["policy", "reload"], &self.admin);
        assert!(reloaded.status.success(), "{}", stderr(&reloaded));
    }

    fn agent(&self) -> Agent {
        let tls: Vec<&str> = self.narrow.iter().map(String::as_str).collect();
        let data = self.secured.place.path("narrow");
        Agent::start_with(&self.hub.address, "narrow", &data, &tls)
    }

    /// The next line of the audit, which has all that there is to know.
    fn noted(&self, why: &str) {
        let line = self.hub.process.logged("audit");
        let from = "from=127.0.0.1:";
        for words in ["was refused", from, "swarm=team", "agent=narrow", why] {
            assert!(line.contains(words), "{words}: {line}");
        }
    }

    /// How many connections were refused, as it is measured.
    fn refused(&self) -> f64 {
        let address = self.hub.metrics.as_ref().expect("it is measured");
        let count = scraped(address, "swarm_sync_connections_refused_total");
        count.unwrap_or_default()
    }
}

/// Waits for the next event of this name; those before it are passed over.
fn event(agent: &mut Agent, name: &str) -> serde_json::Value {
    loop {
        let line = agent.process.json();
        if line["event"] == name {
            return line;
        }
    }
}

#[test]
fn an_agent_without_the_right_is_told_why_noted_and_let_in_once_it_has_it() {
    let scene = Scene::new(SOME);
    let mut agent = scene.agent();
    let told = event(&mut agent, "refused");
    let message = told["message"].as_str().expect("a sentence");
    let whole = format!("the hub at {} refused: ", scene.hub.address);
    assert!(message.starts_with(&whole), "{message}");
    assert!(message.contains(LACKING), "{message}");
    // It tries again and again, and is noted each time.
    for _ in 0..4 {
        scene.noted(LACKING);
    }
    until(|| scene.refused(), |count| *count >= 4.0);
    let status = agent.ok(json!({"op": "status"}));
    assert_eq!(status["link_error"], message, "{status}");
    assert!(agent.events.is_empty(), "once: {:?}", agent.events);
    scene.grant(ALL);
    event(&mut agent, "admitted");
    agent.in_step();
    assert!(agent.ok(json!({"op": "status"}))["link_error"].is_null());
    // And away again, while it is connected.
    scene.grant(SOME);
    assert_eq!(event(&mut agent, "refused")["message"], told["message"]);
    scene.noted(LACKING);
    agent.process.signal("TERM");
    assert!(agent.process.end().success());
    let logs = agent.process.logs();
    let said = logs.iter().filter(|line| line.contains(LACKING)).count();
    assert_eq!(said, 2, "once for each time: {logs:?}");
    assert_eq!(logs.len(), 2, "and nothing else: {logs:?}");
}

#[test]
fn a_command_that_waits_while_its_rights_change_ends_with_a_line_for_it() {
    let scene = Scene::new(ALL);
    let mut args = vec!["watch", "task_*", "--json", "--from", "start"];
    args.extend(["--hub", &scene.hub.address]);
    args.extend(scene.narrow.iter().map(String::as_str));
    let watch = Process::start(&args);
    let set = ask(&scene.hub, &["set", "task_1", "1"], &scene.admin);
    assert!(set.status.success(), "{}", stderr(&set));
    until(|| watch.json()["key"].clone(), |key| key == "task_1");
    scene.grant(SOME);
    scene.noted("the rights of this name have changed");
    let set = ask(&scene.hub, &["set", "task_2", "1"], &scene.admin);
    assert!(set.status.success(), "{}", stderr(&set));
    // It has asked again, as it may.
    until(|| watch.json()["key"].clone(), |key| key == "task_2");
    until(|| scene.refused(), |count| *count >= 1.0);
}

#[test]
fn the_doctor_says_whether_an_agent_of_that_name_would_be_let_in() {
    let scene = Scene::new(SOME);
    let place = scene.secured.place.path("data");
    let data = place.to_string_lossy();
    let doctor = |as_agent: bool| {
        let args = ["doctor", "--json", "--data", &data, "--agent"];
        let args = &args[..args.len() - usize::from(!as_agent)];
        ask(&scene.hub, args, &scene.narrow)
    };
    let rights = |output: &std::process::Output| {
        let report = json_of(output);
        let checks = report["checks"].as_array().expect("checks").clone();
        checks.into_iter().find(|check| check["check"] == "rights")
    };
    for (as_agent, verdict, code) in [(false, "warn", 0), (true, "fail", 3)] {
        let found = doctor(as_agent);
        let check = rights(&found).expect("it was looked at");
        assert_eq!(check["verdict"], verdict, "{}", stdout(&found));
        let message = check["message"].as_str().expect("a sentence");
        for words in ["no agent named narrow", "swarm team", "--rights"] {
            assert!(message.contains(words), "{words}: {message}");
        }
        assert_eq!(found.status.code(), Some(code), "{}", stdout(&found));
    }
    scene.grant(ALL);
    let found = doctor(true);
    let check = rights(&found).expect("it was looked at");
    assert_eq!(check["verdict"], "ok", "{}", stdout(&found));
}
