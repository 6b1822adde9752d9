//! Running programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// `cargo` with these words, in `dir`.
pub(crate) fn cargo(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(dir).args(words);
    command
}

/// `git` on what is in `directory`. Within a hook, `GIT_DIR` and its like name the repository that was
/// committed to: it would be that one which changes. Who commits, when and with which settings stays.
pub(crate) fn git(directory: &Path, words: &[&str]) -> Command {
    const KEPT: [&str; 3] = ["GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_"];
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("GIT_") && !KEPT.iter().any(|kept| text.starts_with(kept)) {
            command.env_remove(&name);
        }
    }
    command.arg("-C").arg(directory).args(words);
    command
}

/// Runs to the end; an error names the command.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    eprintln!("\n$ {}", describe(&command));
    let status = command.status().with_context(|| describe(&command))?;
    ensure!(
        status.success(),
        "`{}` ended with {status}",
        describe(&command)
    );
    Ok(())
}

/// Runs to the end and returns what it printed.
pub(crate) fn output(mut command: Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| describe(&command))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{}` ended with {}: {stderr}",
        describe(&command),
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|w| w.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
