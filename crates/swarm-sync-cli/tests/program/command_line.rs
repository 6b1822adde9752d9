//! Arguments that no program could follow, and addresses where no hub is: what is said of them.

use std::io::Write;
use std::net::TcpListener;
use std::thread;

use crate::support::{run, stderr};

/// Takes connections, says `first` to each and nothing more.
fn stranger(first: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        // Kept, so that none is closed.
        let mut taken = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.expect("the system takes it");
            // Whoever asked may be gone.
            let _ = connection.write_all(first);
            taken.push(connection);
        }
    });
    address
}

#[test]
fn a_port_where_something_else_listens_is_said_to_be_no_hub() {
    let web = stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let mute = stranger(b"");
    let commands: [&[&str]; 5] = [
        &["get", "k"],
        &["sync", "k"],
        &["watch", "*"],
        &["memory", "list"],
        &["propose", "{}"],
    ];
    for command in commands {
        let refused = run(&[command, &["--hub", &web]].concat());
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(3), "{command:?}: {said}");
        let start = format!("no hub answers at {web}: the peer does not speak the protocol");
        assert!(
            said.contains(&start) && said.contains("check --hub"),
            "{said}"
        );
    }
    let refused = run(&["get", "k", "--hub", &mute, "--timeout", "1"]);
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    let start = format!("no hub answers at {mute}: reaching the hub took longer than 1000 ms");
    assert!(said.contains(&start), "{said}");
}

/// What is below nothing, or no number, is told what was expected, and not taken for an option.
#[test]
fn numbers_that_cannot_be_are_told_what_could() {
    let a_time = "expected a whole number and a unit";
    let seconds = "expected a whole number of seconds, from 1 to 3600";
    let a_count = "expected a whole number from 1";
    let cases: [(&[&str], &str); 15] = [
        (&["get", "k", "--timeout", "0"], seconds),
        (&["get", "k", "--timeout", "-1"], seconds),
        (&["sync", "k", "--timeout", "-1s"], seconds),
        (&["sync", "k", "--timeout", "NaN"], seconds),
        (&["sync", "k", "--timeout", "3601"], seconds),
        (&["watch", "*", "--count", "0"], a_count),
        (&["watch", "*", "--count", "-3"], a_count),
        (&["watch", "*", "--from", "-1"], "expected a revision"),
        (&["delta", "--since", "-1"], "expected a revision"),
        (&["replay", ".", "--agents", "-1"], a_count),
        (&["propose", "{}", "--timeout", "-1s"], a_time),
        (&["propose", "{}", "--timeout", "NaN"], a_time),
        (&["serve", "--sync-every", "-1s"], a_time),
        (
            &["serve", "--sync-every", "1s", "--sync-jitter", "-1s"],
            a_time,
        ),
        (&["serve", "--vote-timeout", "-5s"], a_time),
    ];
    for (args, expected) in cases {
        let refused = run(args);
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}
