//! Whoever is not let in is told why, and the hub notes it; files that are not in order are not used.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::security::{Secured, ask, mode};
use crate::support::{Agent, PATIENCE, run, stderr};

/// Asks in vain: what is said, and what the hub notes.
fn refused(hub: &crate::support::Hub, tls: &[String]) -> (String, String) {
    let output = ask(hub, &["get", "k", "--timeout", "20"], tls);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    (stderr(&output), hub.process.logged("audit"))
}

/// Bad input, row 10.
#[test]
fn whoever_cannot_prove_his_name_is_told_why_and_the_hub_notes_it() {
    let secured = Secured::new();
    let strangers = Secured::new();
    let (token, line) = secured.token("by-token");
    let tokens = secured.private("tokens", &line);
    let hub = secured.serve(&["--tokens", &tokens]);

    let mut theirs = strangers.agent("agent-1");
    theirs[3] = secured.file("ca.pem");
    let (told, noted) = refused(&hub, &theirs);
    assert!(
        told.contains("not of the CA that is believed there"),
        "{told}"
    );
    assert!(noted.contains("not issued by the CA"), "{noted}");

    let (_, other) = secured.token("other");
    drop(other);
    let mut forged = secured.team();
    let mine = std::fs::read_to_string(secured.file("team.by-token.token")).unwrap();
    let secret = mine.trim().rsplit(' ').next().unwrap().to_owned();
    let file = secured.private("forged", &mine.replace("by-token", "agent-1"));
    forged.extend(["--token-file".to_owned(), file]);
    let (told, noted) = refused(&hub, &forged);
    for text in [&told, &noted] {
        assert!(
            text.contains("the token is not one of team/agent-1"),
            "{text}"
        );
        assert!(!text.contains(&secret), "{text}");
    }
    let good = ask(&hub, &["version", "k"], &token);
    assert_eq!(good.status.code(), Some(1), "{}", stderr(&good));
}

/// Bad input, row 10.
#[test]
fn an_agent_that_says_another_name_is_not_let_in() {
    let secured = Secured::new();
    let hub = secured.serve(&[]);
    let tls = secured.agent("agent-1");
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let data = secured.place.path("agent-2");
    let mut agent = Agent::start_with(&hub.address, "agent-2", &data, &tls);
    let noted = hub.process.logged("audit");
    assert!(
        noted.contains("names team/agent-1, not team/agent-2"),
        "{noted}"
    );
    let status = crate::support::until(
        || agent.ok(serde_json::json!({"op": "status"})).to_string(),
        |status| status.contains("names team/agent-1"),
    );
    assert!(status.contains("\"online\""), "{status}");
}

#[test]
fn a_command_names_its_swarm_before_it_asks() {
    let secured = Secured::new();
    let hub = secured.serve(&[]);
    let mut tls = secured.agent("agent-1");
    "other".clone_into(&mut tls[1]);
    let output = ask(&hub, &["get", "k"], &tls);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("anybody of the swarm other, but team/agent-1"),
        "{}",
        stderr(&output)
    );
    let nobody = ask(&hub, &["get", "k"], &secured.team());
    assert!(
        stderr(&nobody).contains("--token-file"),
        "{}",
        stderr(&nobody)
    );
}

#[test]
fn a_claim_is_not_made_under_another_name_than_the_one_that_is_asked_for() {
    let secured = Secured::new();
    let hub = secured.serve(&[]);
    let tls = secured.agent("agent-1");
    let output = ask(&hub, &["claim", "task", "--name", "worker-3"], &tls);
    assert_eq!(output.status.code(), Some(2));
    for words in ["--name says worker-3", "prove agent-1"] {
        let told = stderr(&output);
        assert!(told.contains(words), "{told}");
    }
    let own = ask(&hub, &["claim", "task", "--name", "agent-1"], &tls);
    assert!(own.status.success(), "{}", stderr(&own));
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_not_used() {
    let secured = Secured::new();
    let (token, line) = secured.token("agent-1");
    let tokens = secured.private("tokens", &line);
    mode(std::path::Path::new(&tokens), 0o644);
    let data = secured.place.path("hub");
    let data = data.to_string_lossy();
    let files = secured.hub_files();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        &data,
        "--tokens",
        &tokens,
    ];
    let output = run(&[&serve, &files[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("chmod 600"), "{}", stderr(&output));
    mode(std::path::Path::new(&token[5]), 0o640);
    let token: Vec<&str> = token.iter().map(String::as_str).collect();
    let output = run(&[&["get", "k"], &token[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("mode 640"), "{}", stderr(&output));
}

#[test]
fn what_does_not_go_together_is_said_before_anything_is_opened() {
    let secured = Secured::new();
    let (certificate, key) = (secured.file("hub.pem"), secured.file("hub.key"));
    let ca = secured.file("ca.pem");
    let broken = secured.private("rights.toml", "[[right]]\nagent = 1\nallow = [\"fly\"]\n");
    for (args, words) in [
        (
            &["--tls-cert", &certificate, "--tls-key", &key][..],
            "--tokens",
        ),
        (&["--tls-cert", &certificate], "--tls-key"),
        (&["--tls-ca", &ca], "--tls-cert"),
        (&["--rights", &broken], "--tls-cert"),
        (
            &[
                "--tls-cert",
                &certificate,
                "--tls-key",
                &secured.file("ca.key"),
                "--tls-ca",
                &ca,
            ],
            "does not go with",
        ),
        (
            &[
                "--tls-cert",
                &certificate,
                "--tls-key",
                &key,
                "--tls-ca",
                &ca,
                "--rights",
                &broken,
            ],
            "rights.toml:3: `allow` is a list",
        ),
    ] {
        let output = run(&[&["serve", "--memory", "--listen", "127.0.0.1:0"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            stderr(&output).contains(words),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn whoever_speaks_no_tls_or_says_nothing_is_noted_and_cut_off() {
    let secured = Secured::new();
    let hub = secured.serve(&[]);
    let silent = TcpStream::connect(&hub.address).unwrap();
    let mut browser = TcpStream::connect(&hub.address).unwrap();
    browser.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let noted = hub.process.logged("audit");
    assert!(noted.contains("does not speak TLS"), "{noted}");
    let noted = hub.process.logged("audit");
    assert!(noted.contains("handshake of TLS took longer"), "{noted}");
    for mut cut in [silent, browser] {
        let mut rest = Vec::new();
        cut.set_read_timeout(Some(PATIENCE)).unwrap();
        cut.read_to_end(&mut rest).unwrap();
    }
}
