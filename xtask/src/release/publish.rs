//! Publishing, to the registry that was named and to no other.

use anyhow::{Context, bail, ensure};

use super::manifests::Workspace;
use super::stage::Stage;

/// Names of crates here that belong to others on the public registry.
const TAKEN: [&str; 1] = ["sync-resolve"];

/// What cargo calls the public registry, and how the addresses of its two indexes end.
const PUBLIC: &str = "crates-io";
const PUBLIC_INDEXES: [&str; 2] = ["index.crates.io/", "rust-lang/crates.io-index"];

/// Which of these names nobody here can publish on the public registry.
pub(crate) fn taken<'n>(names: &[&'n str]) -> Vec<&'n str> {
    names
        .iter()
        .copied()
        .filter(|name| TAKEN.contains(name))
        .collect()
}

/// Refuses the public registry, by its name or under another, while a name is taken there.
pub(crate) fn check(names: &[&str], registry: &str, index: Option<&str>) -> anyhow::Result<()> {
    let is_public = |index: &str| PUBLIC_INDEXES.iter().any(|known| index.ends_with(known));
    let taken = taken(names);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    ensure!(
        !registry.is_empty() && registry.chars().all(is_name),
        "`{registry}` is no name of a registry; it has letters, digits, `-` and `_`"
    );
    ensure!(
        taken.is_empty() || !(registry == PUBLIC || index.is_some_and(is_public)),
        "on the public registry the name {} belongs to a crate of somebody else, so these crates cannot be published \
         there; name a registry of your own, or rename the crate",
        taken.join(", ")
    );
    Ok(())
}

/// Publishes each crate after those it depends on. What is there already is passed over, so a run that stopped is
/// completed by running it again.
pub(crate) fn publish(stage: &Stage, workspace: &Workspace, registry: &str) -> anyhow::Result<()> {
    let names = workspace.names();
    for (done, name) in names.iter().enumerate() {
        // Each was built from its package already.
        let words = [
            "publish",
            "--no-verify",
            "--allow-dirty",
            "--registry",
            registry,
            "--package",
            name,
        ];
        eprintln!("\n$ cargo {}", words.join(" "));
        let mut command = stage.cargo(&workspace.root, &words);
        let output = command.output().context("cargo publish")?;
        let said = String::from_utf8_lossy(&output.stderr);
        match outcome(output.status.success(), &said) {
            Outcome::Published => eprintln!("published {name}"),
            Outcome::WasThere => {
                eprintln!("{name} was published in this version before: passed over");
            }
            Outcome::Failed => bail!(
                "{name} was not published to {registry}; published are: {}; not yet: {}; cargo says:\n{said}",
                listed(&names[..done]),
                listed(&names[done..])
            ),
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Published,
    WasThere,
    Failed,
}

/// What became of a crate, of which cargo says in words alone that a registry has it.
fn outcome(is_success: bool, said: &str) -> Outcome {
    let was_there = ["already exists on", "is already uploaded"];
    if is_success {
        Outcome::Published
    } else if was_there.iter().any(|words| said.contains(words)) {
        Outcome::WasThere
    } else {
        Outcome::Failed
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_registry_is_refused_under_any_name_while_a_name_is_taken_there() {
        let (ours, other) = (["sync-core", "sync-resolve"], ["alpha"]);
        for (names, registry, index, is_allowed) in [
            (
                &ours[..],
                "team",
                Some("sparse+https://team.example/"),
                true,
            ),
            (&ours[..], "crates-io", None, false),
            (
                &ours[..],
                "team",
                Some("sparse+https://index.crates.io/"),
                false,
            ),
            (
                &ours[..],
                "team",
                Some("registry+https://github.com/rust-lang/crates.io-index"),
                false,
            ),
            (&other[..], "crates-io", None, true),
            (&other[..], "no name", None, false),
            (&other[..], "\"]", None, false),
            (&other[..], "", None, false),
        ] {
            let said = check(names, registry, index);
            assert_eq!(said.is_ok(), is_allowed, "{registry} {index:?}: {said:?}");
        }
    }

    #[test]
    fn a_crate_that_is_there_is_no_failure() {
        for (is_success, said, expected) in [
            (true, "", Outcome::Published),
            (
                false,
                "error: crate a@0.1.0 already exists on registry `team`",
                Outcome::WasThere,
            ),
            (
                false,
                "the remote server responded: crate version `0.1.0` is already uploaded",
                Outcome::WasThere,
            ),
            (false, "error: no token found", Outcome::Failed),
        ] {
            assert_eq!(outcome(is_success, said), expected, "{said}");
        }
    }
}
