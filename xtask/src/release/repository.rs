//! The repository that is released from: what it must be like, and the one moment in which it changes.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::shell::{git, output};

/// Lines of `git status` that a refusal shows.
const LINES_SHOWN_MAX: usize = 10;

#[derive(Debug)]
pub(crate) struct Repository {
    root: PathBuf,
}

/// Who releases, and when.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) email: String,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

impl Repository {
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The commit that is checked out.
    pub(crate) fn head(&self) -> anyhow::Result<String> {
        self.ask(&["rev-parse", "--verify", "HEAD^{commit}"])
            .context("there is no commit to release")
    }

    /// Refuses a branch other than the one that releases are made from.
    pub(crate) fn check_branch(&self, branch: &str) -> anyhow::Result<()> {
        let current = self.ask(&["rev-parse", "--abbrev-ref", "HEAD"])?;
        ensure!(
            current == branch,
            "releases are made from {branch}, and {current} is checked out: `git switch {branch}`, or say \
             `--branch {current}`"
        );
        Ok(())
    }

    /// Refuses changes that are not committed: what is released is what others can look up.
    pub(crate) fn check_clean(&self) -> anyhow::Result<()> {
        let status = self.ask(&["status", "--porcelain", "--untracked-files=normal"])?;
        let lines: Vec<&str> = status.lines().take(LINES_SHOWN_MAX).collect();
        ensure!(
            lines.is_empty(),
            "the tree has changes that are not committed; commit or stash them:\n{}",
            lines.join("\n")
        );
        Ok(())
    }

    pub(crate) fn has_tag(&self, tag: &str) -> bool {
        let name = format!("refs/tags/{tag}");
        self.ask(&["rev-parse", "--verify", "--quiet", &name])
            .is_ok()
    }

    /// Refuses a tag that exists, and says whether an earlier run stopped between tagging and moving the branch.
    pub(crate) fn check_no_tag(&self, tag: &str) -> anyhow::Result<()> {
        if !self.has_tag(tag) {
            return Ok(());
        }
        let commit = format!("{tag}^{{commit}}");
        if self
            .ask(&["merge-base", "--is-ancestor", &commit, "HEAD"])
            .is_ok()
        {
            bail!("the tag {tag} exists: that version is released; ask for a later one");
        }
        bail!(
            "the tag {tag} exists on a commit that is not in this branch, as if a release had been interrupted at its \
             end: `git merge --ff-only {tag}` completes it, `git tag --delete {tag}` undoes it"
        )
    }

    /// Who commits here. Git would make a name up of the user's and the machine's; nobody is that.
    pub(crate) fn identity(&self) -> anyhow::Result<Identity> {
        let words = [
            "-c",
            "user.useConfigOnly=true",
            "var",
            "GIT_COMMITTER_IDENT",
        ];
        let line = self.ask(&words).context(
            "git does not know who tags the release: `git config user.name NAME` and `git config user.email ADDRESS`",
        )?;
        parse_identity(&line).with_context(|| format!("git says of who commits: `{line}`"))
    }

    pub(crate) fn remotes(&self) -> anyhow::Result<Vec<String>> {
        Ok(self.ask(&["remote"])?.lines().map(str::to_owned).collect())
    }

    /// A copy of the commit in `tree`, with nothing of what is not committed.
    pub(crate) fn copy(&self, commit: &str, tree: &Path) -> anyhow::Result<Self> {
        let (from, to) = (self.root.to_string_lossy(), tree.to_string_lossy());
        self.ask(&[
            "clone",
            "--quiet",
            "--no-checkout",
            "--no-hardlinks",
            &from,
            &to,
        ])?;
        let copy = Self::at(tree);
        copy.ask(&["checkout", "--quiet", "--detach", commit])?;
        Ok(copy)
    }

    /// Commits all changes of tracked files and tags them.
    pub(crate) fn commit_and_tag(
        &self,
        who: &Identity,
        version: &str,
        notes: &str,
    ) -> anyhow::Result<()> {
        self.ask(&["config", "user.name", &who.name])?;
        self.ask(&["config", "user.email", &who.email])?;
        let title = format!("Release {version}");
        self.ask(&["commit", "--quiet", "--all", "--message", &title])?;
        let message = format!("{title}\n\n{notes}\n");
        // Headings of the notes begin like the comments that git would take out.
        let words = [
            "tag",
            "--annotate",
            "--cleanup=whitespace",
            "--message",
            &message,
        ];
        self.ask(&[&words[..], &[&tag_of(version)]].concat())?;
        Ok(())
    }

    /// When the commit that is checked out was made, in seconds since 1970.
    pub(crate) fn committed_at(&self) -> anyhow::Result<u64> {
        let seconds = self.ask(&["show", "--no-patch", "--format=%ct", "HEAD"])?;
        seconds
            .parse()
            .with_context(|| format!("a commit was made at `{seconds}`"))
    }

    /// Files of the commit that is checked out.
    pub(crate) fn files(&self) -> anyhow::Result<Vec<String>> {
        Ok(self
            .ask(&["ls-files", "-z"])?
            .split_terminator('\0')
            .map(str::to_owned)
            .collect())
    }

    /// Takes the release over from the copy: the tag, and the branch that moves to it. All or nothing, but for an
    /// interruption between the two, which `check_no_tag` explains to the next run.
    pub(crate) fn land(&self, copy: &Path, tag: &str, head: &str) -> anyhow::Result<()> {
        self.check_clean()?;
        ensure!(
            self.head()? == head,
            "there are new commits since the release was begun; run it again, with them"
        );
        self.check_no_tag(tag)?;
        let reference = format!("refs/tags/{tag}:refs/tags/{tag}");
        self.ask(&[
            "fetch",
            "--quiet",
            "--no-tags",
            &copy.to_string_lossy(),
            &reference,
        ])?;
        if let Err(error) = self.ask(&[
            "merge",
            "--quiet",
            "--ff-only",
            &format!("{tag}^{{commit}}"),
        ]) {
            self.ask(&["tag", "--delete", tag])?;
            return Err(error.context("the branch did not move, and the tag was taken away again"));
        }
        Ok(())
    }

    pub(crate) fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        Ok(output(git(&self.root, words))?.trim_end().to_owned())
    }
}

pub(crate) fn tag_of(version: &str) -> String {
    format!("v{version}")
}

/// Reads `NAME <ADDRESS> SECONDS ZONE`.
fn parse_identity(line: &str) -> Option<Identity> {
    let (name, rest) = line.split_once(" <")?;
    let (email, when) = rest.rsplit_once("> ")?;
    let now = when.split(' ').next()?.parse().ok()?;
    Some(Identity {
        name: name.to_owned(),
        email: email.to_owned(),
        now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_commits_is_read_from_what_git_says() {
        let read = |line| parse_identity(line).map(|who| (who.name, who.email, who.now));
        for (line, expected) in [
            ("A B <a@b> 17 +0100", Some(("A B", "a@b", 17))),
            ("A <a@b>", None),
            ("A <a@b> soon +0000", None),
            ("", None),
        ] {
            let expected =
                expected.map(|(name, email, now)| (name.to_owned(), email.to_owned(), now));
            assert_eq!(read(line), expected, "{line}");
        }
    }
}
