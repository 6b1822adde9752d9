//! The past: what each commit did to each key, for those who ask later. It is in the store only; a
//! question about it waits until the driver has read the rows that answer it.

mod authors;
mod diff;
mod explain;
mod journal;
mod knew;
mod line;
mod log;
mod question;
mod record;
mod scan;
mod state_at;
mod thinning;
mod walk;
mod window;

use sync_core::{Answer, Now, PastAsk, RequestError, Row};

use self::journal::Journal;
use self::line::Line;
use self::log::Log;
use self::question::{Question, Step};
use self::thinning::Thinning;
use super::{Hub, HubOutput, ReplyTo};

/// Everything about the past that a hub holds in memory.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) journal: Journal,
    pub(super) line: Line,
    log: Log,
    pub(super) thinning: Thinning,
}

impl Hub {
    /// A question about the past. What is asked is of what is durable once the rows are read: the read
    /// waits for every commit before it.
    pub(super) fn ask_past(&mut self, now: Now, to: ReplyTo, ask: PastAsk) {
        let question = match Question::of(self, ask) {
            Ok(question) => question,
            Err(error) => return self.reply(to, Err(error)),
        };
        match self.past.line.join(to, question) {
            Ok(()) => self.read_past(now),
            Err(error) => self.reply(to, Err(error)),
        }
    }

    /// The rows that [`HubOutput::Load`] has asked for, in any order; more may be among them.
    pub fn handle_loaded(&mut self, now: Now, ticket: u64, result: Result<Vec<Row>, String>) {
        if self.failed.is_some() {
            return;
        }
        let rows = match result {
            Ok(rows) => rows,
            Err(reason) => return self.fail(&reason),
        };
        if let Some(full_before) = self.past.thinning.returned(ticket) {
            if let Err(error) = self.thin_rows(now, full_before, &rows) {
                self.fail(&error.to_string());
            }
            return;
        }
        if let Some((to, mut question)) = self.past.line.returned(ticket)
            && let Some(to) = to
        {
            match question.take(self, now, &rows) {
                Ok(()) => self.pursue(now, to, question),
                Err(error) => {
                    let reason = error.to_string();
                    // It is not in line any more, and hears of it, too.
                    self.reply(to, Err(to.stopped(&reason)));
                    return self.fail(&reason);
                }
            }
        }
        self.read_past(now);
    }

    /// Lets those in line go on, as many as may read at once.
    fn read_past(&mut self, now: Now) {
        while let Some((to, question)) = self.past.line.next() {
            self.pursue(now, to, question);
        }
    }

    /// Answers a question, or reads what it still takes.
    fn pursue(&mut self, now: Now, to: ReplyTo, mut question: Question) {
        match question.step(self, now) {
            Step::Answer(answer) => self.reply(to, Ok(Answer::Past(answer))),
            Step::Refuse(error) => self.reply(to, Err(error)),
            Step::Read(ranges) => {
                let ticket = self.past.line.depart(to, question);
                self.gate.push(HubOutput::Load { ticket, ranges });
            }
        }
    }
}

fn invalid(reason: String) -> RequestError {
    RequestError::Invalid { reason }
}
