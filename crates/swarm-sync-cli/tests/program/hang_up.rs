//! SIGHUP at a hub: it reads its files anew and says so. It ends only with its terminal.

#![cfg(unix)]

use crate::security::{Secured, ask};
use crate::support::{Hub, Place, Terminal, ending_signals, serve_args, stderr};

/// Under `nohup`, which these tests may have been started with, nobody hears one.
fn heard() -> bool {
    ending_signals().contains(&"HUP")
}

#[test]
fn a_hang_up_has_a_hub_read_its_files_anew_and_say_what_came_of_it() {
    if !heard() {
        return;
    }
    let secured = Secured::new();
    let tokens = secured.private("tokens", "");
    let text = "[[right]]\nagent = \"*\"\nallow = [\"read\", \"write\", \"admin\"]\n";
    let rights = secured.private("rights.toml", text);
    let hub = secured.serve(&["--tokens", &tokens, "--rights", &rights]);
    let (worker, line) = secured.token("worker");
    let stranger = ask(&hub, &["set", "k", "1"], &worker);
    assert_eq!(stranger.status.code(), Some(3), "{}", stderr(&stranger));

    secured.private("tokens", &line);
    hub.process.signal("HUP");
    let said = hub.process.logged("SIGHUP: read anew and in force");
    for file in ["tokens", "rights.toml", "hub.pem", "hub.key", "ca.pem"] {
        assert!(said.contains(&secured.file(file)), "{file}: {said}");
    }
    let set = ask(&hub, &["set", "k", "1"], &worker);
    assert!(set.status.success(), "{}", stderr(&set));

    secured.private("tokens", "");
    secured.private("rights.toml", "[[right]]\nagent = \"worker\"\n");
    hub.process.signal("HUP");
    let said = hub.process.logged("SIGHUP: nothing has changed");
    for words in ["ERROR", "rights.toml:1: a right needs `allow`"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let set = ask(&hub, &["set", "k", "2"], &worker);
    assert!(set.status.success(), "{}", stderr(&set));
}

#[test]
fn a_hang_up_does_not_end_a_hub_that_has_nothing_to_read() {
    if !heard() {
        return;
    }
    let place = Place::new();
    let mut hub = place.hub();
    // As often as anybody likes: it is not the second signal that ends what hangs.
    for _ in 0..3 {
        hub.process.signal("HUP");
        hub.process.logged("this one was started with none");
    }
    let set = hub.client(&["set", "k", "1"]);
    assert!(set.status.success(), "{}", stderr(&set));
    hub.process.signal("TERM");
    assert!(hub.process.end().success());
}

#[test]
fn a_hub_ends_with_the_terminal_that_it_was_started_on() {
    if !heard() {
        return;
    }
    let place = Place::new();
    let data = place.path("hub");
    let mut terminal = Terminal::start_unread(&serve_args("127.0.0.1:0", &data), &[]);
    terminal.read_until("ready");
    terminal.hang_up();
    assert_eq!(terminal.end().exit_code(), 0);
    // Its directory is free again.
    Hub::start(&data);
}
