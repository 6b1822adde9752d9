//! Reads the policies beside the hub's task: a file on a slow disk delays nobody.

use sync_core::{Policies, Rights};
use tokio::task::JoinHandle;

use super::builder::PolicySource;

/// Times in a row that what was read is read again because somebody asked meanwhile. Whoever asks is to
/// see the file as it is from then on; but those who asked before must not wait for ever.
const REREADS_MAX: usize = 3;

/// What a source has read anew: policies, and rights if it keeps them. Both are put in force together,
/// after the policies have been checked, and not before whoever has asked for it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    pub(super) policies: Policies,
    pub(super) rights: Option<Rights>,
}

impl Reloaded {
    /// Policies; the rights stay as they are.
    pub fn new(policies: Policies) -> Self {
        Self {
            policies,
            rights: None,
        }
    }

    /// And these rights, or those there are if none.
    #[must_use]
    pub fn with_rights(mut self, rights: Option<Rights>) -> Self {
        self.rights = rights;
        self
    }
}

impl From<Policies> for Reloaded {
    fn from(policies: Policies) -> Self {
        Self::new(policies)
    }
}

/// What was read, or why nothing was.
type Read = Result<Reloaded, String>;

/// The reading that is under way, if one is: there is never a second one.
#[derive(Debug)]
pub(super) struct Reloading {
    source: Option<PolicySource>,
    running: Option<JoinHandle<Read>>,
    /// Somebody has asked since it began.
    again: bool,
    rereads: usize,
}

impl Reloading {
    pub(super) fn new(source: Option<PolicySource>) -> Self {
        Self {
            source,
            running: None,
            again: false,
            rereads: 0,
        }
    }

    /// Begins to read. During a read it notes that another is to follow, as what is being read may be
    /// older than this request. The answer comes from [`Reloading::next`].
    pub(super) fn start(&mut self) {
        if self.running.is_some() {
            self.again = true;
            return;
        }
        let source = self.source.clone();
        self.running = Some(tokio::task::spawn_blocking(move || match source {
            None => Err("this hub was started without a file of policies".to_owned()),
            Some(PolicySource(source)) => source(),
        }));
    }

    /// The next answer; for ever if nobody asks. Cancel-safe.
    pub(super) async fn next(&mut self) -> Read {
        loop {
            let Some(running) = &mut self.running else {
                return std::future::pending().await;
            };
            let read = running.await;
            self.running = None;
            let again = std::mem::take(&mut self.again);
            if again {
                self.start();
            }
            if again && self.rereads < REREADS_MAX {
                self.rereads += 1;
                continue;
            }
            self.rereads = 0;
            return read.unwrap_or_else(|e| Err(format!("reading the policies failed: {e}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, mpsc};

    use sync_core::{Pattern, Policy};

    use super::*;

    fn reloading(source: impl Fn() -> Read + Send + Sync + 'static) -> Reloading {
        Reloading::new(Some(PolicySource(Arc::new(source))))
    }

    fn table(pattern: &str) -> Reloaded {
        let policy = Policy::new(Pattern::new(pattern).unwrap());
        Reloaded::new(Policies::new(vec![policy]).unwrap())
    }

    #[tokio::test]
    async fn whoever_asks_sees_the_file_as_it_is_from_then_on() {
        let (file, tables) = mpsc::channel();
        let tables = Mutex::new(tables);
        let mut reloading = reloading(move || {
            let tables = tables.lock().map_err(|e| e.to_string())?;
            tables.recv().map_err(|e| e.to_string())
        });
        reloading.start();
        reloading.start();
        file.send(table("before-the-second-asked")).unwrap();
        file.send(table("after")).unwrap();
        assert_eq!(reloading.next().await, Ok(table("after")));
        assert!(reloading.running.is_none());
    }

    #[tokio::test]
    async fn who_asks_all_the_time_keeps_nobody_waiting_for_ever() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let mut reloading = reloading(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(table("k"))
        });
        reloading.start();
        let read = loop {
            tokio::select! {
                biased;
                read = reloading.next() => break read,
                () = tokio::task::yield_now() => reloading.start(),
            }
        };
        assert_eq!(read, Ok(table("k")));
        assert!(count.load(Ordering::SeqCst) <= 2 + REREADS_MAX);
    }

    #[tokio::test]
    async fn a_source_that_panics_or_is_not_there_is_an_answer() {
        let mut panics = reloading(|| panic!("the disk is gone"));
        panics.start();
        assert!(panics.next().await.is_err());
        let mut none = Reloading::new(None);
        none.start();
        assert!(none.next().await.is_err());
    }
}
