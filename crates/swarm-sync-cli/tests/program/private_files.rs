//! Files of secrets and of state are their owner's alone.

use std::path::Path;

use serde_json::json;

use crate::security::{Secured, mode};
use crate::support::{Agent, Hub, Process, program, program_after, serve_args, stderr};

/// Permission bits of everything below a directory, itself included.
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
    let serve = serve_args("127.0.0.1:0", &data);
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
