//! Certificates and tokens that are near their end, half replaced, or in the place of others.

use serde_json::json;

use crate::metrics::scraped;
use crate::security::{Secured, ask};
use crate::support::{json_of, run, stderr, stdout, until};

#[test]
fn how_long_certificates_are_good_for_is_told_and_measured() {
    let secured = Secured::new();
    let tls = secured.agent("agent-1");
    let hub = secured.serve(&["--metrics", "127.0.0.1:0"]);
    let status = json_of(&ask(&hub, &["status", "--json"], &tls));
    let days = status["certificate_days"]
        .as_f64()
        .expect("it has shown one");
    assert!(days > 14.0, "{status}");
    let told = stdout(&ask(&hub, &["status"], &tls));
    assert!(
        told.contains(&format!("its certificate ends in {days} days")),
        "{told}"
    );
    let address = hub.metrics.as_ref().expect("it is measured");
    let name = "swarm_sync_certificate_remaining_seconds";
    let left = until(|| scraped(address, name), Option::is_some).unwrap_or_default();
    assert!(
        (days * 86_400.0..(days + 1.0) * 86_400.0).contains(&left),
        "{left}, {days}"
    );
    // A week is little.
    secured.cert(&[
        "agent",
        "--swarm",
        "team",
        "--id",
        "agent-1",
        "--days",
        "7",
        "--replace",
    ]);
    let data = secured.place.path("data");
    let doctor = ask(
        &hub,
        &["doctor", "--json", "--data", &data.to_string_lossy()],
        &tls,
    );
    let report = json_of(&doctor);
    let checks = report["checks"].as_array().expect("checks");
    let verdict = |name: &str| {
        let found = checks.iter().find(|check| check["check"] == name);
        found.map(|check| check["verdict"].clone())
    };
    assert_eq!(verdict("certificate"), Some(json!("warn")), "{report}");
    assert_eq!(verdict("hub's cert"), Some(json!("ok")), "{report}");
}

#[test]
fn a_replacement_that_was_broken_off_is_said_with_what_to_do() {
    let secured = Secured::new();
    let tls = secured.agent("agent-1");
    let hub = secured.serve(&[]);
    for (name, issue) in [
        ("hub", &["hub", "--host", "127.0.0.1"][..]),
        (
            "team.agent-1",
            &["agent", "--swarm", "team", "--id", "agent-1"],
        ),
    ] {
        let certificate = secured.file(&format!("{name}.pem"));
        let old = std::fs::read(&certificate).expect("it is there");
        secured.cert(&[issue, &["--replace"]].concat());
        std::fs::write(&certificate, old).expect("it is ours");
    }
    let asked = ask(&hub, &["get", "k"], &tls);
    let data = secured.place.path("again");
    let data = data.to_string_lossy();
    let files = secured.hub_files();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    for output in [asked, run(&[&serve, &files[..]].concat())] {
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        for words in ["does not go with", "--replace"] {
            assert!(stderr(&output).contains(words), "{}", stderr(&output));
        }
    }
    secured.cert(&["agent", "--swarm", "team", "--id", "agent-1", "--replace"]);
    let asked = ask(&hub, &["version", "k"], &tls);
    assert_eq!(asked.status.code(), Some(1), "{}", stderr(&asked));
}

#[test]
fn a_list_that_has_the_token_itself_lets_nobody_in_and_says_so_at_both_ends() {
    let secured = Secured::new();
    let (tls, _) = secured.token("agent-1");
    let token = std::fs::read_to_string(secured.file("team.agent-1.token")).expect("made");
    let tokens = secured.private("tokens", &token);
    let hub = secured.serve(&["--tokens", &tokens]);
    let refused = ask(&hub, &["get", "k"], &tls);
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    let secret = token.trim().rsplit(' ').next().expect("a token");
    for said in [stderr(&refused), hub.process.logged("audit")] {
        assert!(
            said.contains("the token of team/agent-1 itself and not its hash"),
            "{said}"
        );
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn the_certificate_of_a_ca_is_no_hubs() {
    let secured = Secured::new();
    let data = secured.place.path("hub");
    let (ca, key) = (secured.file("ca.pem"), secured.file("ca.key"));
    let data = data.to_string_lossy();
    let args = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    let files = ["--tls-cert", &ca, "--tls-key", &key, "--tls-ca", &ca];
    let refused = run(&[&args[..], &files].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    for words in ["the certificate of a CA", "swarm-sync cert hub"] {
        assert!(stderr(&refused).contains(words), "{}", stderr(&refused));
    }
}
