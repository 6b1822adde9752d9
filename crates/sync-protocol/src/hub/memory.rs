//! The memory provider: application data beside the synchronized state.

use sync_core::{MemoryAnswer, MemoryAsk, RequestError};

use super::Hub;

impl Hub {
    pub(super) fn memory(&mut self, _ask: MemoryAsk) -> Result<MemoryAnswer, RequestError> {
        let reason = "the memory is not built".to_owned();
        Err(RequestError::Invalid { reason })
    }
}
