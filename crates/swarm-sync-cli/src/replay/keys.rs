//! Paths as keys. A path of git is a string of bytes that does not begin with a slash; a key is 1 to
//! 1,024 bytes of UTF-8. What is no key becomes one that begins with a slash, so the two never meet.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use swarm_sync::{KEY_BYTES_MAX, Key};

use crate::exit::{Code, Failure};

const ESCAPED: &str = "/%";
const HASHED: &str = "/#";

/// What a path became.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Plain(String),
    Escaped(String),
    Hashed(String),
}

/// Turns paths into keys and counts those that could not stay as they are.
#[derive(Debug, Default)]
pub(super) struct Keys {
    escaped: BTreeSet<Key>,
    hashed: BTreeSet<Key>,
}

impl Keys {
    pub(super) fn key(&mut self, path: &[u8]) -> Result<Key, Failure> {
        let (text, counted) = match form(path) {
            Form::Plain(text) => (text, None),
            Form::Escaped(text) => (text, Some(&mut self.escaped)),
            Form::Hashed(text) => (text, Some(&mut self.hashed)),
        };
        let key =
            Key::new(text).map_err(|error| Failure::new(Code::Failed, "key", error.to_string()))?;
        if let Some(counted) = counted {
            counted.insert(key.clone());
        }
        Ok(key)
    }

    /// Paths that were escaped.
    pub(super) fn escaped(&self) -> usize {
        self.escaped.len()
    }

    /// Paths that were too long even so.
    pub(super) fn hashed(&self) -> usize {
        self.hashed.len()
    }
}

fn form(path: &[u8]) -> Form {
    let plain = |text: &&str| !text.is_empty() && !text.starts_with('/');
    match str::from_utf8(path).ok().filter(plain) {
        Some(text) if text.len() <= KEY_BYTES_MAX => Form::Plain(text.to_owned()),
        _ => {
            let text = escape(path);
            if text.len() <= KEY_BYTES_MAX {
                Form::Escaped(text)
            } else {
                Form::Hashed(hash(path))
            }
        }
    }
}

/// Writes out what is not UTF-8, and the sign that says so.
fn escape(path: &[u8]) -> String {
    let mut text = ESCAPED.to_owned();
    for chunk in path.utf8_chunks() {
        text.push_str(&chunk.valid().replace('%', "%25"));
        for byte in chunk.invalid() {
            text.push('%');
            text.extend([byte >> 4, byte & 15].map(digit));
        }
    }
    text
}

/// A hexadecimal digit.
fn digit(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble & 15)])
}

/// 128 bits. Two paths that met here would fail the comparison with git, not pass it. The hash is only
/// compared within this process.
fn hash(path: &[u8]) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(path);
        hasher.finish()
    };
    format!("{HASHED}{:016x}{:016x}", half(0), half(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path that a key stands for, unless it was hashed.
    fn path_of(key: &str) -> Option<Vec<u8>> {
        if key.starts_with(HASHED) {
            return None;
        }
        let Some(escaped) = key.strip_prefix(ESCAPED) else {
            return Some(key.as_bytes().to_vec());
        };
        let mut parts = escaped.split('%');
        let mut path = parts.next()?.as_bytes().to_vec();
        for part in parts {
            path.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
            path.extend_from_slice(&part.as_bytes()[2..]);
        }
        Some(path)
    }

    #[test]
    fn a_path_that_is_a_key_stays_as_it_is() {
        let longest = "x".repeat(KEY_BYTES_MAX);
        for path in ["a", "src/lib.rs", "two words\nand %41", "ä/🐝", &longest] {
            assert_eq!(form(path.as_bytes()), Form::Plain(path.to_owned()));
        }
    }

    #[test]
    fn what_is_no_key_is_escaped_so_that_it_can_be_read_back() {
        let escaped = |text: &str| Form::Escaped(text.to_owned());
        assert_eq!(form(b"bad\xffbyte"), escaped("/%bad%FFbyte"));
        assert_eq!(form(b"100%\xc3"), escaped("/%100%25%C3"));
        assert_eq!(form(b"/absolute"), escaped("/%/absolute"));
        assert_eq!(form(b""), escaped("/%"));
        // The escaped form of one path is never the plain form of another.
        assert_eq!(form(b"/%bad%FFbyte"), escaped("/%/%25bad%25FFbyte"));
    }

    #[test]
    fn every_path_that_was_not_hashed_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let paths: [&[u8]; 6] = [b"a/b", b"%", b"\xff%41\xfe", b"/", &bytes, "ä%".as_bytes()];
        for path in paths {
            let (Form::Plain(key) | Form::Escaped(key) | Form::Hashed(key)) = form(path);
            assert_eq!(path_of(&key).as_deref(), Some(path), "{key}");
        }
    }

    #[test]
    fn too_long_a_path_is_hashed_and_paths_are_counted_once() {
        let mut keys = Keys::default();
        let long = "d".repeat(KEY_BYTES_MAX + 1);
        let other = "d".repeat(KEY_BYTES_MAX + 2);
        let first = keys.key(long.as_bytes()).expect("a key");
        assert_eq!(keys.key(long.as_bytes()).expect("a key"), first);
        assert_ne!(keys.key(other.as_bytes()).expect("a key"), first);
        assert!(first.as_str().starts_with(HASHED));
        keys.key(b"\xff").expect("a key");
        keys.key(b"plain").expect("a key");
        assert_eq!((keys.escaped(), keys.hashed()), (1, 2));
    }
}
