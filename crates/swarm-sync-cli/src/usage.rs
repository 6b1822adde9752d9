//! What is said of a command line that is not valid.

use clap::error::{ContextKind, ContextValue, Error};
use clap::{CommandFactory, FromArgMatches};

use crate::cli::{Cli, doctor};
use crate::output::brief_text;
use crate::secret;

/// The command line. Ends the process if it is not valid, or with the help that it asks for.
pub(crate) fn parse() -> Cli {
    parsed().unwrap_or_else(|error| shortened(error).exit())
}

fn parsed() -> Result<Cli, Error> {
    let mut command = Cli::command();
    let given = command.try_get_matches_from_mut(std::env::args_os())?;
    doctor::refuse_unused(&mut command, &given)?;
    Cli::from_arg_matches(&given).map_err(|error| error.format(&mut command))
}

/// The same error without what is too long to repeat, would steer the terminal, or is a secret.
fn shortened(mut error: Error) -> Error {
    let shorter: Vec<(ContextKind, String)> = error
        .context()
        .filter_map(|(kind, value)| Some((kind, shorter(value)?)))
        .collect();
    if !shorter.is_empty() {
        // A tip repeats the argument once more.
        error.remove(ContextKind::Suggested);
    }
    for (kind, text) in shorter {
        error.insert(kind, ContextValue::String(text));
    }
    error
}

/// What to show instead, if anything.
fn shorter(value: &ContextValue) -> Option<String> {
    match value {
        // Only its file is to be named; whatever else it was given for, it is not repeated.
        ContextValue::String(text) if secret::is_one(text) => Some(secret::HIDDEN.to_owned()),
        ContextValue::String(text) => Some(brief_text(text)).filter(|brief| brief != text),
        _ => None,
    }
}
