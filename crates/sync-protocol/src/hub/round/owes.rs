//! Which questions of sweeps a connection has not answered, so that a slow one is not asked the same again
//! by each run: its answers would take the link that its pushes need.

use std::sync::Arc;
use std::time::Duration;

use sync_core::message::Scope;

/// How long a question may be on its way before the next run asks once more: a page and a push take that
/// long at 17 KiB a second. One that was lost is not heard of, and nobody is to wait for it for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A question that was not answered.
#[derive(Debug)]
struct Owed {
    /// Of that round, for that page.
    number: u64,
    part: u32,
    scope: Arc<Scope>,
    /// When its round began.
    since: Duration,
}

/// The questions that a connection has not answered: one at most about the same, and none for longer than
/// runs have patience, so that the plans there are bound them.
#[derive(Debug, Default)]
pub(in crate::hub) struct Owes(Vec<Owed>);

impl Owes {
    /// Notes that a round which began at `since` asks. False if an earlier one has asked the same, and
    /// its answer may be on its way.
    pub(super) fn ask(
        &mut self,
        (number, part): (u64, u32),
        scope: &Arc<Scope>,
        since: Duration,
    ) -> bool {
        self.0
            .retain(|owed| owed.number != number && since < owed.since + PATIENCE);
        if self.0.iter().any(|owed| owed.scope == *scope) {
            return false;
        }
        let scope = Arc::clone(scope);
        self.0.push(Owed {
            number,
            part,
            scope,
            since,
        });
        true
    }

    /// A page of a round has come; what it was about, if it was waited for.
    pub(super) fn answered(&mut self, number: u64, part: u32) -> Option<Arc<Scope>> {
        let is_it = |owed: &Owed| (owed.number, owed.part) == (number, part);
        let at = self.0.iter().position(is_it)?;
        Some(self.0.swap_remove(at).scope)
    }

    /// Whether the question of a round waits for its answer.
    pub(super) fn is_asked(&self, number: u64) -> bool {
        self.0.iter().any(|owed| owed.number == number)
    }
}
