//! The state of a stopped node as one file, and back.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::support::damage::flip;
use crate::support::{Agent, Hub, Place, Process, json_of, run, stderr, stdout, until};

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn backup(data: &Path, to: &Path) -> Json {
    let output = run(&["backup", "--json", "--data", &text(data), &text(to)]);
    assert!(output.status.success(), "{}", stderr(&output));
    json_of(&output)
}

fn restore(from: &Path, data: &Path, more: &[&str]) -> Json {
    let (from, data) = (text(from), text(data));
    let args = ["restore", "--json", &from, "--data", &data];
    let output = run(&[&args[..], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    json_of(&output)
}

/// A command that must fail; what it says on stderr.
fn refused(args: &[&str], code: i32) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    stderr(&output)
}

fn epoch(hub: &Hub) -> Json {
    json_of(&hub.client(&["status", "--json"]))["epoch"].clone()
}

#[test]
fn a_hub_that_is_restored_gets_from_its_agents_what_it_lacks() {
    let place = Place::new();
    let (data, file) = (place.path("hub"), place.path("hub.backup"));
    let hub = place.hub();
    let address = hub.address.clone();
    let mut a = place.agent(&hub, "a");
    a.set("k", &json!("before"));
    a.ok(json!({"op": "add", "key": "sum", "amount": 40}));
    a.flush();
    let first = epoch(&hub);
    hub.process.kill();
    let told = backup(&data, &file);
    assert_eq!(told["swarms"], json!(["default"]), "{told}");
    let hub = Hub::start_at(&data, &address);
    let second = epoch(&hub);
    a.set("k", &json!("since"));
    a.ok(json!({"op": "add", "key": "sum", "amount": 2}));
    a.set("new", &json!("since"));
    a.flush();
    let cas = hub.client(&["cas", "owner", "me", "--expected", "0"]);
    assert!(cas.status.success(), "{}", stderr(&cas));
    a.reads("owner", &json!("me"));
    let revision = json_of(&hub.client(&["status", "--json"]))["revision"].as_u64();
    hub.process.kill();

    // Under another engine, in another place.
    let again = place.path("restored");
    let told = restore(&file, &again, &["--store", "redb"]);
    assert_eq!(told["owner"], "a hub", "{told}");
    let hub = Hub::start_at(&again, &address);
    assert!(![first, second].contains(&epoch(&hub)));
    a.flush();
    a.in_step();
    for (key, value) in [
        ("k", "since"),
        ("sum", "42"),
        ("new", "since"),
        ("owner", "me"),
    ] {
        assert_eq!(stdout(&hub.client(&["get", key])), format!("{value}\n"));
    }
    let status = json_of(&hub.client(&["status", "--json"]));
    assert!(status["revision"].as_u64() > revision, "{status}");
    assert_eq!(status["id_alarms"], 0, "{status}");
    let paused = json_of(&hub.client(&["claim", "task", "--json"]));
    assert_eq!(paused["error"]["kind"], "claims-paused", "{paused}");
}

#[test]
fn an_agent_that_is_restored_uses_no_id_twice() {
    let place = Place::new();
    let hub = place.hub();
    let (data, file) = (place.path("a"), place.path("a.backup"));
    let mut a = place.agent(&hub, "a");
    a.set("k", &json!("before"));
    a.flush();
    a.ok(json!({"op": "offline"}));
    a.set("waits", &json!("in the backup"));
    let mut runs = vec![a.ready["incarnation"].clone()];
    a.process.kill();
    backup(&data, &file);
    let mut a = place.agent(&hub, "a");
    runs.push(a.ready["incarnation"].clone());
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(a.set("k", &json!(n))["write"].clone());
    }
    a.flush();
    a.process.kill();
    for number in 0..2 {
        let again = place.path(&format!("again-{number}"));
        restore(&file, &again, &[]);
        let mut a = Agent::start(&hub.address, "a", &again);
        let run = a.ready["incarnation"].clone();
        assert!(!runs.contains(&run), "{run} in {runs:?}");
        runs.push(run);
        let written = a.set("k", &json!(format!("again {number}")))["write"].clone();
        assert!(!ids.contains(&written), "{written} in {ids:?}");
        ids.push(written);
        a.flush();
        a.in_step();
        assert_eq!(
            stdout(&hub.client(&["get", "k"])),
            format!("again {number}\n")
        );
    }
    assert_eq!(stdout(&hub.client(&["get", "waits"])), "in the backup\n");
    let status = json_of(&hub.client(&["status", "--json"]));
    assert_eq!(status["id_alarms"], 0, "{status}");
}

#[test]
fn nothing_is_written_over_and_nothing_is_left() {
    let place = Place::new();
    let (data, file) = (place.path("hub"), place.path("hub.backup"));
    let hub = place.hub();
    assert!(hub.client(&["set", "k", "written-here"]).status.success());
    let args = ["backup", "--data", &text(&data), &text(&file)];
    let told = refused(&args, 4);
    assert!(told.contains("is in use by another process"), "{told}");
    hub.process.kill();
    backup(&data, &file);
    let whole = std::fs::read(&file).expect("it is there");
    let told = refused(&args, 1);
    assert!(told.contains("nothing is written over it"), "{told}");
    let into = ["restore", &text(&file), "--data", &text(&data)];
    let told = refused(&into, 4);
    assert!(told.contains("is not empty"), "{told}");
    let absent = place.path("absent");
    let told = refused(&["backup", "--data", &text(&absent), "x"], 4);
    assert!(told.contains("holds nothing"), "{told}");
    assert_eq!(std::fs::read(&file).expect("it is there"), whole);
    flip(&data, "written-here");
    let second = place.path("second.backup");
    let told = refused(&["backup", "--data", &text(&data), &text(&second)], 4);
    assert!(told.contains("is damaged"), "{told}");
    for entry in std::fs::read_dir(place.path("")).expect("there") {
        let name = entry.expect("readable").file_name();
        assert!(
            ["hub", "hub.backup"].iter().any(|known| name == *known),
            "{name:?}"
        );
    }
}

#[test]
fn what_is_no_backup_is_refused_with_what_to_do() {
    let place = Place::new();
    let file = place.path("hub.backup");
    let hub = place.hub();
    assert!(hub.client(&["set", "k", "v"]).status.success());
    hub.process.kill();
    backup(&place.path("hub"), &file);
    let whole = std::fs::read(&file).expect("it is there");
    let mut newer = whole.clone();
    newer[18] = 2;
    let mut flipped = whole.clone();
    flipped[60] ^= 4;
    let bad = place.path("bad.backup");
    for (bytes, words) in [
        (whole[..whole.len() - 1].to_vec(), "it is cut short after"),
        (whole[..100].to_vec(), "it is cut short after"),
        (Vec::new(), "it is not a backup of swarm-sync"),
        (b"Dear mother,".to_vec(), "it is not a backup of swarm-sync"),
        (newer, "a backup of format 2, this program reads 1"),
        (flipped, "it is damaged after"),
        (
            [&whole[..], b"more"].concat(),
            "there is more after its end",
        ),
    ] {
        std::fs::write(&bad, bytes).expect("written");
        let into = place.path("into");
        let told = refused(&["restore", &text(&bad), "--data", &text(&into)], 1);
        assert!(told.contains(words), "{words}: {told}");
        assert!(!into.exists(), "{words}");
    }
    let absent = place.path("absent.backup");
    let told = refused(&["restore", &text(&absent), "--data", &text(&absent)], 1);
    assert!(told.contains("opening the backup failed"), "{told}");
}

/// Begins a backup and kills it; whether that came before its end.
fn killed_midway(data: &Path, file: &Path) -> bool {
    let args = ["backup", "--data", &text(data), &text(file)];
    let mut backing_up = Process::start(&args);
    let partial = file.with_extension("backup.partial");
    // Without a pause: it does not take long.
    while !partial.exists() && backing_up.child.try_wait().expect("it ran").is_none() {}
    backing_up.kill();
    let left = partial.exists();
    let _ = std::fs::remove_file(file);
    left
}

#[test]
fn what_a_killed_backup_left_gives_way_to_the_next_one_and_nothing_else_does() {
    let place = Place::new();
    let (data, file) = (place.path("hub"), place.path("hub.backup"));
    let partial = place.path("hub.backup.partial");
    let hub = place.hub();
    let mut agent = place.agent(&hub, "a");
    for number in 0..16 {
        agent.set(&format!("k{number}"), &json!("v".repeat(256 << 10)));
    }
    agent.flush();
    hub.process.kill();
    until(|| killed_midway(&data, &file), |midway| *midway);
    let left = std::fs::File::open(&partial).expect("it was left");

    let args = ["backup", "--data", &text(&data), &text(&file)];
    // Held, it is what somebody writes at this moment.
    left.lock().expect("nobody holds it");
    let told = refused(&args, 1);
    assert!(
        told.contains("is being written by another backup"),
        "{told}"
    );
    assert!(partial.exists() && !file.exists());
    drop(left);
    backup(&data, &file);
    assert!(!partial.exists());
    restore(&file, &place.path("restored"), &[]);

    std::fs::remove_file(&file).expect("it is there");
    std::fs::write(&partial, "my letters").expect("it can be written");
    let told = refused(&args, 1);
    assert!(
        told.contains("hub.backup.partial is there already"),
        "{told}"
    );
    let kept = std::fs::read_to_string(&partial).expect("it is there");
    assert_eq!(kept, "my letters");
}

/// The names of the backups in a directory, the oldest first.
fn made(directory: &Path) -> Vec<String> {
    let Ok(found) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let names = found.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".backup")).collect();
    names.sort();
    names
}

#[test]
fn a_hub_backs_itself_up_while_it_serves() {
    let place = Place::new();
    let (data, backups) = (place.path("hub"), place.path("backups"));
    let (at, every) = (
        text(&backups),
        ["--backup-every", "1s", "--backups-kept", "2"],
    );
    let hub = Hub::start_with(&data, &[&["--backups", &at][..], &every].concat());
    let mut a = place.agent(&hub, "a");
    a.set("k", &json!("kept"));
    a.flush();
    let newest = until(|| made(&backups).pop(), Option::is_some);
    // The second one since then was begun when all that was long done.
    let names = until(
        || made(&backups),
        |names| names.len() >= 2 && names.iter().all(|name| Some(name) > newest.as_ref()),
    );
    // Between the making of one and the removal of another.
    assert!(names.len() <= 3, "{names:?}");
    hub.process.kill();
    let newest = made(&backups).pop().expect("there are some");
    let again = place.path("again");
    restore(&backups.join(newest), &again, &[]);
    let hub = Hub::start_at(&again, "127.0.0.1:0");
    assert_eq!(stdout(&hub.client(&["get", "k"])), "kept\n");
}

#[test]
fn backups_are_not_made_where_they_would_be_lost_or_nobody_may_write() {
    let place = Place::new();
    let data = text(&place.path("hub"));
    let within = text(&place.path("hub").join("backups"));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    let said = refused(&[&serve[..], &["--backups", &within]].concat(), 2);
    assert!(
        said.contains("would be lost with it; choose another"),
        "{said}"
    );
    let file = place.path("file");
    std::fs::write(&file, "").unwrap();
    let said = refused(&[&serve[..], &["--backups", &text(&file)]].concat(), 4);
    assert!(said.contains("cannot be used for backups"), "{said}");
    for (option, value, expected) in [
        ("--backup-every", "5ms", "from 1s to 365d"),
        ("--backups-kept", "0", "from 1 to 10000"),
    ] {
        let at = text(&place.path("backups"));
        let said = refused(
            &[&serve[..], &["--backups", &at, option, value]].concat(),
            2,
        );
        assert!(said.contains(expected), "{said}");
    }
    let said = refused(&[&serve[..], &["--backups-kept", "3"]].concat(), 2);
    assert!(said.contains("--backups"), "{said}");
}
