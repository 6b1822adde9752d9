//! Rights on their way from whoever keeps them to every hub.

use std::sync::Arc;

use sync_core::Rights;
use tokio::sync::watch;

use super::Driver;

/// Waits for other rights; for ever if there are none, or nobody is left to change them. Cancel-safe.
pub(super) async fn changed(rights: &mut Option<watch::Receiver<Arc<Rights>>>) {
    if let Some(rights) = rights
        && rights.changed().await.is_ok()
    {
        // Seen only once it is applied: who waits may be called off in between.
        rights.mark_changed();
        return;
    }
    std::future::pending::<()>().await;
}

impl Driver {
    /// What holds now.
    pub(super) fn rights(&self) -> Option<Arc<Rights>> {
        let rights = self.settings.rights.as_ref()?;
        Some(Arc::clone(&rights.borrow()))
    }

    /// Has every swarm go by what holds now, if that is new.
    pub(super) fn apply_rights(&mut self) {
        let Some(rights) = &mut self.settings.rights else {
            return;
        };
        if !rights.has_changed().unwrap_or_default() {
            return;
        }
        let rights = Arc::clone(&rights.borrow_and_update());
        for hub in self.hubs.values_mut() {
            hub.set_rights(Some(Arc::clone(&rights)));
        }
    }
}
