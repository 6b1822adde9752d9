//! A program built without zstd: it offers nothing, so that none of this is ever called for.

use bytes::Bytes;
use sync_core::transport::Compressions;

/// What this program can read.
pub(crate) const OFFERED: Compressions = Compressions::NONE;

const REFUSAL: &str = "a compressed message, and this program was built without compression";

/// There is none.
#[derive(Debug)]
pub(crate) enum Dictionary {}

impl Dictionary {
    pub(crate) fn new(_bytes: Bytes) -> Option<Self> {
        None
    }

    pub(crate) fn train(_samples: &[Bytes]) -> Option<Self> {
        None
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        match *self {}
    }
}

pub(crate) fn pack(_plain: &[u8]) -> Option<Bytes> {
    None
}

pub(crate) fn pack_with(_plain: &[u8], dictionary: &Dictionary) -> Option<Bytes> {
    match *dictionary {}
}

pub(crate) fn read(_packed: &[u8], _limit: usize) -> Result<Bytes, String> {
    Err(REFUSAL.to_owned())
}

pub(crate) fn read_with(
    _packed: &[u8],
    dictionary: &Dictionary,
    _limit: usize,
) -> Result<Bytes, String> {
    match *dictionary {}
}
