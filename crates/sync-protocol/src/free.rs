//! Whether there is room on the disk for what is new.

use sync_core::{Operation, RequestError};

/// What of its disk a node leaves free, and whether it has to by now.
#[derive(Debug)]
pub(crate) struct Free {
    keep: u64,
    bytes: Option<u64>,
    is_short: bool,
}

impl Free {
    /// 0 takes everything whatever is free.
    pub(crate) fn keeping(keep: u64) -> Self {
        Self {
            keep,
            bytes: None,
            is_short: false,
        }
    }

    /// So much is free by now; none where nobody knows, which refuses nothing. Who has refused takes again
    /// with a quarter more than was to be kept: else single writes would be taken and refused by turns.
    pub(crate) fn note(&mut self, bytes: Option<u64>) {
        let mark = if self.is_short {
            self.keep.saturating_add(self.keep / 4)
        } else {
            self.keep
        };
        self.is_short = bytes.is_some_and(|bytes| bytes < mark);
        self.bytes = bytes;
    }

    pub(crate) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    pub(crate) fn is_short(&self) -> bool {
        self.is_short
    }

    /// Refuses what is new at `node`.
    pub(crate) fn check(&self, node: impl FnOnce() -> String) -> Result<(), RequestError> {
        if !self.is_short {
            return Ok(());
        }
        Err(RequestError::NoSpace {
            node: node(),
            keep: self.keep,
        })
    }
}

/// Whether an operation leaves less than there was. What it writes itself is small, and fits into what is
/// kept free.
pub(crate) fn takes_away(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Delete | Operation::Remove(_) | Operation::UnsetField(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bad input, row 21.
    #[test]
    fn it_refuses_below_the_mark_and_takes_again_a_quarter_above_it() {
        let mut free = Free::keeping(1_000);
        let seen = [1_000, 999, 1_000, 1_249, 1_250, 1_000, 0].map(|bytes| {
            free.note(Some(bytes));
            free.is_short()
        });
        assert_eq!(seen, [false, true, true, true, false, false, true]);
        free.note(None);
        assert!(!free.is_short(), "nobody knows");
        let mut off = Free::keeping(0);
        off.note(Some(0));
        assert!(!off.is_short());
        let mut all = Free::keeping(u64::MAX);
        all.note(Some(u64::MAX - 1));
        assert!(all.is_short());
    }
}
