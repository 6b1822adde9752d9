//! What a release refuses, each with the sentence that says what to do.

use std::fs;

use crate::fixture::Fixture;

#[test]
fn what_cannot_be_released_is_refused_before_anything_is_made() {
    let mut fixture = Fixture::new();
    for (words, why) in [
        (
            &["0.0.9"][..],
            "a release goes forward: 0.0.9 is before 0.1.0",
        ),
        (&["next"], "say major, minor, patch or a version such as"),
        (&["0.2.0+1"], "leave it away"),
        (&["--publish"], "--registry"),
        (&["--registry", "a b"], "is no name of a registry"),
        (
            &["--branch", "stable"],
            "releases are made from stable, and main is checked out",
        ),
    ] {
        fixture.refused(words, why);
    }

    fixture.write("alpha/src/new.rs", "");
    fixture.refused(&[], "?? alpha/src/new.rs");
    fs::remove_file(fixture.root().join("alpha/src/new.rs")).unwrap();
    fixture.replace("README.md", "A workspace", "Another");
    fixture.refused(&[], "the tree has changes that are not committed");
    fixture.git(&["checkout", "--quiet", "README.md"]);

    fixture.git(&["checkout", "--quiet", "-b", "side"]);
    fixture.refused(&[], "releases are made from main, and side is checked out");
    fixture.git(&["checkout", "--quiet", "main"]);

    let global = fixture.read("../home/gitconfig");
    fixture.write("../home/gitconfig", "");
    fixture.refused(&[], "git does not know who tags the release");
    fixture.write("../home/gitconfig", &global);

    fixture.git(&["tag", "v0.3.0"]);
    fixture.refused(&["0.3.0"], "the tag v0.3.0 exists");

    fixture.replace("CHANGELOG.md", "- **alpha**: all of it.\n", "");
    fixture.commit("Forget what is new");
    fixture.refused(&["minor"], "write down what is new in 0.2.0");

    fixture.set("GIT_CONFIG_GLOBAL", "/nowhere");
    fixture.refused(&["minor"], "git does not know who tags the release");
    assert!(
        !fixture.root().join("target").exists(),
        "something was made"
    );
}

#[test]
fn crates_out_of_step_are_refused() {
    let fixture = Fixture::new();
    fixture.replace(
        "beta/Cargo.toml",
        "alpha.workspace = true",
        "alpha = { path = \"../alpha\" }",
    );
    fixture.commit("Ask for any alpha");
    fixture.refused(
        &[],
        "beta asks for alpha in version `*`, which is not in step",
    );
    fixture.replace(
        "beta/Cargo.toml",
        "alpha = { path = \"../alpha\" }",
        "alpha.workspace = true",
    );
    fixture.replace("alpha/Cargo.toml", "description = \"The first\"\n", "");
    fixture.commit("Describe nothing");
    fixture.refused(&[], "the manifest of alpha lacks description");
}

#[test]
fn a_crate_that_does_not_build_by_itself_is_refused() {
    let fixture = Fixture::new();
    let text = fixture.read("alpha/src/lib.rs");
    let beside = "pub const NAME: &str = include_str!(\"../../README.md\");\n";
    fixture.write("alpha/src/lib.rs", beside);
    fixture.commit("Read what lies beside");
    let said = fixture.refused(&["patch"], "the packages are not complete");
    assert!(said.contains("couldn't read"), "{said}");

    let gated = "#[cfg(not(feature = \"whole\"))]\ncompile_error!(\"half of it is no crate\");\n";
    fixture.write("alpha/src/lib.rs", &format!("{gated}{text}"));
    fixture.replace(
        "alpha/Cargo.toml",
        "[package]",
        "[features]\ndefault = [\"whole\"]\nwhole = []\n\n[package]",
    );
    fixture.commit("Need a feature");
    fixture.refused(&["patch"], "half of it is no crate");
}

#[test]
fn a_package_without_its_licence_is_refused() {
    let fixture = Fixture::new();
    fixture.write("alpha/LICENSE", "Take another.\n");
    fixture.commit("Change a licence");
    fixture.refused(
        &["patch"],
        "the package of alpha has no LICENSE, or not that of the repository",
    );
}
