//! What is not to be shown: a secret, where the name of its file was asked for.

use std::path::PathBuf;

/// Digits of a token.
const TOKEN_DIGITS: usize = 64;

/// Shown instead.
pub(crate) const HIDDEN: &str = "(not shown)";

/// Whether `text` is a token, the line of one, or a private key. A path may hold as many digits among other
/// things.
pub(crate) fn is_one(text: &str) -> bool {
    let last = text.rsplit('=').next().unwrap_or(text).trim();
    let is_token = last.len() == TOKEN_DIGITS && last.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_token || text.contains("PRIVATE KEY-----")
}

/// The name of a file that holds a secret.
pub(crate) fn file(path: PathBuf) -> Result<PathBuf, String> {
    if !is_one(&path.to_string_lossy()) {
        return Ok(path);
    }
    Err(
        "expected the name of a file; this is the secret itself, which everybody on this machine can \
         read among the processes: make a new one, and give the name of its file"
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
        ] {
            assert!(is_one(&secret), "{secret}");
            let told = file(secret.into()).unwrap_err();
            assert!(!told.contains("0123"), "{told}");
        }
        for name in [
            "team.agent-1.token",
            "/run/secrets/token=1",
            &token[1..],
            &format!("/volumes/{token}/team.agent-1.token"),
        ] {
            assert!(!is_one(name), "{name}");
        }
    }
}
