//! A small workspace in a repository of its own, and releases of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Every file of the workspace: a library, a program that uses it, and its tasks.
const FILES: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        r#"[workspace]
resolver = "3"
members = ["alpha", "beta", "xtask"]

[workspace.package]
version = "0.1.0"
edition = "2024"
license = "MIT"
readme = "README.md"
publish = false

[workspace.dependencies]
alpha = { path = "alpha", version = "0.1.0" }
"#,
    ),
    (
        "alpha/Cargo.toml",
        r#"[package]
name = "alpha"
description = "The first"
version.workspace = true
edition.workspace = true
license.workspace = true
readme.workspace = true
publish.workspace = true
"#,
    ),
    ("alpha/LICENSE", "Take it.\n"),
    ("alpha/src/lib.rs", "pub const NAME: &str = \"alpha\";\n"),
    (
        "beta/Cargo.toml",
        r#"[package]
name = "beta"
description = "The second"
version.workspace = true
edition.workspace = true
license.workspace = true
readme.workspace = true
publish.workspace = true

[dependencies]
alpha.workspace = true
"#,
    ),
    ("beta/LICENSE", "Take it.\n"),
    (
        "beta/src/main.rs",
        r#"fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("--version") => println!("beta {}", env!("CARGO_PKG_VERSION")),
        Some("--help") => println!("Commands:\n  completions  prints them"),
        Some("completions") => println!("complete {:?}", std::env::args().nth(2)),
        _ => println!("uses {}", alpha::NAME),
    }
}
"#,
    ),
    (
        "xtask/Cargo.toml",
        "[package]\nname = \"xtask\"\nversion = \"0.0.0\"\nedition.workspace = true\npublish = false\n",
    ),
    (
        "xtask/src/main.rs",
        r#"fn main() {
    println!("checking");
    if std::path::Path::new("slow").exists() {
        std::io::stdin().lines().for_each(drop);
    }
    assert!(!std::path::Path::new("red").exists(), "something is red");
}
"#,
    ),
    (
        ".cargo/config.toml",
        "[alias]\nxtask = \"run --quiet --package xtask --\"\n",
    ),
    (".gitignore", "/target\n"),
    ("LICENSE", "Take it.\n"),
    ("README.md", "# A workspace\n"),
    ("docs/guide.md", "# A guide\n"),
    (
        "CHANGELOG.md",
        "# Changelog\n\n## Unreleased\n\n### Added\n\n- **alpha**: all of it.\n",
    ),
];

#[derive(Debug)]
pub(crate) struct Fixture {
    directory: TempDir,
    environment: BTreeMap<String, String>,
}

impl Fixture {
    /// On `main`, committed, with nothing from the machine but its compiler.
    pub(crate) fn new() -> Self {
        let mut fixture = Self {
            directory: tempfile::tempdir().unwrap(),
            environment: BTreeMap::new(),
        };
        let home = fixture.directory.path().join("home");
        fs::create_dir_all(&home).unwrap();
        let identity = "[user]\n\tname = A Maintainer\n\temail = maintainer@example.org\n";
        fs::write(home.join("gitconfig"), identity).unwrap();
        for (name, value) in [
            (
                "GIT_CONFIG_GLOBAL",
                home.join("gitconfig").to_str().unwrap(),
            ),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            // The last second of a day in UTC, some hours before it where this is written.
            ("GIT_COMMITTER_DATE", "1767225599 -0500"),
            ("CARGO_HOME", home.join("cargo").to_str().unwrap()),
            ("CARGO_NET_OFFLINE", "true"),
        ] {
            fixture.set(name, value);
        }
        for (path, text) in FILES {
            fixture.write(path, text);
        }
        fixture.git(&["init", "--quiet", "--initial-branch", "main"]);
        let lock = fixture
            .command(env!("CARGO"))
            .arg("generate-lockfile")
            .output()
            .unwrap();
        assert!(lock.status.success(), "{lock:?}");
        fixture.commit("Begin");
        fixture
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.environment.remove(name);
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    pub(crate) fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{from} is not in {path}");
        self.write(path, &text.replace(from, to));
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    pub(crate) fn git(&self, words: &[&str]) -> String {
        let output = self.command("git").args(words).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// What a release may change only at its end: branch, tags, files.
    pub(crate) fn state(&self) -> String {
        let words = ["for-each-ref", "--format=%(refname) %(objectname)"];
        let status = ["status", "--porcelain", "--branch"];
        let stash = ["stash", "list"];
        [&words[..], &status, &stash, &["worktree", "list"]]
            .map(|words| self.git(words))
            .join("\n")
    }

    /// `xtask release` with these words, not yet begun.
    pub(crate) fn release_command(&self, words: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_xtask"));
        command
            .arg("release")
            .arg("--repository")
            .arg(self.root())
            .args(words);
        command
    }

    /// Whether it went well, and what it said.
    pub(crate) fn release(&self, words: &[&str]) -> (bool, String) {
        let output = self
            .release_command(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.success(), said(&output))
    }

    /// A release that must go well.
    pub(crate) fn released(&self, words: &[&str]) -> String {
        let (is_done, said) = self.release(words);
        assert!(is_done, "{words:?}: {said}");
        said
    }

    /// A release that must be refused for this reason and leave all as it was.
    pub(crate) fn refused(&self, words: &[&str], why: &str) -> String {
        let before = self.state();
        let (is_done, said) = self.release(words);
        assert!(
            !is_done && said.contains(why),
            "{words:?}: no `{why}` in: {said}"
        );
        assert_eq!(self.state(), before, "{words:?}: {said}");
        said
    }

    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GIT_") || text.starts_with("CARGO_") && text != "CARGO_BUILD_JOBS"
            {
                command.env_remove(&name);
            }
        }
        fs::create_dir_all(self.root()).unwrap();
        command.current_dir(self.root()).envs(&self.environment);
        command
    }
}

fn said(output: &Output) -> String {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{stdout}{stderr}")
}
