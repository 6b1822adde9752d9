//! Whether two patterns have a key in common, and such a key.

/// What stands for a character that neither pattern spells out.
const ANY: char = 'x';

/// A key that both patterns match, if there is one. Takes time in proportion to their lengths if both
/// have a star or neither has, else to the product.
pub(super) fn common_key(left: &str, right: &str) -> Option<String> {
    match (Parts::of(left), Parts::of(right)) {
        (Some(left), Some(right)) => left.meet(&right),
        (Some(parts), None) => parts.laid_over(right),
        (None, Some(parts)) => parts.laid_over(left),
        (None, None) => {
            let same_length = left.chars().count() == right.chars().count();
            let meet = same_length && agree(left.chars(), right.chars());
            meet.then(|| overlay(left.chars(), right.chars()).collect())
        }
    }
}

/// A pattern with a star.
#[derive(Debug)]
struct Parts<'a> {
    /// Before the first star.
    head: &'a str,
    /// From the first star to the last.
    middle: &'a str,
    /// After the last star.
    tail: &'a str,
}

impl<'a> Parts<'a> {
    fn of(pattern: &'a str) -> Option<Self> {
        let (first, last) = (pattern.find('*')?, pattern.rfind('*')?);
        Some(Self {
            head: &pattern[..first],
            middle: &pattern[first..=last],
            tail: &pattern[last + 1..],
        })
    }

    /// Two patterns with stars meet if their ends do: between those the stars of each take whatever the
    /// other asks for.
    fn meet(&self, other: &Self) -> Option<String> {
        let heads = || (self.head.chars(), other.head.chars());
        let tails = || (self.tail.chars().rev(), other.tail.chars().rev());
        if !agree(heads().0, heads().1) || !agree(tails().0, tails().1) {
            return None;
        }
        let head = overlay(heads().0, heads().1);
        let between = self.middle.chars().chain(other.middle.chars());
        let between = between.filter(|c| *c != '*').map(spelled);
        let tail: Vec<char> = overlay(tails().0, tails().1).collect();
        Some(head.chain(between).chain(tail.into_iter().rev()).collect())
    }

    /// The key of a pattern without a star. What stands between two stars goes as far to the left as it
    /// can, which leaves the most room for the rest.
    fn laid_over(&self, fixed: &str) -> Option<String> {
        let mut key: Vec<char> = fixed.chars().collect();
        let [head, tail] = [self.head, self.tail].map(|part| part.chars().collect::<Vec<_>>());
        let end = key.len().checked_sub(tail.len())?;
        let mut at = head.len();
        if at > end {
            return None;
        }
        lay(&mut key[..at], &head)?;
        lay(&mut key[end..], &tail)?;
        for part in self.middle.split('*') {
            let part: Vec<char> = part.chars().collect();
            while lay(key[..end].get_mut(at..at + part.len())?, &part).is_none() {
                at += 1;
            }
            at += part.len();
        }
        Some(key.into_iter().map(spelled).collect())
    }
}

/// Spells out in `key` what `part` does, if they agree.
fn lay(key: &mut [char], part: &[char]) -> Option<()> {
    let agree = agree(key.iter().copied(), part.iter().copied());
    let free = key.iter_mut().zip(part).filter(|(held, _)| **held == '?');
    agree.then(|| free.for_each(|(held, other)| *held = *other))
}

/// Whether two runs of characters without stars agree as far as the shorter one goes.
fn agree(left: impl Iterator<Item = char>, right: impl Iterator<Item = char>) -> bool {
    left.zip(right).all(|(a, b)| a == b || a == '?' || b == '?')
}

/// What two runs that agree spell out together, as long as the longer one.
fn overlay(
    mut left: impl Iterator<Item = char>,
    mut right: impl Iterator<Item = char>,
) -> impl Iterator<Item = char> {
    std::iter::from_fn(move || match (left.next(), right.next()) {
        (None, None) => None,
        (Some('?') | None, Some(other)) | (Some(other), _) => Some(spelled(other)),
    })
}

fn spelled(character: char) -> char {
    if character == '?' { ANY } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::matches;

    /// Told by trying everything.
    fn meet(left: &[char], right: &[char]) -> bool {
        match (left.split_first(), right.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                meet(rest, right) || !right.is_empty() && meet(left, &right[1..])
            }
            (_, Some(('*', _))) => meet(right, left),
            (Some((a, rest)), Some((b, other))) => {
                agree([*a].into_iter(), [*b].into_iter()) && meet(rest, other)
            }
            _ => false,
        }
    }

    #[test]
    fn short_patterns_meet_exactly_if_some_key_matches_both() {
        let mut patterns = vec![String::new()];
        for start in 0..85 {
            let longer = ['a', 'b', '?', '*'].map(|c| format!("{}{c}", patterns[start]));
            patterns.extend(longer);
        }
        for left in &patterns {
            for right in &patterns {
                let [a, b] = [left, right].map(|p| p.chars().collect::<Vec<_>>());
                let common = common_key(left, right);
                assert_eq!(common.is_some(), meet(&a, &b), "{left} and {right}");
                if let Some(key) = common {
                    let both = matches(left, &key) && matches(right, &key);
                    assert!(both, "{key}: {left}, {right}");
                }
            }
        }
    }
}
