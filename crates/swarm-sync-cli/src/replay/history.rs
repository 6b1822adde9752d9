//! The commits of a repository, oldest first, one at a time.

use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use crate::exit::Failure;

use super::entry::Entry;
use super::git::{Repository, Running, broken};

/// Objects asked about before their answers are read: both fit the pipes, so nobody waits for ever.
const OBJECTS_AT_ONCE: usize = 128;

/// One commit against its first parent.
#[derive(Debug)]
pub(super) struct Commit {
    /// Name and address, as `.mailmap` has them.
    pub(super) author: Author,
    pub(super) changes: Vec<Change>,
}

/// Who made a commit. Bytes, as git does not promise more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Author {
    name: Vec<u8>,
    address: Vec<u8>,
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, address) = (&self.name, &self.address);
        let (name, address) = (
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(address),
        );
        write!(f, "{name} <{address}>")
    }
}

/// What a commit did to one path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: Vec<u8>,
    /// None if it was removed.
    pub(super) entry: Option<Entry>,
}

/// Reads commits from `git log` and the sizes of their blobs from `git cat-file`.
#[derive(Debug)]
pub(super) struct History {
    log: Running,
    /// The first word of a commit that was read to know where the one before ends.
    ahead: Option<Vec<u8>>,
    sizes: Sizes,
}

impl History {
    pub(super) fn open(repository: &Repository) -> Result<Self, Failure> {
        let words = [
            "log",
            "--first-parent",
            "--reverse",
            "--raw",
            "-z",
            "--no-renames",
            "--no-abbrev",
            "--root",
            "-m",
            // Whatever the user's configuration would have otherwise.
            "--no-relative",
            "--ignore-submodules=none",
            "--no-show-signature",
            "--no-color",
            "--encoding=UTF-8",
            "--format=%H%x00%aN%x00%aE",
            &repository.head,
            "--",
        ];
        Ok(Self {
            log: repository.start(&words)?,
            ahead: None,
            sizes: Sizes::open(repository)?,
        })
    }

    /// The next commit, none after HEAD.
    pub(super) async fn next(&mut self) -> Result<Option<Commit>, Failure> {
        let start = match self.ahead.take() {
            Some(id) => Some(id),
            None => self.log.next(0).await?,
        };
        if start.is_none() {
            return Ok(None);
        }
        let author = Author {
            name: self.word().await?,
            address: self.word().await?,
        };
        let mut changes = Vec::new();
        while let Some(token) = self.log.next(0).await? {
            match raw(&token) {
                Token::Nothing => {}
                Token::Change(entry) => {
                    let path = self.word().await?;
                    changes.push(Change { path, entry });
                }
                Token::Commit => {
                    self.ahead = Some(token);
                    break;
                }
                Token::Strange => return Err(self.log.failed().await),
            }
        }
        self.sizes.fill(&mut changes).await?;
        Ok(Some(Commit { author, changes }))
    }

    /// Whether what was read is all there is.
    pub(super) async fn finish(self) -> Result<(), Failure> {
        self.log.finish().await?;
        self.sizes.finish().await
    }

    async fn word(&mut self) -> Result<Vec<u8>, Failure> {
        match self.log.next(0).await? {
            Some(word) => Ok(word),
            None => Err(self.log.failed().await),
        }
    }
}

/// What may follow the head of a commit.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// Between commits, in some versions of git.
    Nothing,
    /// A change; its path follows. None if the path was removed.
    Change(Option<Entry>),
    Commit,
    Strange,
}

/// `:100644 100644 OBJECT OBJECT M`, the first of a commit on a line of its own, or a commit's id.
fn raw(token: &[u8]) -> Token {
    let token = token.strip_prefix(b"\n").unwrap_or(token);
    let Ok(token) = str::from_utf8(token) else {
        return Token::Strange;
    };
    let Some(fields) = token.strip_prefix(':') else {
        let is_id = token.bytes().all(|b| b.is_ascii_hexdigit());
        return match (token.is_empty(), is_id) {
            (true, _) => Token::Nothing,
            (_, true) => Token::Commit,
            _ => Token::Strange,
        };
    };
    let fields: Vec<&str> = fields.split(' ').collect();
    match fields[..] {
        // Against more than one parent.
        [before, ..] if before.starts_with(':') => Token::Strange,
        [_, _, _, _, "D"] => Token::Change(None),
        [_, mode, _, object, _] => Token::Change(Some(Entry {
            mode: mode.to_owned(),
            object: object.to_owned(),
            size: None,
        })),
        _ => Token::Strange,
    }
}

/// The sizes of blobs, from a git that is asked again and again.
#[derive(Debug)]
struct Sizes {
    git: Running,
    questions: Option<ChildStdin>,
}

impl Sizes {
    fn open(repository: &Repository) -> Result<Self, Failure> {
        let mut git = repository.start(&["cat-file", "--batch-check=%(objectsize)"])?;
        let questions = git.take_stdin();
        Ok(Self { git, questions })
    }

    async fn fill(&mut self, changes: &mut [Change]) -> Result<(), Failure> {
        let entries = changes.iter_mut().filter_map(|c| c.entry.as_mut());
        // A submodule's commit is in another repository.
        let mut entries: Vec<_> = entries.filter(|e| !e.is_submodule()).collect();
        for entries in entries.chunks_mut(OBJECTS_AT_ONCE) {
            let questions: String = entries.iter().map(|e| e.object.clone() + "\n").collect();
            if let Some(pipe) = &mut self.questions
                && pipe.write_all(questions.as_bytes()).await.is_err()
            {
                return Err(self.git.failed().await);
            }
            for entry in entries {
                let Some(answer) = self.git.next(b'\n').await? else {
                    return Err(self.git.failed().await);
                };
                let answer = String::from_utf8_lossy(&answer);
                let size = answer.parse().map_err(|_| broken("cat-file", &answer))?;
                entry.size = Some(size);
            }
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), Failure> {
        self.questions = None;
        self.git.finish().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_logs_is_told_apart() {
        let (zero, one) = ("0".repeat(40), "1".repeat(40));
        let entry = |mode: &str| Entry {
            mode: mode.to_owned(),
            object: one.clone(),
            size: None,
        };
        let cases = [
            (String::new(), Token::Nothing),
            ("\n".to_owned(), Token::Nothing),
            (one.clone(), Token::Commit),
            ("f".repeat(64), Token::Commit),
            (
                format!("\n:000000 100644 {zero} {one} A"),
                Token::Change(Some(entry("100644"))),
            ),
            (
                format!(":100644 120000 {zero} {one} T"),
                Token::Change(Some(entry("120000"))),
            ),
            (
                format!(":100644 000000 {one} {zero} D"),
                Token::Change(None),
            ),
            (format!("::100644 100644 {zero} {one} M"), Token::Strange),
            ("warning: no".to_owned(), Token::Strange),
        ];
        for (token, expected) in cases {
            assert_eq!(raw(token.as_bytes()), expected, "{token:?}");
        }
        assert_eq!(raw(b"\xff"), Token::Strange);
    }
}
