//! What is not to be shown: a secret, where the name of its file was asked for.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};

/// Digits in a row that make a secret: half a token, as a copy that was cut short opens nothing and yet tells
/// most of it. Fewer are in the names of files, such as the id of a commit in short.
const SECRET_DIGITS_MIN: usize = 32;

/// No token has more: what is longer is noise, and is cut short as such.
const SECRET_DIGITS_MAX: usize = 64;

/// Shown instead.
pub(crate) const HIDDEN: &str = "(not shown)";

/// Whether `text` is a token or a part of one, the line of one, or what a PEM file holds. The name of a file
/// may hold as many digits among other things.
pub(crate) fn is_one(text: &str) -> bool {
    let last = text.rsplit('=').next().unwrap_or(text).trim();
    let is_long = (SECRET_DIGITS_MIN..=SECRET_DIGITS_MAX).contains(&last.len());
    let is_hex = is_long && last.bytes().all(|b| b.is_ascii_hexdigit());
    // Decimal digits alone are a number: of so many random digits some are letters.
    let is_token = is_hex && last.bytes().any(|b| b.is_ascii_alphabetic());
    is_token || is_list(text) || text.contains("-----BEGIN")
}

/// Whether a line of several is that of a token: what `--tokens` names, or two files in one.
fn is_list(text: &str) -> bool {
    text.trim().contains('\n') && text.lines().any(is_one)
}

/// Reads the name of a file or a directory, whatever is in it: a secret is given by mistake for any of them,
/// and who cannot open it would repeat it.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(file)
}

/// The name of a file, unless it is a secret.
fn file(path: PathBuf) -> Result<PathBuf, String> {
    if !is_one(&path.to_string_lossy()) {
        return Ok(path);
    }
    Err(
        "expected the name of a file; this is the secret itself, which everybody on this machine can \
         read among the processes: make a new one, and give the name of its file; if it is a name after all, write ./ before it"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_from_the_name_of_a_file() {
        let token = "0123456789abcdef".repeat(4);
        for secret in [
            token.clone(),
            format!(" {token}\n"),
            format!("team/agent-1 = {token}"),
            format!("--token={token}"),
            "-----BEGIN PRIVATE KEY-----\nMIGH".to_owned(),
            "-----BEGIN".to_owned(),
            // Cut short, at either end, and among others.
            token[..32].to_owned(),
            format!("team/agent-1 = {}", &token[1..]),
            format!("team/agent-1 = {token}\nteam/agent-2 = 12"),
        ] {
            assert!(is_one(&secret), "{secret}");
            let told = file(secret.into()).unwrap_err();
            assert!(!told.contains("0123"), "{told}");
        }
        for name in [
            "team.agent-1.token",
            "/run/secrets/token=1",
            &token[..31],
            &"9".repeat(40),
            &token.repeat(2),
            &format!("{}.token", &token[..40]),
            &format!("/volumes/{token}/team.agent-1.token"),
        ] {
            assert!(!is_one(name), "{name}");
        }
    }
}
