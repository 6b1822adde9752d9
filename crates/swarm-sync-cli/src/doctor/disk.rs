//! The directory of a node's state, and the disk that it is on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::report::Check;
use super::{filesystem, lock, owner, space, store, writing};
use crate::exit::Code;

/// Looks at `directory`, at most for `limit`: a disk over a network may not answer at all.
pub(super) async fn look(directory: PathBuf, limit: Duration) -> Vec<Check> {
    let name = directory.display().to_string();
    let looked = spawn_blocking(move || look_at(&directory));
    let failed = |why: String| vec![Check::fail("disk", Code::Data, why)];
    match timeout(limit, looked).await {
        Ok(Ok(checks)) => checks,
        Ok(Err(error)) => failed(format!("{name} was not looked at: {error}")),
        Err(_) => failed(format!(
            "{name} does not answer within {} s: the disk hangs, or the network that it is behind; choose \
             another directory with --data",
            limit.as_secs()
        )),
    }
}

fn look_at(directory: &Path) -> Vec<Check> {
    let mut checks = vec![store::look(directory)];
    let Some(there) = nearest(directory) else {
        return checks;
    };
    if there == directory {
        checks.extend(owner::look(directory));
        checks.extend(lock::look(directory));
    }
    let filesystem = filesystem::look(there);
    if filesystem.as_ref().is_some_and(Check::fails) {
        // What else could be said of it would be of no use.
        return filesystem.into_iter().collect();
    }
    checks.push(writing::look(there));
    checks.extend(space::look(there));
    checks.extend(filesystem);
    checks
}

/// The directory itself, or the nearest one above it that is there: in which it would be made.
fn nearest(directory: &Path) -> Option<&Path> {
    directory.ancestors().find_map(|path| {
        // What is left of a path that says no more is where this process is.
        let path = Some(path).filter(|path| !path.as_os_str().is_empty());
        let path = path.unwrap_or_else(|| Path::new("."));
        path.is_dir().then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_is_made_in_what_is() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path();
        assert_eq!(nearest(base), Some(base));
        assert_eq!(nearest(&base.join("a/b/c")), Some(base));
        assert_eq!(
            nearest(Path::new("no-such-directory-here/x")),
            Some(Path::new("."))
        );
    }
}
