//! Numbers that nobody else has: the names of runs, epochs and proposals.

/// One that was never given out before, as far as chance can tell.
#[cfg(not(test))]
pub(crate) fn fresh() -> u64 {
    rand::random()
}

#[cfg(test)]
pub(crate) use under_test::{fresh, seed};

/// The same, unless a test wants a course to be taken again.
#[cfg(test)]
mod under_test {
    use std::cell::RefCell;

    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    thread_local! {
        static SEEDED: RefCell<Option<SmallRng>> = const { RefCell::new(None) };
    }

    /// From here on this thread draws from `seed`.
    pub(crate) fn seed(seed: u64) {
        SEEDED.set(Some(SmallRng::seed_from_u64(seed)));
    }

    pub(crate) fn fresh() -> u64 {
        SEEDED.with_borrow_mut(|seeded| seeded.as_mut().map_or_else(rand::random, Rng::random))
    }
}
