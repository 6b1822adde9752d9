//! The hub's list of tokens, as hashes: `SWARM/AGENT = SHA-256 of the token`, a line each.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::proof::{EXPORT_BYTES, Proof};
use super::token::{TOKEN_BYTES, assignment, is_blank};
use super::{Principal, TlsError, read_private};

/// Lines that are wrong and told of at a time: a file of something else has many.
const FLAWS_MAX: usize = 20;

/// Who may prove itself by a token. Its debug format shows the names, and no hash.
#[derive(Clone, Default)]
pub struct Tokens {
    hashes: BTreeMap<Principal, Vec<[u8; TOKEN_BYTES]>>,
}

impl Tokens {
    /// Reads a file that is its owner's alone. A name may have several tokens, so that an agent can be
    /// given a new one before the old one is taken away.
    ///
    /// # Errors
    ///
    /// [`TlsError::Lines`] names every line that is wrong; [`TlsError::Exposed`] if others can read it.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let text = read_private(path)?;
        Self::parse(&text).map_err(|flaws| TlsError::Lines {
            lines: flaws
                .into_iter()
                .map(|(line, reason)| format!("{}:{line}: {reason}", path.display()))
                .collect(),
        })
    }

    fn parse(text: &str) -> Result<Self, Vec<(usize, String)>> {
        let mut tokens = Self::default();
        let mut flaws = Vec::new();
        for (line, number) in text.lines().zip(1..).filter(|(line, _)| !is_blank(line)) {
            match assignment(line) {
                Ok((principal, hash)) => tokens.hashes.entry(principal).or_default().push(hash),
                Err(_) if flaws.len() >= FLAWS_MAX => break,
                Err(reason) => flaws.push((number, reason)),
            }
        }
        if flaws.is_empty() {
            Ok(tokens)
        } else {
            Err(flaws)
        }
    }

    /// How many names have one.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether nobody has one.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether `proof` was made on the connection of `export` by `principal`.
    pub(super) fn accept(
        &self,
        principal: &Principal,
        proof: &Proof,
        export: &[u8; EXPORT_BYTES],
    ) -> bool {
        // A name without a token costs as much time as one with a wrong token.
        let nobody = [[0; TOKEN_BYTES]];
        let known = self.hashes.get(principal);
        let name = principal.to_string();
        let hashes = known.map_or(&nobody[..], Vec::as_slice);
        let mut found = false;
        for hash in hashes {
            found |= proof.matches(hash, &name, export);
        }
        found && known.is_some()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.hashes.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Token;

    #[test]
    fn every_wrong_line_is_named_and_none_counts() {
        let good = Token::random("team/a".parse().unwrap()).unwrap().hub_line();
        let text = format!("# tokens\n\n{good}team/b = 12\n{good}nonsense\n");
        let flaws = Tokens::parse(&text).unwrap_err();
        let lines: Vec<_> = flaws.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [4, 6], "{flaws:?}");
        assert_eq!(Tokens::parse(&good).unwrap().len(), 1);
        assert!(Tokens::parse("# none yet\n").unwrap().is_empty());
    }

    #[test]
    fn of_two_tokens_of_a_name_both_count_until_one_is_taken_away() {
        let principal: Principal = "team/a".parse().unwrap();
        let old = Token::random(principal.clone()).unwrap();
        let new = Token::random(principal.clone()).unwrap();
        let export = [7; EXPORT_BYTES];
        let both = Tokens::parse(&[old.hub_line(), new.hub_line()].concat()).unwrap();
        for token in [&old, &new] {
            assert!(both.accept(&principal, &Proof::of(token, &export), &export));
        }
        let one = Tokens::parse(&new.hub_line()).unwrap();
        assert!(!one.accept(&principal, &Proof::of(&old, &export), &export));
        let stranger: Principal = "team/b".parse().unwrap();
        assert!(!one.accept(&stranger, &Proof::of(&new, &export), &export));
    }
}
