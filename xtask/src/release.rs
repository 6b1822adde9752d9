//! A release: everything is made and checked in a copy of the repository, which then takes it over in one step.

mod archive;
mod changelog;
mod manifests;
mod order;
mod packages;
mod planted;
mod program;
mod publish;
mod report;
mod repository;
mod stage;
mod version;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use semver::Version;

use self::changelog::Released;
use self::manifests::Workspace;
use self::report::Report;
use self::repository::{Identity, Repository, tag_of};
use self::stage::Stage;
use self::version::Target;
use crate::{shell, tidy};

/// What to release, and how far to go.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The version, or which part of it goes up: without it the version of Cargo.toml, if that was never released.
    #[arg(value_name = "VERSION|major|minor|patch")]
    version: Option<Target>,
    /// Makes packages and archive for real and leaves the repository as it is.
    #[arg(long)]
    dry_run: bool,
    /// Does not run `cargo xtask ci` on the release.
    #[arg(long)]
    skip_checks: bool,
    /// The branch that releases are made from.
    #[arg(long, default_value = "main", value_name = "NAME")]
    branch: String,
    /// The registry that the crates are made for, as cargo's configuration calls it.
    #[arg(long, value_name = "NAME")]
    registry: Option<String>,
    /// Publishes the crates to that registry; without a version, those of the version of Cargo.toml if that is released
    /// already.
    #[arg(long, requires = "registry")]
    publish: bool,
    /// The workspace to release, in place of this one.
    #[arg(long, value_name = "DIRECTORY")]
    repository: Option<PathBuf>,
}

/// All that is known before anything is made.
#[derive(Debug)]
struct Plan {
    from: Version,
    version: String,
    /// The commit that is released, but for its versions and changelog.
    head: String,
    who: Identity,
    changelog: Released,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let root = options.repository.clone().unwrap_or_else(shell::root);
    let root = root
        .canonicalize()
        .with_context(|| format!("{}", root.display()))?;
    let repository = Repository::at(&root);
    let workspace = Workspace::read(&root)?;
    if let Some(registry) = &options.registry {
        publish::check(&workspace.names(), registry, None)?;
        let current = workspace.version.to_string();
        if options.publish && options.version.is_none() && repository.has_tag(&tag_of(&current)) {
            return publish_released(&repository, &workspace, registry, options.dry_run);
        }
    }
    let plan = plan(&repository, &workspace, options)?;
    report::begin(&plan, &workspace, options);
    let stage = Stage::open(&workspace.target)?;
    let (packaged, files) = make(&stage, &repository, &workspace, &plan, options).with_context(|| {
        format!(
            "{} is not released and your repository is as it was; the attempt is in {}; put right what is said here and \
             run it again",
            plan.version,
            stage.tree.display()
        )
    })?;
    let mut report = Report::new(&plan, &packaged, options, files);
    if options.dry_run {
        report.show_what_would_be();
        return Ok(());
    }
    let tag = tag_of(&plan.version);
    repository
        .land(&stage.tree, &tag, &plan.head)
        .with_context(|| {
            format!(
                "{} is made, and not released: your repository is as it was; run it again",
                plan.version
            )
        })?;
    report.files = keep(&stage, &workspace.target, &tag)?;
    report.remotes = repository.remotes()?;
    report.show_what_is();
    match &options.registry {
        Some(registry) if options.publish => finish(&stage, &packaged, &plan.version, registry),
        _ => Ok(()),
    }
}

/// Every reason to refuse that shows before anything is made.
fn plan(repository: &Repository, workspace: &Workspace, options: &Options) -> anyhow::Result<Plan> {
    repository.check_branch(&options.branch)?;
    let who = repository.identity()?;
    let is_released = repository.has_tag(&tag_of(&workspace.version.to_string()));
    let version =
        version::next(&workspace.version, is_released, options.version.as_ref())?.to_string();
    repository.check_no_tag(&tag_of(&version))?;
    repository.check_clean()?;
    workspace.check(&workspace.version)?;
    let path = workspace.root.join("CHANGELOG.md");
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    Ok(Plan {
        from: workspace.version.clone(),
        changelog: changelog::release(&text, &version, &changelog::date(who.now))?,
        head: repository.head()?,
        version,
        who,
    })
}

/// Makes the release in the stage: the commit with its tag, the packages, the checks, the archives.
fn make(
    stage: &Stage,
    repository: &Repository,
    workspace: &Workspace,
    plan: &Plan,
    options: &Options,
) -> anyhow::Result<(Workspace, Vec<PathBuf>)> {
    let copy = repository.copy(&plan.head, &stage.tree)?;
    edit(stage, workspace, plan)?;
    copy.commit_and_tag(&plan.who, &plan.version, &plan.changelog.notes)?;
    let packaged = prepare(stage, &copy, options.registry.as_deref())?;
    packages::make(stage, &packaged, &plan.version)?;
    match (options.dry_run, options.skip_checks) {
        (_, true) => report::skipped(),
        (true, false) => eprintln!("\n`cargo xtask ci` would run here, on the release"),
        (false, false) => shell::run(stage.cargo(&stage.tree, &["xtask", "ci"]))?,
    }
    let files = program::archives(stage, workspace, &plan.version)?;
    Ok((packaged, files))
}

/// Writes versions and changelog in the copy.
fn edit(stage: &Stage, workspace: &Workspace, plan: &Plan) -> anyhow::Result<()> {
    let manifest = stage.tree.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    let names = workspace.names();
    let text = manifests::with_version(&text, &names, &plan.from.to_string(), &plan.version);
    fs::write(&manifest, text)?;
    fs::write(stage.tree.join("CHANGELOG.md"), &plan.changelog.text)?;
    shell::run(stage.cargo(&stage.tree, &["update", "--workspace", "--quiet"]))?;
    let edited = Workspace::read(&stage.tree)?;
    edited.check(&Version::parse(&plan.version)?)
}

/// A second copy with the edits that packages need, which no commit has.
fn prepare(stage: &Stage, copy: &Repository, registry: Option<&str>) -> anyhow::Result<Workspace> {
    let tree = stage.packages.to_string_lossy();
    copy.ask(&["worktree", "add", "--quiet", "--detach", &tree, "HEAD"])?;
    // Of what is released, which need not be what is checked out here.
    let released = Workspace::read(&stage.tree)?;
    let packaged = packages::set_registry(&stage.packages, &released.names(), registry)?;
    if let Some(name) = registry {
        publish::check(&packaged.names(), name, packaged.index())?;
    }
    Ok(packaged)
}

/// Moves the archives to where they stay.
fn keep(stage: &Stage, target: &Path, tag: &str) -> anyhow::Result<Vec<PathBuf>> {
    let place = target.join("dist").join(tag);
    let at = || {
        format!(
            "{tag} is tagged, and its archives are still in {}",
            stage.dist.display()
        )
    };
    if place.exists() {
        fs::remove_dir_all(&place).with_context(at)?;
    }
    fs::create_dir_all(target.join("dist")).with_context(at)?;
    fs::rename(&stage.dist, &place).with_context(at)?;
    let entries = fs::read_dir(&place)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = entries.collect::<anyhow::Result<_>>()?;
    files.sort();
    Ok(files)
}

/// Publishes what was released before, from its tag.
fn publish_released(
    repository: &Repository,
    workspace: &Workspace,
    registry: &str,
    is_dry_run: bool,
) -> anyhow::Result<()> {
    let version = workspace.version.to_string();
    let tag = tag_of(&version);
    let stage = Stage::open(&workspace.target)?;
    let copy = repository.copy(&tag, &stage.tree)?;
    let packaged = prepare(&stage, &copy, Some(registry))?;
    packages::make_quickly(&stage, &packaged, &version)?;
    if is_dry_run {
        let names = packaged.names().join(", ");
        eprintln!("\nwould publish {tag} to {registry}, in this order: {names}");
        return Ok(());
    }
    finish(&stage, &packaged, &version, registry)
}

fn finish(
    stage: &Stage,
    packaged: &Workspace,
    version: &str,
    registry: &str,
) -> anyhow::Result<()> {
    publish::publish(stage, packaged, registry).with_context(|| {
        format!(
            "{version} is released, and not all of it published; once that is put right, go on with `cargo xtask release \
             --publish --registry {registry}`"
        )
    })?;
    eprintln!("\n{version} is published to {registry}");
    Ok(())
}

/// Whether the crates of this workspace can be packaged as they stand, committed or not.
pub(crate) fn check_packages(root: &Path) -> anyhow::Result<()> {
    let workspace = Workspace::read(root)?;
    workspace.check(&workspace.version)?;
    let stage = Stage::open(&workspace.target)?;
    for file in tidy::tracked(root)? {
        let to = stage.packages.join(&file);
        let Some(folder) = to.parent() else {
            bail!("{} lies in no folder", to.display());
        };
        fs::create_dir_all(folder)?;
        fs::copy(root.join(&file), &to).with_context(|| format!("{}", file.display()))?;
    }
    let packaged = packages::set_registry(&stage.packages, &workspace.names(), None)?;
    packages::make_quickly(&stage, &packaged, &workspace.version.to_string())
}
