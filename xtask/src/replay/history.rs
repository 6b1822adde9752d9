//! Histories for `git fast-import`, the same each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::memory::Size;

/// A history and what it amounts to.
#[derive(Debug)]
pub(super) struct History {
    pub(super) stream: String,
    pub(super) commits: u64,
    pub(super) size: Size,
}

/// Many agents that write to files of a few, and all to some.
pub(super) fn crowd() -> History {
    const COMMITS: u64 = 2_000;
    const AUTHORS: u64 = 500;
    let mut state = 7_u64;
    // Knuth's constants; the low bits of such a sequence repeat soon, so the high ones count.
    let mut below = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % limit
    };
    let mut scribe = Scribe::default();
    for commit in 0..COMMITS {
        // Everybody writes once, then whoever comes.
        let author = if commit < AUTHORS {
            commit
        } else {
            below(AUTHORS)
        };
        scribe.commit(author);
        for _ in 0..=below(3) {
            let path = if below(4) > 0 {
                format!("own/{}", author % 200)
            } else {
                format!("shared/{}", below(50))
            };
            if below(10) > 0 {
                scribe.file(&path, &format!("content {commit}"));
            } else {
                scribe.delete(&path);
            }
        }
    }
    scribe.finish()
}

/// Few agents, and more paths than most repositories have.
pub(super) fn wide() -> History {
    const COMMITS: u64 = 200;
    const AUTHORS: u64 = 4;
    const PATHS_PER_COMMIT: u64 = 100;
    let mut scribe = Scribe::default();
    for commit in 0..COMMITS {
        scribe.commit(commit % AUTHORS);
        for number in 0..PATHS_PER_COMMIT {
            let path = format!("wide/{commit}/file-{number}");
            scribe.file(&path, &format!("content {number}"));
        }
    }
    scribe.finish()
}

/// Writes a history down and keeps count.
#[derive(Debug, Default)]
struct Scribe {
    stream: String,
    commits: u64,
    author: u64,
    authors_of: BTreeMap<String, BTreeSet<u64>>,
}

impl Scribe {
    fn commit(&mut self, author: u64) {
        let time = 1_700_000_000 + self.commits;
        let _ = write!(
            self.stream,
            "commit refs/heads/main\n\
             committer author-{author} <author-{author}@example.org> {time} +0000\ndata 0\n"
        );
        self.author = author;
        self.commits += 1;
    }

    fn file(&mut self, path: &str, content: &str) {
        let bytes = content.len();
        let _ = write!(
            self.stream,
            "M 100644 inline {path}\ndata {bytes}\n{content}\n"
        );
        self.note(path);
    }

    fn delete(&mut self, path: &str) {
        let _ = writeln!(self.stream, "D {path}");
        self.note(path);
    }

    fn note(&mut self, path: &str) {
        let authors = self.authors_of.entry(path.to_owned()).or_default();
        authors.insert(self.author);
    }

    fn finish(self) -> History {
        let authors: BTreeSet<u64> = self.authors_of.values().flatten().copied().collect();
        let size = Size {
            agents: authors.len() as u64,
            keys: self.authors_of.len() as u64,
            ranges: self.authors_of.values().map(|a| a.len() as u64 - 1).sum(),
        };
        History {
            stream: self.stream,
            commits: self.commits,
            size,
        }
    }
}
