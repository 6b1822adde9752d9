//! Whether the hub is reached and has this agent, and why not: told once, not at every attempt.

use tokio::sync::watch;

use super::connector::Why;

/// Who hears of it: why the hub does not have this agent, from when it says so until it answers it.
pub(super) type Refused = watch::Sender<Option<String>>;

/// What became of the last attempt or connection.
#[derive(Debug)]
pub(super) struct Reach {
    error: Option<String>,
    refused: Refused,
}

impl Reach {
    pub(super) fn new(refused: Refused) -> Self {
        Self {
            error: None,
            refused,
        }
    }

    /// Why there is no connection, or was none up to the one that the hub has not answered on yet.
    pub(super) fn error(&self) -> Option<&String> {
        self.error.as_ref()
    }

    /// The hub has said something. A connection alone shows nothing: one that does not have this agent
    /// closes it.
    pub(super) fn heard(&mut self) {
        self.error = None;
        self.refused.send_if_modified(|said| said.take().is_some());
    }

    /// A connection has ended. Most are soon had again, of which a log need not warn.
    pub(super) fn lost(&mut self, why: Why) {
        let warns = why.refused;
        self.note(why, warns);
    }

    /// There was none to be had.
    pub(super) fn failed(&mut self, why: Why) {
        self.note(why, true);
    }

    fn note(&mut self, why: Why, warns: bool) {
        let Why { reason, refused } = why;
        // Once per reason, not once per attempt.
        if warns && self.error.as_ref() != Some(&reason) {
            tracing::warn!("{reason}; trying again");
        }
        if refused {
            let is_new = |said: &Option<String>| said.as_ref() != Some(&reason);
            self.refused.send_if_modified(|said| {
                let new = is_new(said);
                *said = Some(reason.clone());
                new
            });
        }
        self.error = Some(reason);
    }
}
