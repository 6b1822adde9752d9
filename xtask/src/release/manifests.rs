//! The manifests: which crates are released, in which order, and their versions in step.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use semver::Version;
use serde_json::Value;

use super::{order, planted};
use crate::shell::{cargo, output};

/// What is released of a workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) version: Version,
    /// Each after those that it depends on.
    pub(crate) packages: Vec<Package>,
}

/// A crate that is released.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) programs: Vec<String>,
    dependencies: Vec<Dependency>,
    /// Fields that a registry or a reader asks for and that are absent.
    lacks: Vec<&'static str>,
    /// How it could bring the bugs that are planted on purpose.
    plants: Option<String>,
}

/// A dependency of a crate that is released on another.
#[derive(Debug)]
struct Dependency {
    name: String,
    requirement: String,
    registry: Option<String>,
}

impl Workspace {
    /// Released are the members that take the version of the workspace; the others are its own tools.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let manifest = root.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest)
            .with_context(|| format!("{}", manifest.display()))?;
        let version = field(&text, "[workspace.package]", "version").context(
            "Cargo.toml: [workspace.package] has no line `version = \"…\"`, which all crates share",
        )?;
        let version = Version::parse(version)
            .with_context(|| format!("Cargo.toml: the version `{version}` is none"))?;
        let words = ["metadata", "--no-deps", "--format-version", "1"];
        let metadata: Value = serde_json::from_str(&output(cargo(root, &words))?)?;
        let members = metadata["packages"]
            .as_array()
            .context("cargo metadata lists packages")?;
        let mut released = Vec::new();
        for member in members {
            let manifest = member["manifest_path"].as_str().unwrap_or_default();
            let text = std::fs::read_to_string(manifest).with_context(|| manifest.to_owned())?;
            if text
                .lines()
                .any(|line| line.trim_end() == "version.workspace = true")
            {
                released.push(member);
            }
        }
        ensure!(
            !released.is_empty(),
            "no crate has `version.workspace = true`, so none is released"
        );
        let names: Vec<&str> = released.iter().filter_map(|p| p["name"].as_str()).collect();
        let packages: Vec<Package> = released.iter().map(|p| package(p, &names)).collect();
        let target = metadata["target_directory"]
            .as_str()
            .context("cargo metadata names a target")?;
        Ok(Self {
            root: root.to_owned(),
            target: target.into(),
            version,
            packages: in_order(packages)?,
        })
    }

    /// Whether every crate is at `version`, asks for the others at it, and has what a registry wants of it.
    pub(crate) fn check(&self, version: &Version) -> anyhow::Result<()> {
        ensure!(
            self.version == *version,
            "Cargo.toml says {}, not {version}",
            self.version
        );
        let in_step = format!("^{version}");
        for package in &self.packages {
            let name = &package.name;
            for dependency in &package.dependencies {
                ensure!(
                    dependency.requirement == in_step,
                    "{name} asks for {} in version `{}`, which is not in step: give it a line such as `{} = {{ path = \
                     \"…\", version = \"{}\" }}` in [workspace.dependencies] of Cargo.toml",
                    dependency.name,
                    dependency.requirement,
                    dependency.name,
                    self.version
                );
            }
            ensure!(
                package.lacks.is_empty(),
                "the manifest of {name} lacks {}",
                package.lacks.join(" and ")
            );
            let plants = package.plants.as_deref();
            ensure!(
                plants.is_none(),
                "{name} would ship the bugs that are planted on purpose: {}",
                plants.unwrap_or_default()
            );
        }
        Ok(())
    }

    /// The index of the registry that crates look for each other in; none is the public one.
    pub(crate) fn index(&self) -> Option<&str> {
        let mut dependencies = self
            .packages
            .iter()
            .flat_map(|package| &package.dependencies);
        dependencies.find_map(|dependency| dependency.registry.as_deref())
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.packages.iter().map(|package| &*package.name).collect()
    }
}

fn package(member: &Value, released: &[&str]) -> Package {
    let name = member["name"].as_str().unwrap_or_default();
    let dependencies = member["dependencies"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dependencies = dependencies.filter(|dependency| {
        // A crate leaves a test's dependency without a version at home.
        let is_left = dependency["kind"] == "dev" && dependency["req"] == "*";
        let used = dependency["name"].as_str().unwrap_or_default();
        !is_left && used != name && released.contains(&used)
    });
    let dependencies = dependencies.map(|dependency| Dependency {
        name: text(&dependency["name"]),
        requirement: text(&dependency["req"]),
        registry: dependency["registry"].as_str().map(str::to_owned),
    });
    let targets = member["targets"].as_array().into_iter().flatten();
    let is_program = |target: &&Value| {
        target["kind"]
            .as_array()
            .is_some_and(|kinds| kinds.contains(&"bin".into()))
    };
    let wanted = ["description", "license", "readme"];
    Package {
        name: name.to_owned(),
        programs: targets
            .filter(is_program)
            .map(|target| text(&target["name"]))
            .collect(),
        dependencies: dependencies.collect(),
        plants: planted::flaw(member),
        lacks: wanted
            .into_iter()
            .filter(|field| member[*field].is_null())
            .collect(),
    }
}

fn in_order(mut packages: Vec<Package>) -> anyhow::Result<Vec<Package>> {
    let edges: Vec<(&str, Vec<&str>)> = packages
        .iter()
        .map(|p| (&*p.name, p.dependencies.iter().map(|d| &*d.name).collect()))
        .collect();
    let order = match order::order(&edges) {
        Ok(order) => order.into_iter().map(str::to_owned).collect::<Vec<_>>(),
        Err(cycle) => bail!(
            "these crates need each other, so none can be published first: {}; a dependency of tests needs no version",
            cycle.join(", ")
        ),
    };
    packages.sort_by_key(|package| order.iter().position(|name| *name == package.name));
    Ok(packages)
}

/// The root manifest with `to` as the version of the crates `names` and of what they ask of each other.
pub(crate) fn with_version(text: &str, names: &[&str], from: &str, to: &str) -> String {
    let (from, to) = (
        format!("version = \"{from}\""),
        format!("version = \"{to}\""),
    );
    edited(text, |section, line| match section {
        "[workspace.package]" if line == from => to.clone(),
        "[workspace.dependencies]" if is_of(line, names) => line.replace(&from, &to),
        _ => line.to_owned(),
    })
}

/// The root manifest as it is packaged: for the registry of that name and no other, and if there is none yet,
/// for any; crates look for each other where they are published.
pub(crate) fn for_registry(text: &str, names: &[&str], registry: Option<&str>) -> String {
    edited(text, |section, line| match (section, registry) {
        ("[workspace.package]", Some(name)) if line.starts_with("publish = ") => {
            format!("publish = [\"{name}\"]")
        }
        ("[workspace.package]", None) if line.starts_with("publish = ") => {
            "publish = true".to_owned()
        }
        ("[workspace.dependencies]", Some(name)) if is_of(line, names) => {
            line.replacen("{ ", &format!("{{ registry = \"{name}\", "), 1)
        }
        _ => line.to_owned(),
    })
}

/// Whether the line declares one of these crates.
fn is_of(line: &str, names: &[&str]) -> bool {
    let declared = line.split_once(" = {").map(|(name, _)| name);
    declared.is_some_and(|name| names.contains(&name))
}

/// The text with each line changed that `edit` changes, given the section that it stands in.
fn edited(text: &str, edit: impl Fn(&str, &str) -> String) -> String {
    let mut section = "";
    let mut changed = String::with_capacity(text.len());
    for line in text.lines() {
        if line.starts_with('[') {
            section = line.trim_end();
        }
        changed.push_str(&edit(section, line));
        changed.push('\n');
    }
    changed
}

fn field<'t>(text: &'t str, section: &str, name: &str) -> Option<&'t str> {
    let lines = text
        .lines()
        .skip_while(|line| line.trim_end() != section)
        .skip(1);
    let mut lines = lines.take_while(|line| !line.starts_with('['));
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""))?;
    value.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"[workspace.package]
version = "0.1.0"
rust-version = "1.95"
publish = false

[workspace.dependencies]
alpha = { path = "alpha", version = "0.1.0" }
beta = { path = "beta", version = "0.1.0", default-features = false }
alphabet = { version = "0.1.0" }
gamma = "0.1.0"

[profile.dev]
version = "0.1.0"
"#;

    #[test]
    fn only_what_is_released_changes_its_version() {
        let changed = with_version(MANIFEST, &["alpha", "beta"], "0.1.0", "0.2.0");
        let expected = MANIFEST
            .replacen("version = \"0.1.0\"", "version = \"0.2.0\"", 1)
            .replace(
                "path = \"alpha\", version = \"0.1.0\"",
                "path = \"alpha\", version = \"0.2.0\"",
            )
            .replace(
                "path = \"beta\", version = \"0.1.0\"",
                "path = \"beta\", version = \"0.2.0\"",
            );
        assert_eq!(changed, expected);
    }

    #[test]
    fn what_is_packaged_is_for_one_registry_or_for_none_in_particular() {
        let names = ["alpha", "beta"];
        let any = for_registry(MANIFEST, &names, None);
        assert_eq!(any, MANIFEST.replace("publish = false", "publish = true"));
        let one = for_registry(MANIFEST, &names, Some("team"));
        for line in [
            "publish = [\"team\"]",
            "alpha = { registry = \"team\", path = \"alpha\", version = \"0.1.0\" }",
            "alphabet = { version = \"0.1.0\" }",
        ] {
            assert!(one.lines().any(|found| found == line), "{line} in {one}");
        }
    }

    #[test]
    fn a_field_is_read_from_its_section_alone() {
        for (section, name, found) in [
            ("[workspace.package]", "version", Some("0.1.0")),
            ("[workspace.package]", "rust-version", Some("1.95")),
            ("[workspace.package]", "edition", None),
            ("[workspace.dependencies]", "version", None),
            ("[package]", "version", None),
        ] {
            assert_eq!(field(MANIFEST, section, name), found, "{section} {name}");
        }
    }
}
