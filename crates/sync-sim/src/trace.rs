//! What happened, as a hash and, while a seed is replayed, as text.

/// A running hash of everything that happened.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) hash: u64,
    pub(crate) print: bool,
}

impl Trace {
    pub(crate) fn new(print: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            print,
        }
    }

    /// Tells what happens while a seed is replayed.
    #[expect(clippy::print_stdout, reason = "a replayed seed tells what happens")]
    pub(crate) fn say(&self, text: impl FnOnce() -> String) {
        if self.print {
            println!("{}", text());
        }
    }

    pub(crate) fn absorb(&mut self, bytes: &[u8]) {
        // FNV-1a.
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
