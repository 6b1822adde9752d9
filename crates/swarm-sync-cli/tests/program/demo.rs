//! The demonstration: whole, for people, failing and interrupted.

use serde_json::{Value as Json, json};

#[cfg(target_os = "linux")]
use crate::support::ending_signals;
use crate::support::{Place, Process, json_of, program, stderr, stdout, until};

#[test]
fn every_fact_holds() {
    let place = Place::new();
    let scratch = place.path("tmp");
    std::fs::create_dir(&scratch).expect("it is new");
    let output = program(&["demo", "--json"])
        .env("TMPDIR", &scratch)
        .output()
        .expect("the program starts");
    let facts = json_of(&output);
    assert!(output.status.success(), "{facts} {}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 1, "one object");
    for fact in ["ok", "converged", "survived_hub_kill"] {
        assert_eq!(facts[fact], true, "{fact}: {facts}");
    }
    assert_eq!(facts["replicas"], 6);
    assert_eq!(facts["counter_value"], 127);
    assert_eq!(facts["set_value"].as_array().map(Vec::len), Some(5));
    assert!(
        [42, 45, 40].map(Json::from).contains(&facts["lww_value"]),
        "{facts}"
    );
    assert_eq!(
        (&facts["lww_losers"], &facts["receipts"]),
        (&json!(2), &json!(2))
    );
    its_round(&facts);
    let number = |name: &str| facts[name].as_f64().unwrap_or_default();
    // The values are random letters and digits, six bits each: no compression gets below 3/4.
    assert!(
        number("delta_bytes") > 0.74 * 10_240.0,
        "ten changes of 1 KiB: {facts}"
    );
    assert!(
        number("full_bytes") > 0.74 * 102_400.0,
        "a hundred keys of 1 KiB: {facts}"
    );
    assert!(
        number("delta_bytes") <= 0.2 * number("full_bytes"),
        "{facts}"
    );
    assert!(number("hub_kill_acked_writes") >= 40.0, "{facts}");
    assert!(number("elapsed_ms") < 15_000.0, "{facts}");
    assert!(number("revision") > 0.0, "{facts}");
    let agents = facts["agents"].as_array().expect("a list");
    assert_eq!(agents.len(), 6);
    assert!(
        agents.iter().all(|a| a["digest"] == facts["digest"]),
        "{facts}"
    );
    assert!(
        facts["receipt"].is_string()
            && facts["explanation"].as_array().is_some_and(|s| s.len() > 2),
        "{facts}"
    );
    let checks = facts["checks"].as_array().expect("a list");
    assert!(
        checks.len() > 8 && checks.iter().all(|c| c["ok"] == true),
        "{facts}"
    );
    assert_eq!(
        (&facts["error"], &facts["directory"]),
        (&Json::Null, &Json::Null)
    );
    let left = std::fs::read_dir(&scratch).expect("it is there").count();
    assert_eq!(left, 0, "a demo that succeeds leaves nothing");
}

/// What it tells of its full synchronization.
fn its_round(facts: &Json) {
    let round = &facts["sync"];
    let names: Vec<String> = (1..=5).map(|n| format!("agent-{n}")).collect();
    assert_eq!(round["responded"], json!(names));
    assert_eq!(round["in_step"], json!(names), "{round}");
    assert_eq!(round["missing"], json!([]));
    assert_eq!(round["keys"].as_array().map(Vec::len), Some(3));
    assert_eq!(facts["conflicts"], round["conflicts"]);
}

#[test]
fn people_get_tables_and_can_keep_the_directories() {
    let place = Place::new();
    let scratch = place.path("tmp");
    std::fs::create_dir(&scratch).expect("it is new");
    let output = program(&["demo", "--keep"])
        .env("TMPDIR", &scratch)
        .env("NO_COLOR", "1")
        .output()
        .expect("the program starts");
    let text = stdout(&output);
    assert!(output.status.success(), "{text} {}", stderr(&output));
    assert!(text.contains("13 of 13 checks hold"), "{text}");
    assert!(
        !text.contains('\u{1b}') && stderr(&output).is_empty(),
        "{text}"
    );
    let wide = text
        .lines()
        .filter(|l| !l.contains("directory") && !l.contains("are in"));
    assert!(
        wide.into_iter().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let kept = std::fs::read_dir(&scratch).expect("it is there").next();
    let kept = kept.expect("kept").expect("readable").path();
    assert!(text.contains(&*kept.to_string_lossy()), "{text}");
    for name in ["hub", "agent-1", "agent-6"] {
        assert!(
            kept.join(name).join("db").exists(),
            "{name} has a directory of its own"
        );
        assert!(
            kept.join(format!("{name}.log")).exists(),
            "{name} has a log"
        );
    }
}

/// Starts a demo and waits until its first agent runs; returns the process ids of its children.
#[cfg(target_os = "linux")]
fn started(place: &Place) -> (Process, Vec<String>) {
    started_with(place, &["demo", "--json"])
}

#[cfg(target_os = "linux")]
fn started_with(place: &Place, args: &[&str]) -> (Process, Vec<String>) {
    let scratch = place.path("tmp");
    std::fs::create_dir(&scratch).expect("it is new");
    // The children inherit the environment, the test's own process does not change.
    let process = Process::start_in(args, &[("TMPDIR", &scratch)]);
    let parent = process.child.id();
    let children = until(|| children_of(parent), |c| c.len() >= 3);
    (process, children)
}

#[cfg(target_os = "linux")]
fn children_of(parent: u32) -> Vec<String> {
    let listed = std::process::Command::new("pgrep")
        .args(["-P", &parent.to_string()])
        .output()
        .expect("there is a pgrep");
    stdout(&listed).lines().map(str::to_owned).collect()
}

#[cfg(target_os = "linux")]
fn is_alive(pid: &String) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    // A process that nobody has waited for yet is dead all the same.
    !status.is_empty() && !status.contains("State:\tZ")
}

#[test]
#[cfg(target_os = "linux")]
fn a_failed_demo_keeps_its_directory_and_says_where() {
    let place = Place::new();
    let (mut process, children) = started(&place);
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &children[1]])
        .status()
        .expect("there is a kill");
    assert!(killed.success());
    let facts = process.json();
    assert_eq!(process.end().code(), Some(1));
    assert_eq!(
        (&facts["ok"], &facts["converged"]),
        (&json!(false), &json!(false))
    );
    assert!(
        facts["error"]
            .as_str()
            .is_some_and(|e| e.contains("agent-1")),
        "{facts}"
    );
    let kept = facts["directory"].as_str().expect("it says where");
    assert!(std::path::Path::new(kept).join("hub.log").exists());
    until(|| children.iter().any(is_alive), |alive| !alive);
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_demo_leaves_nothing_behind() {
    // While its processes start, and once all of them write.
    for (signal, busy) in ending_signals().into_iter().flat_map(|s| [(s, 3), (s, 7)]) {
        let place = Place::new();
        let (mut process, _) = started(&place);
        let parent = process.child.id();
        let children = until(|| children_of(parent), |c| c.len() >= busy);
        process.signal(signal);
        assert_eq!(process.end().code(), Some(130));
        let facts = process.json();
        assert_eq!(facts["ok"], false);
        let sentence = facts["error"].as_str().expect("a sentence");
        assert!(sentence.contains("was interrupted"), "{sentence}");
        process.logged(sentence);
        until(|| children.iter().any(is_alive), |alive| !alive);
        let left = std::fs::read_dir(place.path("tmp")).expect("it is there");
        assert_eq!(left.count(), 0, "{signal} with {busy} processes");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_demo_prints_no_table_and_keeps_what_it_is_told_to() {
    let place = Place::new();
    let (mut process, _) = started_with(&place, &["demo", "--keep"]);
    process.signal("INT");
    assert_eq!(process.end().code(), Some(130));
    assert!(process.rest().is_empty());
    process.logged("its data and logs are in");
    let left = std::fs::read_dir(place.path("tmp")).expect("it is there");
    assert_eq!(left.count(), 1);
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_demo_leaves_no_process_behind() {
    let place = Place::new();
    let (mut process, children) = started(&place);
    process.signal("KILL");
    assert!(!process.end().success());
    until(|| children.iter().any(is_alive), |alive| !alive);
}

#[test]
#[cfg(target_os = "linux")]
fn an_interruption_is_one_also_if_nobody_reads() {
    let place = Place::new();
    let mut child = program(&["demo", "--json"])
        .env("TMPDIR", place.path(""))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    until(|| children_of(child.id()), |c| c.len() >= 3);
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(sent.expect("there is a kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn a_demo_without_a_place_says_what_to_do() {
    let place = Place::new();
    let refused = program(&["demo"])
        .env("TMPDIR", place.path("nowhere"))
        .output()
        .expect("the program starts");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("set TMPDIR"),
        "{}",
        stderr(&refused)
    );
}
