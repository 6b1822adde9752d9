//! Every refusal says what to do, and repeats no more of what was given than it takes to recognize.

use serde_json::{Value as Json, json};

use crate::support::{Agent, Hub, NO_HUB, Place, Process, program, run, stderr, stdout};

/// An agent without a hub.
fn lonely(place: &Place) -> Agent {
    Agent::start(NO_HUB, "agent-1", &place.path("agent-1"))
}

/// Sends a line as it is; returns the sentence it is refused with.
fn sentence(agent: &mut Agent, line: &str, id: &Json) -> String {
    agent.process.send(line.as_bytes());
    let answer = agent.answer(id);
    assert_eq!(answer["ok"], false, "{answer}");
    let sentence = answer["error"]["message"].as_str();
    sentence.expect("a sentence").to_owned()
}

fn brackets(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn a_refused_line_says_what_to_do() {
    let place = Place::new();
    let mut agent = lonely(&place);
    let set = |value: &str| format!(r#"{{"id":7,"op":"set","key":"k","value":{value}}}"#);
    let key = |key: &str| format!(r#"{{"id":7,"op":"get","key":"{key}"}}"#);
    let cases = [
        (set(&brackets(40)), "flatten it"),
        (set(&brackets(1_000)), "flatten it"),
        (set("1e999"), "send a smaller number"),
        (set("99999999999999999999"), "use a smaller one"),
        (set("NaN"), "send a finite number or null"),
        (set(r#""\u0""#), "send one whole object in each line"),
        (key(&"k".repeat(1_025)), "choose a shorter one"),
        (r#"{"id":7,"id":7}"#.to_owned(), "send it once"),
    ];
    for (line, advice) in cases {
        let sentence = sentence(&mut agent, &line, &json!(7));
        assert!(sentence.contains(advice), "{sentence}");
    }
    for line in ["hello", "[1]", "\"text\"", "NaN", "1e999"] {
        let sentence = sentence(&mut agent, line, &Json::Null);
        assert!(sentence.contains("send one whole object"), "{sentence}");
    }
}

/// Longer than anybody reads.
const LONG: usize = 20_000;

/// Whether a text repeats a run of one character that nobody would count.
fn repeats(text: &str, what: char) -> bool {
    text.contains(&what.to_string().repeat(61))
}

#[test]
fn a_refused_line_is_not_repeated_whole() {
    let place = Place::new();
    let mut agent = lonely(&place);
    let (x, digits) = ("x".repeat(LONG), "9".repeat(LONG));
    let cases = [
        format!("\"{x}\""),
        x.clone(),
        digits.clone(),
        format!("{digits}.5"),
        format!(r#"{{"op":"{x}"}}"#),
        format!(r#"{{"op":"get","key":"k","{x}":1}}"#),
        format!(r#"{{"{x}":1,"{x}":2}}"#),
        format!(r#"{{"op":"set","key":"k","value":{digits}}}"#),
        format!(r#"{{"op":"set","key":"k","value":{digits}e9}}"#),
        format!(r#"{{"op":"get","key":"{x}"}}"#),
        format!(r#"{{"op":"receipts","take":["{x}"]}}"#),
        r#"{"op":"receipts","take":[1e300]}"#.to_owned(),
        format!(r#"{{"op":"delta","since":{{"epoch":"{x}","revision":1}}}}"#),
        format!(r#"{{"op":"flush","level":"{x}"}}"#),
    ];
    for line in cases {
        let sentence = sentence(&mut agent, &line, &Json::Null);
        let shown: String = line.chars().take(40).collect();
        for what in ['x', '9', '0'] {
            assert!(!repeats(&sentence, what), "{shown}: {sentence}");
        }
        assert!(sentence.chars().count() < 400, "{shown}: {sentence}");
    }
    let sentence = sentence(&mut agent, &format!(r#"{{"op":"{x}"}}"#), &Json::Null);
    assert!(sentence.contains("xxx…"), "{sentence}");
}

#[test]
fn a_refused_argument_is_not_repeated_whole() {
    let (x, digits) = ("x".repeat(LONG), "9".repeat(LONG));
    let option = format!("--{x}");
    let address = format!("{x}:1");
    let cases: [&[&str]; 17] = [
        &[&x],
        &["get", &option],
        &["get", &x],
        &["get", "k", &x],
        &["get", "k", "--swarm", &x],
        &["get", "k", "--hub", &x],
        &["get", "k", "--hub", &address],
        &["get", "k", "--timeout", &digits],
        &["set", "k", &digits],
        &["set", "k", &format!("{digits}e9")],
        &["set", "k", &brackets(LONG)],
        &["set", "k", &format!("+{digits}e999")],
        &["add", "n", &digits],
        &["delta", "--since", &digits],
        &["agent", "--id", &x],
        &["serve", "--listen", &address],
        &["serve", "--swarm", &x],
    ];
    for args in cases {
        let refused = run(args);
        let (said, shown) = (stderr(&refused), args[args.len() - 1]);
        let shown: String = shown.chars().take(40).collect();
        assert_eq!(refused.status.code(), Some(2), "{shown}: {said}");
        for what in ['x', '9', '[', ']'] {
            assert!(!repeats(&said, what), "{shown}: {said}");
        }
        assert!(said.contains("…"), "{shown}: {said}");
    }
    let refused = run(&["add", "n", &digits]);
    assert!(stderr(&refused).contains("a whole number from -922"));
    // From the environment too, and nothing that steers the terminal.
    let refused = program(&["get", "k"])
        .env("SWARM_SYNC_HUB", format!("\u{1b}[31m{x}"))
        .output()
        .expect("the program starts");
    let said = stderr(&refused);
    assert!(!said.contains('\u{1b}') && !repeats(&said, 'x'), "{said}");
}

#[test]
fn a_key_and_a_directory_are_not_repeated_whole() {
    let place = Place::new();
    let hub = place.hub();
    let absent = hub.client(&["get", &"x".repeat(1_000)]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(!repeats(&stderr(&absent), 'x'), "{}", stderr(&absent));
    let directory = place.path(&"x".repeat(5_000));
    let args = ["agent", "--data", &directory.to_string_lossy()];
    let refused = run(&args);
    assert_eq!(refused.status.code(), Some(4));
    let said = stderr(&refused);
    assert!(!repeats(&said, 'x') && said.contains("--data"), "{said}");
}

#[test]
fn what_is_no_finite_number_is_stored_only_as_quoted_text() {
    let place = Place::new();
    let hub = place.hub();
    for text in ["NaN", "nan", "Infinity", "-Infinity", "inf", "-inf", "+Inf"] {
        let refused = hub.client(&["set", "n", text]);
        assert_eq!(refused.status.code(), Some(2), "{text}");
        let said = stderr(&refused);
        assert!(said.contains("NaN and infinities"), "{said}");
        assert!(said.contains(&format!("'\"{text}\"'")), "{said}");
    }
    let refused = hub.client(&["set", "n", r#"{"loss":NaN}"#]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("null"), "{}", stderr(&refused));
    assert_eq!(hub.client(&["get", "n"]).status.code(), Some(1), "unset");
    // As the sentence says.
    assert!(hub.client(&["set", "n", "\"NaN\""]).status.success());
    assert_eq!(stdout(&hub.client(&["get", "n"])), "NaN\n");
}

#[test]
fn a_line_that_is_too_long_is_answered_with_an_id_that_comes_early() {
    let place = Place::new();
    let mut agent = lonely(&place);
    let value = "x".repeat(5_000_000);
    let early = [json!(7), json!("seven"), json!({"n": [7]}), Json::Null];
    for id in early {
        let line = format!(r#"{{"id":{id},"op":"set","key":"k","value":"{value}"}}"#);
        assert!(sentence(&mut agent, &line, &id).contains("4194304 bytes"));
    }
    let without = [
        format!(r#"{{"op":"set","key":"k","value":"{value}","id":7}}"#),
        format!(r#"{{"id":{}}}"#, "7".repeat(5_000_000)),
        format!(r#"{{"id":"{value}"}}"#),
        format!(r#"["id":7,"{value}"]"#),
        format!(r#"{{"not":{{"id":7,"value":"{value}"}}}}"#),
    ];
    for line in without {
        assert!(sentence(&mut agent, &line, &Json::Null).contains("4194304 bytes"));
    }
    assert_eq!(agent.ok(json!({"op": "keys"}))["keys"], json!([]));
}

#[test]
fn a_stderr_that_takes_nothing_stops_nobody() {
    let place = Place::new();
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return; // Not on this system.
    };
    let data = place.path("a");
    let data = data.to_string_lossy();
    let mut command = program(&["agent", "--json", "--hub", NO_HUB, "--data", &data]);
    command.stderr(full);
    let mut agent = Process::spawn_as(command);
    assert_eq!(agent.json()["event"], "ready");
    // Once it has complained of the hub that is not there.
    crate::support::until(
        || {
            agent.send(br#"{"op":"status"}"#);
            agent.json()
        },
        |status| !status["link_error"].is_null(),
    );
    agent.send(br#"{"op":"set","key":"k","value":1}"#);
    assert_eq!(agent.json()["ok"], true);
}

#[test]
fn a_directory_of_another_swarm_is_refused() {
    let place = Place::new();
    let data = place.path("a");
    let mut red = Agent::start_with(NO_HUB, "a", &data, &["--swarm", "red"]);
    red.set("k", &json!("waits for the hub"));
    red.process.kill();

    let shown = data.to_string_lossy();
    let refused = run(&[
        "agent", "--json", "--swarm", "blue", "--id", "a", "--data", &shown,
    ]);
    assert_eq!(refused.status.code(), Some(4));
    let event = crate::support::json_of(&refused);
    assert_eq!(event["error"]["kind"], "unusable");
    let said = stderr(&refused);
    assert!(said.contains(&*shown), "{said}");
    assert!(said.contains("the swarm red, not of blue"), "{said}");
    assert!(
        said.contains("choose another directory with --data"),
        "{said}"
    );

    let mut red = Agent::start_with(NO_HUB, "a", &data, &["--swarm", "red"]);
    assert_eq!(red.value("k"), "waits for the hub");
    // A hub's directory may hold any number.
    let hub = place.hub();
    for swarm in ["red", "blue"] {
        assert!(
            hub.client(&["set", "k", "v", "--swarm", swarm])
                .status
                .success()
        );
    }
    hub.process.kill();
    let hub = Hub::start(&place.path("hub"));
    assert_eq!(stdout(&hub.client(&["get", "k", "--swarm", "red"])), "v\n");
}
