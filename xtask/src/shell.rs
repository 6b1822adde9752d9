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
