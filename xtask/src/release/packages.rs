//! The packages: made of the release commit, built from what they hold, and looked into.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, ensure};
use flate2::read::GzDecoder;

use super::manifests::{Workspace, for_registry};
use super::stage::Stage;
use crate::shell;

/// How each package is built by itself: with what it has by default, and with nothing more than it needs.
const BUILDS: [&[&str]; 2] = [&[], &["--no-default-features"]];

/// Sets the registry in the manifest of the tree to package, which cargo can read only if it knows the name.
pub(crate) fn set_registry(
    tree: &Path,
    names: &[&str],
    registry: Option<&str>,
) -> anyhow::Result<Workspace> {
    let manifest = tree.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, for_registry(&text, names, registry))?;
    Workspace::read(tree).with_context(|| match registry {
        Some(name) => format!(
            "packages cannot be made for the registry {name}; does cargo know it? It is named in [registries.{name}] of \
             ~/.cargo/config.toml, or by CARGO_REGISTRIES_{}_INDEX",
            name.to_uppercase().replace('-', "_")
        ),
        None => "packages cannot be made".to_owned(),
    })
}

/// Packages all crates of the tree, has cargo build each alone from its package, in the order of their
/// dependencies, and looks into them.
pub(crate) fn make(stage: &Stage, workspace: &Workspace, version: &str) -> anyhow::Result<()> {
    for build in BUILDS {
        run(stage, workspace, build)?;
    }
    check(stage, workspace, version)
}

/// The same without the builds, for a change that is not a release.
pub(crate) fn make_quickly(
    stage: &Stage,
    workspace: &Workspace,
    version: &str,
) -> anyhow::Result<()> {
    run(stage, workspace, &["--no-verify", "--quiet"])?;
    check(stage, workspace, version)
}

fn run(stage: &Stage, workspace: &Workspace, more: &[&str]) -> anyhow::Result<()> {
    // The edits that packages need are not committed.
    let mut words = vec!["package", "--allow-dirty"];
    for name in workspace.names() {
        words.extend(["--package", name]);
    }
    words.extend(more);
    shell::run(stage.cargo(&workspace.root, &words)).context(
        "the packages are not complete, or what they need could not be fetched; cargo says which and why above",
    )
}

/// Whether each package has the texts that must go with it.
fn check(stage: &Stage, workspace: &Workspace, version: &str) -> anyhow::Result<()> {
    let texts = texts(&workspace.root)?;
    for name in workspace.names() {
        let file = stage.package(name, version);
        let at = || format!("{}", file.display());
        let bytes = fs::read(&file).with_context(at)?;
        for (text, content) in &texts {
            let packed = read(&bytes, &format!("{name}-{version}/{text}")).with_context(at)?;
            ensure!(
                packed.as_ref() == Some(content),
                "the package of {name} has no {text}, or not that of the repository: link to it from the folder of the \
                 crate, or name it as `readme` in its manifest"
            );
        }
        eprintln!(
            "packaged {name} {version}: {} bytes, {}",
            bytes.len(),
            file.display()
        );
    }
    Ok(())
}

/// What a licence and a reader want to find in each package.
fn texts(root: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "README.md" || name.starts_with("LICENSE") {
            texts.push((name, fs::read(entry.path())?));
        }
    }
    texts.sort();
    Ok(texts)
}

/// A file of a package.
fn read(package: &[u8], path: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(GzDecoder::new(package));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(path) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            return Ok(Some(content));
        }
    }
    Ok(None)
}
