//! Compares replicas with git itself.

use std::collections::BTreeMap;

use swarm_sync::{Key, Value};

use crate::exit::Failure;

use super::entry::Entry;
use super::git::{Repository, broken};
use super::keys::Keys;

/// Paths that differ and are named. The rest is counted.
const NAMED_MAX: usize = 5;

/// Where a replica and a tree differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// Paths of the tree that the replica lacks or holds otherwise.
    pub(super) wrong: usize,
    /// Paths of the replica that the tree does not have.
    pub(super) extra: usize,
    /// The first of them, as sentences.
    named: Vec<String>,
}

impl Differences {
    pub(super) fn count(&self) -> usize {
        self.wrong + self.extra
    }

    fn name(&mut self, sentence: impl FnOnce() -> String) {
        if self.named.len() < NAMED_MAX {
            self.named.push(sentence());
        }
    }
}

impl std::fmt::Display for Differences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, named) = (self.count(), self.named.join("; "));
        write!(f, "{count} paths differ: {named}")
    }
}

/// The tree of HEAD as git lists it. `keys` counts nothing of it.
pub(super) async fn tree(repository: &Repository) -> Result<BTreeMap<Key, Value>, Failure> {
    let mut keys = Keys::default();
    let words = ["ls-tree", "-r", "-z", "-l", "--full-tree", &repository.head];
    let mut git = repository.start(&words)?;
    let mut tree = BTreeMap::new();
    let mut listed = 0;
    while let Some(line) = git.next(0).await? {
        let Some((path, entry)) = entry(&line) else {
            let line = String::from_utf8_lossy(&line);
            return Err(broken("ls-tree", &format!("it lists {line:?}")));
        };
        tree.insert(keys.key(path)?, entry.to_value());
        listed += 1;
    }
    git.finish().await?;
    if tree.len() != listed {
        return Err(broken("ls-tree", "two paths became one key"));
    }
    Ok(tree)
}

/// `100644 blob OBJECT    SIZE\tPATH`
fn entry(line: &[u8]) -> Option<(&[u8], Entry)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let (fields, path) = line.split_at(tab);
    let mut fields = str::from_utf8(fields).ok()?.split_ascii_whitespace();
    let (mode, _kind, object, size) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let size = match size {
        "-" => None,
        size => Some(size.parse().ok()?),
    };
    let entry = Entry {
        mode: mode.to_owned(),
        object: object.to_owned(),
        size,
    };
    Some((&path[1..], entry))
}

/// Path by path, both ways.
pub(super) fn compare(tree: &BTreeMap<Key, Value>, state: &BTreeMap<Key, Value>) -> Differences {
    let mut differences = Differences::default();
    for (key, expected) in tree {
        let found = state.get(key);
        if found == Some(expected) {
            continue;
        }
        differences.wrong += 1;
        differences.name(|| match found {
            Some(found) => {
                let (expected, found) = (expected.to_json(), found.to_json());
                format!("{key:?} is {found}, git has {expected}")
            }
            None => format!("{key:?} is missing, git has it"),
        });
    }
    for key in state.keys().filter(|key| !tree.contains_key(key)) {
        differences.extra += 1;
        differences.name(|| format!("{key:?} is there, git does not have it"));
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(lines: &[&str]) -> BTreeMap<Key, Value> {
        let mut keys = Keys::default();
        let entries = lines.iter().map(|line| {
            let (path, entry) = entry(line.as_bytes()).expect("a line of ls-tree");
            (keys.key(path).expect("a key"), entry.to_value())
        });
        entries.collect()
    }

    #[test]
    fn the_lines_of_ls_tree_are_read() {
        let (path, file) = entry(b"100755 blob ab12       17\ta\tb\n\xff").expect("a file");
        assert_eq!((path, file.size), (&b"a\tb\n\xff"[..], Some(17)));
        assert_eq!((&*file.mode, &*file.object), ("100755", "ab12"));
        let (path, module) = entry(b"160000 commit cd34       -\tsub").expect("a submodule");
        assert_eq!((path, module.size), (&b"sub"[..], None));
        assert!(module.is_submodule());
        for line in [
            "",
            "100644 blob ab12 17",
            "100644 blob ab12 x\ta",
            "100644\ta",
        ] {
            assert_eq!(entry(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn equal_states_do_not_differ() {
        let tree = listing(&["100644 blob ab 1\ta", "160000 commit cd -\tb"]);
        assert_eq!(compare(&tree, &tree.clone()), Differences::default());
    }

    #[test]
    fn every_kind_of_mismatch_is_found() {
        let tree = listing(&["100644 blob ab 1\ta", "100644 blob cd 2\tb"]);
        let planted = [
            // Another blob, mode, size, or a submodule instead.
            (
                listing(&["100644 blob ab 1\ta", "100644 blob ce 2\tb"]),
                "\"b\" is {",
            ),
            (
                listing(&["100644 blob ab 1\ta", "100755 blob cd 2\tb"]),
                "\"b\" is {",
            ),
            (
                listing(&["100644 blob ab 1\ta", "100644 blob cd 3\tb"]),
                "\"b\" is {",
            ),
            (
                listing(&["100644 blob ab 1\ta", "160000 commit cd -\tb"]),
                "\"b\" is {",
            ),
            (listing(&["100644 blob cd 2\tb"]), "\"a\" is missing"),
            (
                listing(&[
                    "100644 blob ab 1\ta",
                    "100644 blob cd 2\tb",
                    "100644 blob ef 3\tc",
                ]),
                "\"c\" is there",
            ),
        ];
        for (state, sentence) in planted {
            let differences = compare(&tree, &state);
            assert_eq!(differences.count(), 1, "{differences:?}");
            let extra = usize::from(sentence.ends_with("is there"));
            assert_eq!(differences.extra, extra, "{differences:?}");
            assert!(
                differences.named[0].starts_with(sentence),
                "{differences:?}"
            );
        }
    }

    #[test]
    fn many_differences_are_counted_and_some_named() {
        let lines: Vec<String> = (0..20).map(|n| format!("100644 blob ab 1\tf{n}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let differences = compare(&listing(&lines), &BTreeMap::new());
        assert_eq!(
            (differences.wrong, differences.named.len()),
            (20, NAMED_MAX)
        );
    }
}
