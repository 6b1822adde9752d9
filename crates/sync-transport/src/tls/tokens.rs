//! The hub's list of tokens, as hashes: `SWARM/AGENT = SHA-256 of the token`, a line each.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::proof::{EXPORT_BYTES, Proof};
use super::token::{TOKEN_BYTES, assignment, hash, is_blank};
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
    pub(super) fn judge(
        &self,
        principal: &Principal,
        proof: &Proof,
        export: &[u8; EXPORT_BYTES],
    ) -> Judged {
        // A name without a token costs as much time as one with a wrong token.
        let nobody = [[0; TOKEN_BYTES]];
        let known = self.hashes.get(principal);
        let name = principal.to_string();
        let hashes = known.map_or(&nobody[..], Vec::as_slice);
        let (mut found, mut bare) = (false, false);
        for listed in hashes {
            found |= proof.matches(listed, &name, export);
            bare |= proof.matches(&hash(listed), &name, export);
        }
        match known {
            Some(_) if found => Judged::Good,
            Some(_) if bare => Judged::Bare,
            _ => Judged::Wrong,
        }
    }
}

/// What a proof came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    Good,
    /// The list has the token itself where its hash should be: whoever reads the list could come in, so
    /// nobody does.
    Bare,
    Wrong,
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
            let proof = Proof::of(token, &export);
            assert_eq!(both.judge(&principal, &proof, &export), Judged::Good);
        }
        let one = Tokens::parse(&new.hub_line()).unwrap();
        let (old, new) = (Proof::of(&old, &export), Proof::of(&new, &export));
        assert_eq!(one.judge(&principal, &old, &export), Judged::Wrong);
        let stranger: Principal = "team/b".parse().unwrap();
        assert_eq!(one.judge(&stranger, &new, &export), Judged::Wrong);
    }

    #[test]
    fn a_list_with_the_token_itself_lets_nobody_in_and_is_found_out() {
        let token = Token::random("team/a".parse().unwrap()).unwrap();
        let export = [7; EXPORT_BYTES];
        let proof = Proof::of(&token, &export);
        let list = Tokens::parse(&token.secret_line()).unwrap();
        assert_eq!(list.judge(token.principal(), &proof, &export), Judged::Bare);
        let stranger: Principal = "team/b".parse().unwrap();
        assert_eq!(list.judge(&stranger, &proof, &export), Judged::Wrong);
    }
}
