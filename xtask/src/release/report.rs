//! What a release says: what it is about to do, what it did, what remains to be done by hand.

use std::path::PathBuf;

use super::manifests::Workspace;
use super::repository::tag_of;
use super::{Options, Plan, publish};

pub(super) fn begin(plan: &Plan, workspace: &Workspace, options: &Options) {
    let tried = if options.dry_run { " (a dry run)" } else { "" };
    eprintln!("releasing {} → {}{tried}", plan.from, plan.version);
    eprintln!(
        "crates, each after those it needs: {}",
        workspace.names().join(", ")
    );
    eprintln!("\n{}\n", plan.changelog.notes);
}

pub(super) fn skipped() {
    eprintln!(
        "\n!!! CHECKS ARE SKIPPED: nobody knows whether `cargo xtask ci` passes on this release !!!\n"
    );
}

/// How a release ended.
#[derive(Debug)]
pub(super) struct Report<'a> {
    plan: &'a Plan,
    options: &'a Options,
    names: Vec<&'a str>,
    pub(super) files: Vec<PathBuf>,
    pub(super) remotes: Vec<String>,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        packaged: &'a Workspace,
        options: &'a Options,
        files: Vec<PathBuf>,
    ) -> Self {
        Self {
            plan,
            options,
            names: packaged.names(),
            files,
            remotes: Vec::new(),
        }
    }

    pub(super) fn show_what_would_be(&self) {
        let (version, tag) = (&self.plan.version, tag_of(&self.plan.version));
        eprintln!("\ndry run: your repository is as it was.");
        self.show_files();
        eprintln!("a release would");
        if !self.options.skip_checks {
            eprintln!("- run `cargo xtask ci` on what is released");
        }
        eprintln!(
            "- move {} to a commit `Release {version}` with the tag {tag}",
            self.options.branch
        );
        match &self.options.registry {
            Some(registry) if self.options.publish => {
                eprintln!(
                    "- publish to {registry}, in this order: {}",
                    self.names.join(", ")
                );
            }
            _ => eprintln!("- publish nothing"),
        }
        self.show_taken();
    }

    pub(super) fn show_what_is(&self) {
        let (version, tag) = (&self.plan.version, tag_of(&self.plan.version));
        eprintln!(
            "\nreleased {version}: {} is at the commit `Release {version}`, tagged {tag}.",
            self.options.branch
        );
        if self.options.skip_checks {
            skipped();
        }
        self.show_files();
        eprintln!("what remains:");
        let remote = match &self.remotes[..] {
            [] => "REMOTE (none is set up)",
            [only] => only,
            _ => "REMOTE",
        };
        eprintln!("- git push --atomic {remote} {} {tag}", self.options.branch);
        eprintln!("- hand out the archives with their checksums");
        if !self.options.publish {
            let registry = self.options.registry.as_deref().unwrap_or("NAME");
            eprintln!(
                "- publish, in this order: {}; all at once: `cargo xtask release --publish --registry {registry}`",
                self.names.join(", ")
            );
        }
        self.show_taken();
    }

    fn show_files(&self) {
        for file in &self.files {
            eprintln!("  {}", file.display());
        }
    }

    fn show_taken(&self) {
        for name in publish::taken(&self.names) {
            eprintln!(
                "note: on the public registry the name {name} belongs to a crate of somebody else; these crates are \
                 published to a registry of your choice, and not there"
            );
        }
    }
}
