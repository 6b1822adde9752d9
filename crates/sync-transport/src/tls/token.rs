//! A secret that one agent shares with its hub, which keeps only its hash.

use std::fmt::{self, Write as _};
use std::path::Path;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use super::files::content;
use super::{Principal, TlsError, read_private};

/// Bytes of a token, and of its hash.
pub(super) const TOKEN_BYTES: usize = 32;

/// 256 random bits, and whose they are. Neither its debug format nor any message shows them.
#[derive(Clone)]
pub struct Token {
    principal: Principal,
    pub(super) secret: [u8; TOKEN_BYTES],
}

impl Token {
    /// A new one for `principal`.
    ///
    /// # Errors
    ///
    /// [`TlsError::Mismatch`] if the system gives no random numbers.
    pub fn random(principal: Principal) -> Result<Self, TlsError> {
        let mut secret = [0; TOKEN_BYTES];
        let filled = SystemRandom::new().fill(&mut secret);
        filled.map_err(|_| TlsError::Mismatch {
            reason: "the system gives no random numbers: try again".into(),
        })?;
        Ok(Self { principal, secret })
    }

    /// Reads the file of an agent: one line `SWARM/AGENT = TOKEN`, readable by its owner alone.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let text = read_private(path)?;
        let mut lines = text.lines().filter(|line| !is_blank(line));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            let reason = "expected one line, SWARM/AGENT = TOKEN; `swarm-sync cert token` makes it";
            return Err(content(path, reason));
        };
        // The line itself is a secret, and is not quoted.
        let (principal, secret) = assignment(line).map_err(|reason| content(path, reason))?;
        Ok(Self { principal, secret })
    }

    /// Whose it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The line of the agent's file: it holds the secret.
    pub fn secret_line(&self) -> String {
        format!("{} = {}\n", self.principal, hex(&self.secret))
    }

    /// The line of the hub's file: it holds the hash, from which nobody gets the secret.
    pub fn hub_line(&self) -> String {
        format!("{} = {}\n", self.principal, hex(&hash(&self.secret)))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

pub(super) fn hash(secret: &[u8; TOKEN_BYTES]) -> [u8; TOKEN_BYTES] {
    let mut out = [0; TOKEN_BYTES];
    out.copy_from_slice(digest(&SHA256, secret).as_ref());
    out
}

/// Neither empty nor a comment.
pub(super) fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// Reads `SWARM/AGENT = 64 hexadecimal digits`. An error quotes nothing after the `=`.
pub(super) fn assignment(line: &str) -> Result<(Principal, [u8; TOKEN_BYTES]), String> {
    let shape = "expected SWARM/AGENT = 64 hexadecimal digits";
    let (name, digits) = line.split_once('=').ok_or(shape)?;
    let principal: Principal = name.trim().parse().map_err(|e| format!("{shape}: {e}"))?;
    let bytes = unhex(digits.trim()).ok_or_else(|| {
        format!("what follows {principal} = is not 64 hexadecimal digits; `swarm-sync cert token` makes them")
    })?;
    Ok((principal, bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(digits: &str) -> Option<[u8; TOKEN_BYTES]> {
    let pairs = digits.as_bytes().chunks_exact(2);
    if digits.len() != 2 * TOKEN_BYTES {
        return None;
    }
    let mut bytes = [0; TOKEN_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_files_share_the_name_and_not_the_secret() {
        let token = Token::random("team/agent-1".parse().unwrap()).unwrap();
        let (mine, hubs) = (token.secret_line(), token.hub_line());
        let (name, secret) = assignment(mine.trim()).unwrap();
        let (same, hashed) = assignment(hubs.trim()).unwrap();
        assert_eq!((&name, &same), (token.principal(), token.principal()));
        assert_eq!(hash(&secret), hashed);
        assert_ne!(secret, hashed);
        assert!(!format!("{token:?}").contains(&mine[15..]), "{token:?}");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let secret = "0123456789abcdef".repeat(4);
        for line in [
            secret.clone(),
            format!("team = {secret}"),
            format!("team/a = {secret}0"),
            format!("team/a = {}x", &secret[1..]),
            format!("team/a = é{}", &secret[2..]),
        ] {
            let reason = assignment(&line).unwrap_err();
            assert!(!reason.contains("789abcdef"), "{reason}");
        }
    }
}
