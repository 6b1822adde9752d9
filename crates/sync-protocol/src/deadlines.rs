//! How long a round waits for agents, by the priority of its keys.

use std::time::Duration;

use sync_core::Priority;

/// How long a round waits for agents if its caller does not say. The specification's times: what is
/// critical is worth a long wait, what is low is asked for again before long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines([Duration; Priority::ALL.len()]);

impl Deadlines {
    /// For keys of a priority.
    pub fn of(&self, priority: Priority) -> Duration {
        self.0[priority as usize]
    }

    /// The same with another one for keys of a priority.
    #[must_use]
    pub fn with(mut self, priority: Priority, deadline: Duration) -> Self {
        self.0[priority as usize] = deadline;
        self
    }

    /// One for all.
    pub fn all(deadline: Duration) -> Self {
        Self([deadline; Priority::ALL.len()])
    }
}

impl Default for Deadlines {
    fn default() -> Self {
        Self([30, 10, 10, 5, 5].map(Duration::from_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_priority_has_its_own() {
        let seconds = |of: Deadlines| Priority::ALL.map(|p| of.of(p).as_secs());
        assert_eq!(seconds(Deadlines::default()), [30, 10, 10, 5, 5]);
        let minute = Duration::from_mins(1);
        let other = Deadlines::default().with(Priority::Low, minute);
        assert_eq!(seconds(other), [30, 10, 10, 60, 5]);
        assert_eq!(seconds(Deadlines::all(minute)), [60; 5]);
    }
}
