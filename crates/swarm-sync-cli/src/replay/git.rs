//! Runs git. It only reads, and it reads a repository that may be anybody's: nothing the repository's
//! configuration names is run or fetched from.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::exit::{Code, Failure};

/// Of what git says on stderr. More is not shown.
const WORDS_MAX: u64 = 4_096;

/// What would make git look at another repository than the one at the path; set within its hooks.
const ELSEWHERE: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// A repository as it was when it was opened: HEAD may move meanwhile.
#[derive(Debug)]
pub(super) struct Repository {
    path: PathBuf,
    /// Where git keeps it.
    pub(super) directory: String,
    /// The commit that is replayed up to.
    pub(super) head: String,
    /// Its history is cut off: the first commit there is counts as the root.
    pub(super) shallow: bool,
}

impl Repository {
    pub(super) async fn open(path: &Path) -> Result<Self, Failure> {
        check_place(path)?;
        let words = ["rev-parse", "--is-shallow-repository", "--absolute-git-dir"];
        let found = ask(path, &words).await?.map_err(|said| {
            let path = path.display();
            let message = format!(
                "{path} is no git repository that can be read ({said}): give the path of one, or \
                 make one there with `git init`"
            );
            failure("no-repository", message)
        })?;
        let (shallow, directory) = found.split_once('\n').unwrap_or_default();
        let words = ["rev-parse", "--verify", "HEAD^{commit}"];
        let head = ask(path, &words).await?.map_err(|said| {
            let path = path.display();
            let message = format!(
                "HEAD of the repository at {path} names no commit ({said}): commit something \
                 first, or check out a branch that has commits"
            );
            failure("no-commits", message)
        })?;
        Ok(Self {
            path: path.to_owned(),
            directory: directory.to_owned(),
            head,
            shallow: shallow == "true",
        })
    }

    /// How many commits there are to replay.
    pub(super) async fn commits(&self) -> Result<u64, Failure> {
        let words = ["rev-list", "--count", "--first-parent", &self.head];
        let counted = ask(&self.path, &words).await?;
        let counted = counted.map_err(|said| broken("rev-list", &said))?;
        counted
            .parse()
            .map_err(|_| broken("rev-list", &format!("it counts {counted:?}")))
    }

    /// Starts git in this repository.
    pub(super) fn start(&self, words: &[&str]) -> Result<Running, Failure> {
        Running::start(
            git(&self.path, words),
            words.first().copied().unwrap_or_default(),
        )
    }
}

/// A git that runs; it ends with this.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    said: JoinHandle<String>,
    what: String,
}

impl Running {
    fn start(mut command: Command, what: &str) -> Result<Self, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| not_started(&error))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(broken(what, "it has no output"));
        };
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            stdout: BufReader::new(stdout),
            said: tokio::spawn(words_of(stderr)),
            what: what.to_owned(),
        })
    }

    /// Its stdin; whoever takes it closes it.
    pub(super) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// What comes before the next `end`; none after the last.
    pub(super) async fn next(&mut self, end: u8) -> Result<Option<Vec<u8>>, Failure> {
        let mut token = Vec::new();
        self.stdout.read_until(end, &mut token).await?;
        match token.pop() {
            None => Ok(None),
            Some(last) if last == end => Ok(Some(token)),
            Some(_) => Err(self.failed().await),
        }
    }

    /// It has said all it had to say: whether that was all there is.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        self.stdin = None;
        let status = self.child.wait().await?;
        if status.success() {
            return Ok(());
        }
        let said = (&mut self.said).await.unwrap_or_default();
        Err(broken(&self.what, &said))
    }

    /// What it said is not what it was asked for.
    pub(super) async fn failed(&mut self) -> Failure {
        // It may still be waiting to be asked or heard.
        let _ = self.child.kill().await;
        let said = (&mut self.said).await.unwrap_or_default();
        broken(&self.what, &said)
    }
}

fn failure(kind: &'static str, message: String) -> Failure {
    Failure::new(Code::Failed, kind, message)
}

/// git began well and went wrong.
pub(super) fn broken(what: &str, said: &str) -> Failure {
    let said = match said {
        "" => "it ended too early".to_owned(),
        said => said.lines().collect::<Vec<_>>().join("; "),
    };
    // Some values are refused before another could take their place.
    let hint = if said.contains("config") {
        "mend that setting of git's"
    } else {
        "see what `git fsck` finds; of a partial clone, fetch the rest"
    };
    failure("git", format!("`git {what}` failed ({said}): {hint}"))
}

/// Says more plainly than git what is wrong with the path itself.
fn check_place(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let message = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => format!("{shown} is not a directory: give the directory of a git repository"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            format!("there is nothing at {shown}: give the path of a git repository")
        }
        Err(error) => format!("cannot look at {shown}: {error}"),
    };
    Err(failure("no-repository", message))
}

fn not_started(error: &std::io::Error) -> Failure {
    let message = match error.kind() {
        ErrorKind::NotFound => {
            "there is no program `git` in PATH, which reads the history: install it".to_owned()
        }
        _ => format!("cannot run git, which reads the history: {error}"),
    };
    failure("no-git", message)
}

fn git(path: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(["--no-pager", "--literal-pathspecs"]);
    for setting in [
        // Only reading: whose directory it is does not matter.
        "safe.directory=*",
        "safe.bareRepository=all",
        // With `-m --first-parent`: a merge is what it changed for its first parent.
        "log.diffMerges=separate",
        // Whatever the repository's own configuration says: a value that is wrong would end git.
        "log.date=default",
        "diff.orderFile=/dev/null",
    ] {
        command.args(["-c", setting]);
    }
    command.arg("-C").arg(path).args(words);
    for name in ELSEWHERE {
        command.env_remove(name);
    }
    command
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        // Two ways to say that what a partial clone lacks stays away; old versions know the second.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .kill_on_drop(true);
    command
}

/// Runs git to its end: what it printed, or what it said instead.
async fn ask(path: &Path, words: &[&str]) -> Result<Result<String, String>, Failure> {
    let mut command = git(path, words);
    let ended = command.stdin(Stdio::null()).output().await;
    let ended = ended.map_err(|error| not_started(&error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(if ended.status.success() {
        Ok(text(&ended.stdout))
    } else {
        Err(text(&ended.stderr))
    })
}

/// The beginning of what comes; the rest is read so that nobody waits.
async fn words_of(mut pipe: impl AsyncRead + Unpin) -> String {
    let mut said = Vec::new();
    let _ = (&mut pipe).take(WORDS_MAX).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).trim().to_owned()
}
