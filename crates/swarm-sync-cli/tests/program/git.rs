//! Repositories for tests, made by `git fast-import` without a working tree: any path of git's will do,
//! whatever the file system here thinks of it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where git is. Without it there is nothing to test: says so, once per test.
#[expect(clippy::print_stdout, reason = "to be seen in the output of the tests")]
pub(crate) fn git() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = format!("git{}", std::env::consts::EXE_SUFFIX);
    let mut found = std::env::split_paths(&path).map(|directory| directory.join(&name));
    let found = found.find(|program| program.is_file());
    if found.is_none() {
        println!("skipped: there is no git in PATH");
    }
    found
}

/// Runs git to its end, which must be a good one; returns what it printed.
pub(crate) fn run_git(directory: &Path, words: &[&str], stdin: &[u8]) -> String {
    let mut command = Command::new("git");
    // Within a hook, `GIT_DIR` and its like name the repository that was committed to: no test's.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"GIT_") {
            command.env_remove(name);
        }
    }
    let mut child = command
        .current_dir(directory)
        .args(words)
        // Nothing of the user's own configuration.
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git starts");
    let mut pipe = child.stdin.take().expect("piped");
    pipe.write_all(stdin).expect("git reads");
    drop(pipe);
    let output = child.wait_with_output().expect("git ends");
    assert!(output.status.success(), "git {words:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a commit does to a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act<'a> {
    /// A file with this mode and content; a symbolic link is one with mode 120000.
    File(&'a str, &'a str),
    /// A submodule at a commit of this one digit.
    Module(char),
    Delete,
}

/// A history in the making, on one branch and on others.
#[derive(Debug, Default)]
pub(crate) struct Story {
    stream: Vec<u8>,
    commits: usize,
}

impl Story {
    /// One more commit of `main`; returns its number.
    pub(crate) fn commit(&mut self, author: &str, acts: &[(&[u8], Act<'_>)]) -> usize {
        self.commit_on("main", author, &[], acts)
    }

    /// One more commit of `branch`, with these parents or, without any, on top of it.
    pub(crate) fn commit_on(
        &mut self,
        branch: &str,
        author: &str,
        parents: &[usize],
        acts: &[(&[u8], Act<'_>)],
    ) -> usize {
        self.commits += 1;
        let (number, time) = (self.commits, 1_700_000_000 + self.commits);
        let mut text = format!(
            "commit refs/heads/{branch}\nmark :{number}\n\
             committer {author} <{author}@example.org> {time} +0000\ndata 0\n"
        );
        for (index, parent) in parents.iter().enumerate() {
            let word = if index == 0 { "from" } else { "merge" };
            let _ = writeln!(text, "{word} :{parent}");
        }
        for (path, act) in acts {
            let path = quoted(path);
            let _ = match act {
                Act::File(mode, content) => {
                    let bytes = content.len();
                    writeln!(text, "M {mode} inline {path}\ndata {bytes}\n{content}")
                }
                Act::Module(digit) => {
                    let commit = digit.to_string().repeat(40);
                    writeln!(text, "M 160000 {commit} {path}")
                }
                Act::Delete => writeln!(text, "D {path}"),
            };
        }
        self.stream.extend_from_slice(text.as_bytes());
        number
    }

    /// Makes it a bare repository with `main` as its HEAD.
    pub(crate) fn import(&self, directory: &Path) {
        std::fs::create_dir(directory).expect("it is new");
        run_git(directory, &["init", "--quiet", "--bare"], b"");
        run_git(directory, &["symbolic-ref", "HEAD", "refs/heads/main"], b"");
        run_git(directory, &["fast-import", "--quiet"], &self.stream);
    }
}

/// A path as fast-import takes any.
fn quoted(path: &[u8]) -> String {
    let mut text = "\"".to_owned();
    for byte in path {
        let _ = write!(text, "\\{byte:03o}");
    }
    text + "\""
}
