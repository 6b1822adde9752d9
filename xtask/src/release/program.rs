//! The program of a release: built from the release commit, packed with what its user reads, and tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::archive::{self, Member};
use super::manifests::Workspace;
use super::repository::Repository;
use super::stage::Stage;
use crate::shell::{self, output};

/// The shells for which a program may print completions, and what they call the file for a program `NAME`.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "NAME.bash"),
    ("zsh", "_NAME"),
    ("fish", "NAME.fish"),
];

/// Builds every program of the released crates and writes an archive of each, with its checksum.
pub(crate) fn archives(
    stage: &Stage,
    workspace: &Workspace,
    version: &str,
) -> anyhow::Result<Vec<PathBuf>> {
    let copy = Repository::at(&stage.tree);
    let (seconds, system) = (copy.committed_at()?, system(stage)?);
    let mut written = Vec::new();
    for package in &workspace.packages {
        for program in &package.programs {
            let words = [
                "build",
                "--release",
                "--locked",
                "--package",
                &package.name,
                "--bin",
                program,
            ];
            shell::run(stage.cargo(&stage.tree, &words))?;
            let name = format!("{program}-{version}-{system}");
            let members = members(stage, &copy, program, version)?;
            let bytes = archive::pack(&name, members, seconds)?;
            let files = archive::write(&stage.dist, &name, &bytes)?;
            eprintln!(
                "packed {name}: {} bytes, SHA-256 {}",
                bytes.len(),
                archive::sha256(&bytes)
            );
            written.extend(files);
        }
    }
    Ok(written)
}

fn members(
    stage: &Stage,
    copy: &Repository,
    program: &str,
    version: &str,
) -> anyhow::Result<Vec<Member>> {
    let path = stage.program(program);
    let said = output(run(&path, &["--version"]))?;
    ensure!(
        said.split_whitespace().any(|word| word == version),
        "`{program} --version` says `{}`, which is not {version}",
        said.trim()
    );
    let mut members = completions(&path, program)?;
    members.push(Member {
        path: format!("{program}{}", std::env::consts::EXE_SUFFIX),
        content: fs::read(&path)?,
        is_program: true,
    });
    for file in copy.files()?.into_iter().filter(|file| is_read(file)) {
        members.push(Member {
            content: fs::read(stage.tree.join(&file)).with_context(|| file.clone())?,
            path: file,
            is_program: false,
        });
    }
    Ok(members)
}

/// What a user of the program reads, of all files of the repository.
fn is_read(file: &str) -> bool {
    let is_at_root = !file.contains('/');
    let is_named = ["README", "LICENSE", "CHANGELOG"]
        .iter()
        .any(|name| file.starts_with(name));
    (is_at_root && is_named) || file.starts_with("docs/") || file.starts_with("man/")
}

/// What the program prints for shells, if it has a command for it.
fn completions(path: &Path, program: &str) -> anyhow::Result<Vec<Member>> {
    let help = output(run(path, &["--help"]))?;
    let has_command = help
        .lines()
        .any(|line| line.trim_start().starts_with("completions "));
    if !has_command {
        return Ok(Vec::new());
    }
    let member = |(shell, file): (&str, &str)| {
        let content = output(run(path, &["completions", shell]))?.into_bytes();
        ensure!(
            !content.is_empty(),
            "`{program} completions {shell}` prints nothing"
        );
        Ok(Member {
            path: format!("completions/{}", file.replace("NAME", program)),
            content,
            is_program: false,
        })
    };
    SHELLS.into_iter().map(member).collect()
}

/// The system that the compiler builds for, as it calls it.
fn system(stage: &Stage) -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.current_dir(&stage.tree).arg("-vV");
    let said = output(command)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names a host")?.to_owned())
}

fn run(path: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(path);
    command.args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_what_is_read_and_not_what_is_compiled() {
        for (file, expected) in [
            ("README.md", true),
            ("LICENSE-MIT", true),
            ("CHANGELOG.md", true),
            ("docs/decisions/0001.md", true),
            ("docs/swarm-sync.service", true),
            ("man/swarm-sync.1", true),
            ("crates/a/LICENSE-MIT", false),
            ("crates/a/docs/x.md", false),
            ("Cargo.toml", false),
            (".gitignore", false),
        ] {
            assert_eq!(is_read(file), expected, "{file}");
        }
    }
}
