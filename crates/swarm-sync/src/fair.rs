//! Which of two goes first when both are ready: whoever did not the last time.
//!
//! A flood of one cannot starve the other, as it could if the order were fixed; and what comes in the same order
//! is handled in the same order, as it would not be if the order were drawn.

use std::pin::pin;

/// What was ready.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Either<A, B> {
    Left(A),
    Right(B),
}

/// Remembers who went last.
#[derive(Debug, Default)]
pub(crate) struct Fair {
    right_first: bool,
}

impl Fair {
    /// Waits for either. The other one is dropped, and so has to be cancel-safe.
    pub(crate) async fn first<A, B>(
        &mut self,
        left: impl Future<Output = A>,
        right: impl Future<Output = B>,
    ) -> Either<A, B> {
        let (mut left, mut right) = (pin!(left), pin!(right));
        let first = if self.right_first {
            tokio::select! {
                biased;
                right = &mut right => Either::Right(right),
                left = &mut left => Either::Left(left),
            }
        } else {
            tokio::select! {
                biased;
                left = &mut left => Either::Left(left),
                right = &mut right => Either::Right(right),
            }
        };
        self.right_first = matches!(first, Either::Left(_));
        first
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::{Either, Fair};

    #[tokio::test]
    async fn who_is_always_ready_takes_every_other_turn() {
        let mut fair = Fair::default();
        for _ in 0..3 {
            assert_eq!(fair.first(ready(1), ready(2)).await, Either::Left(1));
            assert_eq!(fair.first(ready(1), ready(2)).await, Either::Right(2));
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_who_is_not_ready() {
        let mut fair = Fair::default();
        for _ in 0..3 {
            let first = fair.first(ready(1), pending::<()>()).await;
            assert_eq!(first, Either::Left(1));
        }
        assert_eq!(fair.first(ready(1), ready(2)).await, Either::Right(2));
    }
}
