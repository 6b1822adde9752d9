//! Panics of tasks that nobody waits for: the simulation goes on without them and says nothing.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

thread_local! {
    /// A simulation has one thread, and that thread has no other.
    static COUNTED: Cell<u64> = const { Cell::new(0) };
}

static COUNTING: Once = Once::new();

/// From now on this thread has none.
pub(super) fn forget() {
    COUNTING.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |about| {
            COUNTED.set(COUNTED.get() + 1);
            tell(about);
        }));
    });
    COUNTED.set(0);
}

/// Those of this thread since.
pub(super) fn counted() -> u64 {
    COUNTED.get()
}
