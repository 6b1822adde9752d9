//! Whatever is not a request gets an answer that says what to do; nothing changes, the process
//! lives on.

use serde_json::{Value as Json, json};

use crate::support::{Agent, NO_HUB, Place, Process, agent_args, json_of, run, stderr};

/// An agent without a hub and with one key.
fn lonely(place: &Place) -> Agent {
    let mut agent = Agent::start(NO_HUB, "agent-1", &place.path("agent-1"));
    agent.set("k", &json!("before"));
    agent
}

/// Sends a line as it is; the answer must be an error of `kind` whose sentence holds `text`.
fn expect_error(agent: &mut Agent, line: &[u8], id: &Json, kind: &str, text: &str) {
    agent.process.send(line);
    let answer = agent.answer(id);
    let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
    assert_eq!(answer["ok"], false, "{shown}: {answer}");
    assert_eq!(answer["error"]["kind"], kind, "{shown}: {answer}");
    let message = answer["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains(text), "{shown}: {message}");
}

/// Kind, a part of the sentence, and the line that gets them; with its id where it has one.
const MALFORMED: &str = r#"
bad-request | not a JSON object        | hello
bad-request | not a JSON object        | [1,2]
bad-request | not a JSON object        | 7
bad-request | trailing                 | {"id":7,"op":"get","key":"k"} {}
bad-request | EOF                      | {"id":7,"op":"get"
bad-request | no NaN                   | {"id":7,"op":"set","key":"k","value":NaN}
bad-request | infinity                 | {"id":7,"op":"set","key":"k","value":-Infinity}
bad-request | out of range             | {"id":7,"op":"set","key":"k","value":1e999}
invalid     | 64 bits                  | {"id":7,"op":"set","key":"k","value":9223372036854775808}
invalid     | 64 bits                  | {"id":7,"op":"set","key":"k","value":[100000000000000000000000]}
invalid     | empty                    | {"id":7,"op":"set","key":"","value":1}
bad-request | hex escape               | {"id":7,"op":"set","key":"\ud800","value":1}
bad-request | a string                 | {"id":7,"op":"set","key":7,"value":1}
bad-request | `set` needs "value"      | {"id":7,"op":"set","key":"k"}
bad-request | `set` needs "key"        | {"id":7,"op":"set","value":1}
bad-request | valeu                    | {"id":7,"op":"set","key":"k","value":1,"valeu":2}
bad-request | twice                    | {"id":7,"op":"set","key":"k","key":"l","value":1}
bad-request | an object                | {"id":7,"op":"set","key":"k","value":1,"metadata":[]}
bad-request | "op"                     | {"id":7,"key":"k"}
bad-request | "op"                     | {"id":7,"op":7}
bad-request | there is no op "sett"    | {"id":7,"op":"sett","key":"k"}
bad-request | whole number             | {"id":7,"op":"add","key":"n","amount":1.5}
bad-request | whole number             | {"id":7,"op":"add","key":"n","amount":"1"}
bad-request | whole number             | {"id":7,"op":"add","key":"n","amount":1e30}
invalid     | 64 bits                  | {"id":7,"op":"add","key":"n","amount":9223372036854775808}
operation   | does not fit             | {"id":7,"op":"add","key":"k","amount":1}
operation   | does not fit             | {"id":7,"op":"insert","key":"k","element":1}
bad-request | at least one             | {"id":7,"op":"sync","keys":[]}
bad-request | strings                  | {"id":7,"op":"sync","keys":[1]}
invalid     | empty                    | {"id":7,"op":"sync","keys":[""]}
bad-request | milliseconds             | {"id":7,"op":"sync","keys":["k"],"timeout_ms":-1}
bad-request | a revision               | {"id":7,"op":"delta","since":-1}
bad-request | epoch                    | {"id":7,"op":"delta","since":{"epoch":"x","revision":1}}
bad-request | disk                     | {"id":7,"op":"flush","level":"moon"}
bad-request | a string                 | {"id":7,"op":"keys","pattern":1}
invalid     | the pattern is empty     | {"id":7,"op":"keys","pattern":""}
bad-request | either                   | {"id":7,"op":"clear","key":"k","all":true}
bad-request | "field": a string        | {"id":7,"op":"put","key":"m","value":1}
bad-request | "value": a JSON value    | {"id":7,"op":"put","key":"m","field":"f"}
invalid     | 0 bytes; 1 to 1024       | {"id":7,"op":"put","key":"m","field":"","value":1}
bad-request | "field": a string        | {"id":7,"op":"unset","key":"m","field":1}
operation   | does not fit             | {"id":7,"op":"put","key":"k","field":"f","value":1}
bad-request | "pattern": a string      | {"id":7,"op":"watch"}
invalid     | the pattern is empty     | {"id":7,"op":"watch","pattern":""}
bad-request | "from"                   | {"id":7,"op":"watch","pattern":"*","from":-1}
bad-request | EPOCH:REVISION           | {"id":7,"op":"watch","pattern":"*","from":"x"}
bad-request | "from"                   | {"id":7,"op":"watch","pattern":"*","from":{"epoch":"x"}}
bad-request | no field "count"         | {"id":7,"op":"watch","pattern":"*","count":1}
bad-request | "watch": a whole number  | {"id":7,"op":"unwatch"}
bad-request | there is no watch 7      | {"id":7,"op":"unwatch","watch":7}
bad-request | "key": a string          | {"id":7,"op":"explain"}
bad-request | write ids                | {"id":7,"op":"receipts","take":"all"}
bad-request | write id                 | {"id":7,"op":"receipts","take":["x"]}
"#;

/// Bad input, rows 3 and 6.
#[test]
fn malformed_lines_are_answered_and_change_nothing() {
    let place = Place::new();
    let mut agent = lonely(&place);
    let digest = agent.digest();
    for row in MALFORMED.lines().filter(|row| !row.is_empty()) {
        let mut cells = row.splitn(3, " | ").map(str::trim);
        let mut cell = || cells.next().expect("three cells");
        let (kind, text, line) = (cell(), cell(), cell());
        let id = if line.contains("\"id\":7") {
            json!(7)
        } else {
            Json::Null
        };
        expect_error(&mut agent, line.as_bytes(), &id, kind, text);
    }
    // A blank line asks nothing and gets no answer.
    for blank in [&b""[..], b"  \t", b"\r"] {
        agent.process.send(blank);
    }
    let nested = |depth: usize| {
        format!(
            r#"{{"id":7,"op":"set","key":"k","value":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    expect_error(
        &mut agent,
        nested(40).as_bytes(),
        &json!(7),
        "invalid",
        "nested deeper",
    );
    expect_error(
        &mut agent,
        nested(100_000).as_bytes(),
        &json!(7),
        "bad-request",
        "recursion limit",
    );

    assert_eq!(agent.digest(), digest);
    assert_eq!(agent.value("k"), "before");
    assert_eq!(agent.ok(json!({"op": "keys"}))["keys"], json!(["k"]));
}

/// Bad input, row 13.
#[test]
fn keys_and_values_over_their_limits_are_refused() {
    let place = Place::new();
    let mut agent = lonely(&place);
    let digest = agent.digest();
    agent.set(&"k".repeat(1_024), &json!(1));
    agent.ok(json!({"op": "delete", "key": "k".repeat(1_024)}));
    let digest_with_tombstone = agent.digest();
    assert_ne!(digest, digest_with_tombstone);

    let (kind, message) = agent.refused(json!({"op": "set", "key": "k".repeat(1_025), "value": 1}));
    assert_eq!(kind, "invalid");
    assert!(
        message.contains("1025 bytes; the limit is 1024"),
        "{message}"
    );
    let (kind, message) =
        agent.refused(json!({"op": "put", "key": "m", "field": "f".repeat(1_025), "value": 1}));
    assert_eq!(kind, "invalid");
    assert!(message.contains("1025 bytes; 1 to 1024"), "{message}");
    let large = "v".repeat(600 * 1_024);
    for request in [
        json!({"op": "set", "key": "k", "value": large}),
        json!({"op": "insert", "key": "s", "element": large}),
    ] {
        let (kind, message) = agent.refused(request);
        assert_eq!(kind, "too-large");
        assert!(message.contains("split it"), "{message}");
    }
    assert_eq!(agent.digest(), digest_with_tombstone);
    assert_eq!(agent.value("k"), "before");
}

/// Bad input, row 11.
#[test]
fn a_counter_does_not_wrap() {
    let place = Place::new();
    let mut agent = lonely(&place);
    agent.ok(json!({"op": "add", "key": "n", "amount": i64::MAX}));
    let (kind, message) = agent.refused(json!({"op": "add", "key": "n", "amount": 1}));
    assert_eq!(kind, "operation");
    assert!(message.contains("64 bits"), "{message}");
    assert_eq!(agent.value("n"), i64::MAX);
}

/// Bad input, rows 1 and 5.
#[test]
fn lines_that_are_too_long_or_not_text_are_skipped() {
    let place = Place::new();
    let mut agent = lonely(&place);
    expect_error(
        &mut agent,
        b"{\"id\":7,\"op\":\"get\",\"key\":\"\xff\"}",
        &json!(7),
        "bad-request",
        "UTF-8",
    );
    expect_error(&mut agent, b"\xff\xfe", &Json::Null, "bad-request", "UTF-8");
    let long = vec![b'x'; (4 << 20) + 1];
    expect_error(&mut agent, &long, &Json::Null, "bad-request", "4194304");
    // A long line that is within the limit is read, and refused for what it says.
    let mut padded = br#"{"id":7,"op":"get","key":"k"}"#.to_vec();
    padded.resize(4 << 20, b' ');
    agent.process.send(&padded);
    assert_eq!(agent.answer(&json!(7))["value"], "before");
}

#[test]
fn the_largest_value_fits_a_line_with_every_byte_escaped() {
    let place = Place::new();
    let mut agent = lonely(&place);
    let bytes = 512 * 1_024 - 1_024;
    let line = format!(
        r#"{{"id":7,"op":"set","key":"k","value":"{}"}}"#,
        "\\u0001".repeat(bytes)
    );
    agent.process.send(line.as_bytes());
    assert_eq!(agent.answer(&json!(7))["ok"], true);
    assert_eq!(agent.value("k"), "\u{1}".repeat(bytes));
}

#[test]
fn many_large_lines_are_all_answered() {
    let place = Place::new();
    let mut agent = lonely(&place);
    // More than may be under way at once.
    let padding = " ".repeat(4_000_000);
    for id in 0..20 {
        let line = format!(r#"{{"id":{id},"op":"get","key":"k"}}{padding}"#);
        agent.process.send(line.as_bytes());
    }
    for id in 0..20 {
        assert_eq!(agent.answer(&json!(id))["value"], "before");
    }
}

#[test]
fn a_directory_in_use_is_refused_and_left_alone() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.set("k", &json!(1));
    let data = place.path("agent-1");
    let data = data.to_string_lossy();
    let second = agent_args(&hub.address, "agent-2", &data);
    let refused = run(&second);
    assert_eq!(refused.status.code(), Some(4));
    let event = json_of(&refused);
    assert_eq!(event["event"], "failed");
    assert_eq!(event["error"]["kind"], "in-use");
    assert!(stderr(&refused).contains("in use by another process; stop it or choose another"));

    let data = place.path("hub");
    let refused = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        &data.to_string_lossy(),
    ]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(stderr(&refused).contains("in use by another process"));
    agent.flush();
    assert_eq!(agent.value("k"), 1);
}

#[test]
fn a_directory_that_is_not_a_store_is_left_alone() {
    let place = Place::new();
    let data = place.path("letters");
    std::fs::create_dir(&data).expect("the directory is new");
    std::fs::write(data.join("dear.txt"), "dear").expect("it is writable");
    let refused = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        &data.to_string_lossy(),
    ]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(
        stderr(&refused).contains("choose an empty one"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(std::fs::read_dir(&data).expect("it is there").count(), 1);
}

/// Bad input, row 22.
#[test]
fn a_directory_of_another_kind_of_node_is_refused() {
    let place = Place::new();
    let hub = place.hub();
    let mut agent = place.agent(&hub, "agent-1");
    agent.process.send(br#"{"id":1,"op":"offline"}"#);
    agent.answer(&json!(1));
    agent.set("k", &json!("waits for the hub"));
    agent.process.kill();
    hub.process.kill();

    let (hubs, agents) = (place.path("hub"), place.path("agent-1"));
    let (hubs, agents) = (hubs.to_string_lossy(), agents.to_string_lossy());
    let swapped = [
        (
            run(&["agent", "--json", "--id", "agent-2", "--data", &agents]),
            &agents,
        ),
        (
            run(&["agent", "--json", "--id", "agent-1", "--data", &hubs]),
            &hubs,
        ),
        (
            run(&[
                "serve",
                "--json",
                "--listen",
                "127.0.0.1:0",
                "--data",
                &agents,
            ]),
            &agents,
        ),
    ];
    for (refused, directory) in swapped {
        assert_eq!(refused.status.code(), Some(4));
        assert_eq!(json_of(&refused)["error"]["kind"], "unusable");
        let sentence = stderr(&refused);
        assert!(sentence.contains(&**directory), "{sentence}");
        assert!(
            sentence.contains("choose another directory with --data"),
            "{sentence}"
        );
    }
}

/// Bad input, row 13.
#[test]
fn names_are_checked_on_the_command_line() {
    for args in [
        ["agent", "--json", "--id", "a b"],
        ["agent", "--json", "--id", ""],
        ["agent", "--json", "--swarm", "a/b"],
        ["serve", "--json", "--swarm", "ä"],
    ] {
        let refused = run(&args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}");
        assert!(!stderr(&refused).is_empty());
    }
    // A name that is no directory needs one.
    let refused = run(&["agent", "--json", "--id", ".."]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--data"));
}

#[test]
fn who_stops_reading_ends_the_agent() {
    let place = Place::new();
    let data = place.path("a");
    let data = data.to_string_lossy();
    let args = agent_args(NO_HUB, "a", &data);
    let mut child = crate::support::program(&args)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let status = crate::support::until(
        || child.try_wait().expect("it was running"),
        Option::is_some,
    );
    assert!(status.is_some_and(|s| s.success()), "{status:?}");
    // Its directory is free again.
    drop(Process::start(&args).json());
}

#[test]
fn an_agent_cannot_take_the_hubs_own_name() {
    let refused = run(&["agent", "--id", "hub"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = stderr(&refused);
    assert!(said.contains("the hub's own: choose another one"), "{said}");
}
