//! What comes ahead of its turn.

use sync_core::{Now, SessionId};

use super::Hub;

impl Hub {
    pub(super) fn handle_ahead(
        &mut self,
        _now: Now,
        _session: SessionId,
        _segments: &[bytes::Bytes],
    ) -> Result<(), String> {
        Ok(())
    }
}
