//! Files of policies, right and wrong.

use std::time::Duration;

use crate::{Merges, merge_fn};
use sync_core::{Durability, History, Key, MergeRule, OnConcurrent, Priority};

use super::{TEXT_BYTES_MAX, parse, parse_for};

/// The first flaw, as `LINE: REASON`.
fn flaw(text: &str) -> String {
    let error = parse(text).expect_err(text);
    let flaw = &error.flaws[0];
    format!("{}: {}", flaw.line, flaw.reason)
}

/// A text of one policy whose third line is `setting`.
fn with(setting: &str) -> String {
    format!("[[policy]]\npattern = \"a*\"\n{setting}\n")
}

#[test]
fn a_file_says_everything_that_a_policy_can() {
    let text = r#"
        # Comments are welcome.
        [[policy]]
        pattern = "task_*"
        rule = "causal"
        on_concurrent = "keep"
        durability = "hub"
        ttl = "30s"
        ttl_refresh = true
        priority = "high"
        history_commits = 100
        history_age = "30d"
        max_value_bytes = 65_536
        receipts = 500

        [[policy]]
        pattern = "*"
        rule = "register"
    "#;
    let policies = parse(text).unwrap();
    let of = |key: &str| policies.of(&Key::new(key).unwrap()).unwrap();
    let task = of("task_7");
    assert_eq!(task.rule, Some(MergeRule::Causal));
    assert_eq!(task.on_concurrent, Some(OnConcurrent::Keep));
    assert_eq!(task.durability, Some(Durability::Hub));
    let ttl = task.ttl.unwrap();
    assert_eq!((ttl.after, ttl.refresh), (Duration::from_secs(30), true));
    assert_eq!(task.priority, Priority::High);
    let month = Duration::from_hours(30 * 24);
    assert_eq!(
        (task.history.commits, task.history.age),
        (Some(100), Some(month))
    );
    assert_eq!(task.max_value_bytes, Some(65_536));
    assert_eq!(task.receipts, Some(500));
    let rest = of("x");
    assert_eq!(rest.history, History::default());
    assert_eq!(rest.rule, Some(MergeRule::Lww));
    assert_eq!((rest.ttl, rest.priority), (None, Priority::Medium));
    assert!(parse("").unwrap().is_empty());
    assert!(parse("# nothing yet\r\n").unwrap().is_empty());
}

#[test]
fn lifetimes_have_a_unit() {
    let ttl = |text: &str| {
        let policies = parse(&with(&format!("ttl = \"{text}\""))).ok()?;
        let after = policies.iter().next()?.ttl?.after;
        Some(after.as_millis())
    };
    let cases = [
        ("500ms", Some(500)),
        ("30s", Some(30_000)),
        ("5m", Some(300_000)),
        ("2h", Some(7_200_000)),
        ("7d", Some(604_800_000)),
        ("0s", None),
        ("7", None),
        ("7 d", None),
        ("-7d", None),
        ("1.5h", None),
        ("d", None),
        ("", None),
        ("7y", None),
        ("99999999999999999999s", None),
        ("18446744073709551615d", None),
        ("7ä", None),
    ];
    for (text, millis) in cases {
        assert_eq!(ttl(text), millis, "{text}");
    }
}

/// A setting after `[[policy]]` and `pattern = "a*"`, and what is said of it.
const FLAWED: [(&str, &str); 27] = [
    (
        "rule = \"lwww\"",
        "3: `rule` cannot be \"lwww\"; it is one of lww, register, counter",
    ),
    (
        "rule = 7",
        "3: `rule` is a number; it takes text in quotes, as in rule = \"lww\"",
    ),
    (
        "on_concurrent = \"keep\"",
        "3: `on_concurrent` needs the rule causal",
    ),
    ("merge = \"f\"", "3: `merge` names a function, but"),
    ("rule = \"custom\"", "3: a custom merge needs `merge`"),
    (
        "durability = \"tape\"",
        "3: `durability` cannot be \"tape\"; it is one of memory, disk, hub",
    ),
    (
        "ttl = 30",
        "3: `ttl` is a number; it takes text in quotes, as in ttl = \"30s\"",
    ),
    (
        "ttl = \"soon\"",
        "3: `ttl` cannot be \"soon\"; it is a whole number and a unit",
    ),
    ("ttl = \"0s\"", "3: a lifetime of 0 would keep nothing"),
    (
        "ttl_refresh = true",
        "3: `ttl_refresh` says when a lifetime begins",
    ),
    (
        "ttl_refresh = 1",
        "3: `ttl_refresh` is a number; it takes true or false",
    ),
    (
        "priority = \"urgent\"",
        "3: `priority` cannot be \"urgent\"; it is one of critical",
    ),
    (
        "max_value_bytes = 0",
        "3: `max_value_bytes = 0` would refuse every write",
    ),
    (
        "history_commits = -1",
        "3: `history_commits` is a number; it takes a number of commits from 0",
    ),
    (
        "receipts = 0",
        "3: `receipts = 0` would tell nobody what was lost",
    ),
    (
        "receipts = -1",
        "3: `receipts` is a number; it takes a number of receipts from 0",
    ),
    (
        "history_age = \"long\"",
        "3: `history_age` cannot be \"long\"; it is a whole number and a unit",
    ),
    (
        "history_age = \"0s\"",
        "3: `history_age` of 0 would keep nothing",
    ),
    (
        "max_value_bytes = -1",
        "3: `max_value_bytes` is a number; it takes",
    ),
    (
        "max_value_bytes = \"64K\"",
        "3: `max_value_bytes` is text; it takes",
    ),
    (
        "max_value_bytes = 1.5",
        "3: `max_value_bytes` is a fraction; it takes",
    ),
    (
        "rul = \"lww\"",
        "3: a policy has no field \"rul\"; the fields are pattern, rule,",
    ),
    ("pattern = \"b*\"", "3: not TOML: duplicate key"),
    ("rule = lww", "3: not TOML: "),
    ("rule = \"lww", "3: not TOML: "),
    ("rule", "3: not TOML: "),
    ("\u{0}", "3: not TOML: "),
];

#[test]
fn each_flaw_has_its_line_and_says_what_to_do() {
    for (setting, expected) in FLAWED {
        let found = flaw(&with(setting));
        assert!(found.starts_with(expected), "{setting}: {found}");
    }
}

/// Bad input, row 3.
#[test]
fn what_is_no_table_of_policies_is_refused() {
    let cases = [
        (
            "[[policy]]\nrule = \"lww\"\n",
            "1: a policy needs the keys it is about",
        ),
        ("\n[[policy]]\npattern = \"\"\n", "3: the pattern is empty"),
        ("[policy]\npattern = \"a\"\n", "1: policies are an array"),
        ("\npolicy = 7\n", "2: policies are an array"),
        ("policy = [\n1]\n", "2: a policy is a table"),
        ("pattern = \"a\"\n", "1: \"pattern\" is in no policy"),
        (
            "[[polcy]]\npattern = \"a\"\n",
            "1: \"polcy\" is in no policy",
        ),
    ];
    for (text, expected) in cases {
        let found = flaw(text);
        assert!(found.starts_with(expected), "{text}: {found}");
    }
    let long = "#".repeat(TEXT_BYTES_MAX + 1);
    assert!(flaw(&long).contains("the limit is 1048576"));
    let deep = format!("policy = {}", "[".repeat(100_000));
    assert!(flaw(&deep).starts_with("1: not TOML"));
}

#[test]
fn two_policies_that_clash_name_both_lines() {
    let text = "[[policy]]\npattern = \"a*\"\n\n[[policy]]\nrule = \"lww\"\npattern = \"*b\"\n";
    let found = flaw(text);
    assert!(
        found.starts_with("6: *b and a* both match \"ab\""),
        "{found}"
    );
    assert!(found.ends_with("(the other is in line 2)"), "{found}");
    let twice = text.replace("*b", "a*");
    let found = flaw(&twice);
    assert!(
        found.starts_with("6: the pattern a* is there twice"),
        "{found}"
    );
    assert!(found.ends_with("(the other is in line 2)"), "{found}");
}

#[test]
fn all_flaws_are_found_at_once_in_the_order_of_their_lines() {
    let text = "[[policy]]\npattern = \"a*\"\nrule = \"x\"\nttl = \"y\"\n\n\
        [[policy]]\npattern = \"a*\"\nmerge = \"f\"\n\n[[polcy]]\n\n[[policy]]\n";
    let error = parse(text).unwrap_err();
    let lines: Vec<usize> = error.flaws.iter().map(|flaw| flaw.line).collect();
    assert_eq!(lines, [3, 4, 8, 10, 12], "{error}");
    let sentence = error.to_string();
    assert!(sentence.contains("; line 4: `ttl` cannot be"), "{sentence}");
    let many = "[[policy]]\npattern = \"a\"\n".repeat(600);
    let flaws = parse(&many).unwrap_err().flaws;
    assert!(flaws[0].reason.contains("more than 512"), "{:?}", flaws[0]);
    let many = "[[policy]]\npattern = \"a\"\n".repeat(100);
    assert_eq!(parse(&many).unwrap_err().flaws.len(), 20);
}

#[test]
fn a_hub_takes_only_functions_that_it_has() {
    let text = with("rule = \"custom\"\nmerge = \"longest\"");
    assert!(parse(&text).is_ok());
    let error = parse_for(&text, &Merges::default()).unwrap_err();
    assert_eq!(error.flaws[0].line, 4);
    assert!(
        error
            .to_string()
            .ends_with("not registered at the hub; registered are max, min, union"),
        "{error}"
    );
    let unused = merge_fn(|_, _| Err(String::new()));
    let merges = Merges::default().with("longest", unused);
    assert!(parse_for(&text, &merges).is_ok());
}

#[test]
fn long_text_is_not_repeated_whole() {
    let x = "x".repeat(10_000);
    for setting in [
        format!("rule = \"{x}\""),
        format!("{x} = 1"),
        format!("ttl = \"{x}\""),
    ] {
        let found = flaw(&with(&setting));
        assert!(
            found.contains('…') && !found.contains(&"x".repeat(61)),
            "{found}"
        );
    }
}
