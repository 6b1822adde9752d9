//! The task that ends what is held of a key as soon as the hub tells that it has changed.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{Pattern, RequestError};
use tokio::sync::watch;

use super::held::Held;
use super::line::Line;
use crate::watch::{Watch, WatchEvent};

/// How long to wait before watching anew after the hub would not have it: it is up and has said why, so
/// it is not asked often.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Watcher {
    line: Line,
    held: Arc<Held>,
    pattern: Option<Pattern>,
}

impl Watcher {
    pub(super) fn new(line: Line, held: Arc<Held>, pattern: Option<Pattern>) -> Self {
        Self {
            line,
            held,
            pattern,
        }
    }

    /// Watches from now on. What was asked before may have changed untold, so it ends.
    pub(super) async fn begin(&self) -> Result<Watch, RequestError> {
        let pattern = match &self.pattern {
            Some(pattern) => pattern.clone(),
            None => Pattern::new("*")?,
        };
        let mut watch = Watch::new(Arc::new(self.line.clone()), pattern, None);
        watch.begun().await?;
        self.held.forget_all();
        self.held.set_watching(true);
        Ok(watch)
    }

    pub(super) async fn run(self, watch: Watch, mut stopped: watch::Receiver<()>) {
        tokio::select! {
            biased;
            // First, because the line ends by the same word, and that is no trouble to speak of.
            _ = stopped.changed() => {}
            () = self.watch(watch) => {}
        }
        self.held.set_watching(false);
    }

    async fn watch(&self, mut watch: Watch) {
        loop {
            match watch.next().await {
                Ok(WatchEvent::Change(change)) => self.held.forget(&change.state.key),
                // What follows names each key that has changed, if not each change.
                Ok(WatchEvent::Compacted { .. }) => {}
                Ok(WatchEvent::Reload { reason }) => {
                    tracing::info!(%reason, "the hub has another log: what was read of it is asked for again");
                    watch = self.begin_anew().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the hub does not tell what changes");
                    tokio::time::sleep(PAUSE).await;
                    watch = self.begin_anew().await;
                }
            }
        }
    }

    /// Until it succeeds nothing tells of changes, nor from where they would have to be told.
    async fn begin_anew(&self) -> Watch {
        self.held.set_watching(false);
        self.held.forget_all();
        loop {
            match self.begin().await {
                Ok(watch) => return watch,
                Err(error) => {
                    tracing::warn!(%error, "the hub does not tell what changes");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
