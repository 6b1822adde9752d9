//! A copy of the hub's state that is made while it serves.

use std::path::PathBuf;

use tokio::sync::oneshot;

use super::StateSynchronizer;
use super::driver::HubCommand;
use crate::keeping::{BackedUp, KeepingError};

impl StateSynchronizer {
    /// Writes all rows of all swarms to the new file `to`, as [`keeping::backup`](crate::keeping::backup) does,
    /// between two commits: everything that was acknowledged before is in it, and nothing by halves.
    ///
    /// O(state). Until it is made nothing becomes durable and no write is answered; what is read is. Once
    /// begun it is made, also if this is dropped.
    ///
    /// # Errors
    ///
    /// Those of [`keeping::backup`](crate::keeping::backup), and [`KeepingError::Stopped`].
    pub async fn backup(&self, to: impl Into<PathBuf>) -> Result<BackedUp, KeepingError> {
        let (done, made) = oneshot::channel();
        let to = to.into();
        let asked = self.command(HubCommand::Backup { to, done }, made).await;
        asked.map_err(|_| {
            let reason = if self.commands.is_closed() {
                self.reason()
            } else {
                "its store has failed, or others are still being made".to_owned()
            };
            KeepingError::Stopped { reason }
        })?
    }
}
