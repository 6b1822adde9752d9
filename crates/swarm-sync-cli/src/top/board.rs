//! What the screen is about: what the hub said last, whether it is there, and where the reader has scrolled to.

use std::time::{Duration, Instant};

use super::keys::Act;
use super::rates::{self, Rates, Sample};
use super::rows::{Order, Row, rows};

/// The hub does not answer.
#[derive(Debug, Clone)]
pub(super) struct Away {
    pub(super) since: Instant,
    /// What came of the last attempt.
    pub(super) why: String,
}

/// What comes of asking the hub once.
#[derive(Debug)]
pub(super) enum Report {
    /// It is being asked.
    Asked {
        at: Instant,
    },
    Status(Box<Sample>),
    /// It was asked then, and did not answer.
    Away {
        at: Instant,
        why: String,
    },
}

/// A hub that works answers in milliseconds: after this the reader is told that this one does not.
const SILENCE: Duration = Duration::from_secs(1);

/// All that is drawn.
#[derive(Debug)]
pub(super) struct Board {
    /// The address of the hub.
    pub(super) hub: String,
    pub(super) interval: Duration,
    pub(super) latest: Sample,
    pub(super) rates: Option<Rates>,
    pub(super) away: Option<Away>,
    /// Since when it owes an answer.
    pub(super) asked: Option<Instant>,
    pub(super) order: Order,
    /// The agents of `latest`, in this order.
    pub(super) rows: Vec<Row>,
    /// The first row that is shown.
    pub(super) first: usize,
}

impl Board {
    pub(super) fn new(hub: String, interval: Duration, sample: Sample) -> Self {
        let order = Order::Lag;
        Self {
            hub,
            interval,
            rows: rows(&sample.status, order),
            latest: sample,
            rates: None,
            away: None,
            asked: None,
            order,
            first: 0,
        }
    }

    /// Takes in what came of asking.
    pub(super) fn report(&mut self, report: Report) {
        self.asked = None;
        match report {
            Report::Asked { at } => self.asked = Some(at),
            Report::Status(sample) => {
                self.rates = rates::between(&self.latest, &sample);
                self.latest = *sample;
                self.away = None;
                self.rows = rows(&self.latest.status, self.order);
            }
            Report::Away { at, why } => {
                let since = self.away.as_ref().map_or(at, |away| away.since);
                self.away = Some(Away { since, why });
                // What was moved meanwhile is not known.
                self.rates = None;
            }
        }
    }

    /// For how long it has been silent, if that is worth a word and not said otherwise.
    pub(super) fn silent(&self, now: Instant) -> Option<Duration> {
        let asked = self.asked.filter(|_| self.away.is_none())?;
        let silent = now.saturating_duration_since(asked);
        (silent >= SILENCE).then_some(silent)
    }

    /// Does what a key asks for that is about the agents; `shown` of them fit on the screen.
    pub(super) fn scroll(&mut self, act: Act, shown: usize) {
        let last = self.rows.len().saturating_sub(shown);
        let page = shown.max(1);
        // Where a list that has become shorter ends now.
        let first = self.first.min(last);
        self.first = match act {
            Act::Up => first.saturating_sub(1),
            Act::Down => first + 1,
            Act::PageUp => first.saturating_sub(page),
            Act::PageDown => first + page,
            Act::Home => 0,
            Act::End => last,
            Act::Sort(order) => {
                self.order = order;
                self.rows = rows(&self.latest.status, order);
                0
            }
            Act::Leave | Act::Redraw => first,
        }
        .min(last);
    }

    /// The rows that are shown if `shown` fit.
    pub(super) fn window(&self, shown: usize) -> &[Row] {
        let first = self.first.min(self.rows.len().saturating_sub(shown));
        let end = (first + shown).min(self.rows.len());
        &self.rows[first..end]
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::{board, hub, member};
    use super::*;

    fn shown(board: &Board, rows: usize) -> Vec<&str> {
        let window = board.window(rows);
        window.iter().map(|row| row.agent.as_str()).collect()
    }

    #[test]
    fn a_long_list_scrolls_and_stays_within_its_ends() {
        let mut board = board(7);
        let steps: [(Act, &[&str]); 9] = [
            (Act::Up, &["agent-0", "agent-1", "agent-2"]),
            (Act::Down, &["agent-1", "agent-2", "agent-3"]),
            (Act::PageDown, &["agent-4", "agent-5", "agent-6"]),
            (Act::PageDown, &["agent-4", "agent-5", "agent-6"]),
            (Act::Down, &["agent-4", "agent-5", "agent-6"]),
            (Act::PageUp, &["agent-1", "agent-2", "agent-3"]),
            (Act::End, &["agent-4", "agent-5", "agent-6"]),
            (Act::Redraw, &["agent-4", "agent-5", "agent-6"]),
            (Act::Home, &["agent-0", "agent-1", "agent-2"]),
        ];
        for (act, expected) in steps {
            board.scroll(act, 3);
            assert_eq!(shown(&board, 3), expected, "{act:?}");
        }
    }

    #[test]
    fn a_list_that_shrinks_under_the_reader_shows_its_end() {
        let mut board = board(7);
        board.scroll(Act::End, 3);
        let mut status = hub(10, 2);
        status.members = vec![member("x", Some(0)), member("y", Some(0))];
        let at = board.latest.at + Duration::from_secs(1);
        board.report(Report::Status(Box::new(Sample { at, status })));
        assert_eq!(shown(&board, 3), ["x", "y"]);
        assert_eq!(shown(&board, 1), ["y"]);
        assert_eq!(shown(&board, 0), [""; 0]);
        board.scroll(Act::Up, 1);
        assert_eq!(shown(&board, 1), ["x"]);
    }

    #[test]
    fn a_hub_is_away_since_it_first_did_not_answer_until_it_does() {
        let mut board = board(1);
        let start = board.latest.at;
        let after = |seconds| start + Duration::from_secs(seconds);
        for at in [1, 2] {
            let (at, why) = (after(at), "gone".to_owned());
            board.report(Report::Away { at, why });
        }
        let since = board.away.as_ref().map(|away| away.since);
        assert_eq!(since, Some(after(1)));
        assert_eq!(shown(&board, 3), ["agent-0"], "what was known stays");
        let mut back = board.latest.clone();
        back.at = after(3);
        board.report(Report::Status(Box::new(back)));
        assert!(board.away.is_none() && board.rates.is_some());
    }

    #[test]
    fn a_hub_is_silent_from_a_second_after_it_was_asked_until_it_answers() {
        let mut board = board(1);
        let start = board.latest.at;
        let after = |millis| start + Duration::from_millis(millis);
        board.report(Report::Asked { at: after(100) });
        assert_eq!(board.silent(after(1_099)), None);
        let silent = board.silent(after(2_600));
        assert_eq!(silent, Some(Duration::from_millis(2_500)));
        let mut answer = board.latest.clone();
        answer.at = after(2_700);
        board.report(Report::Status(Box::new(answer)));
        assert_eq!(board.silent(after(9_000)), None);
        board.report(Report::Asked { at: after(9_000) });
        let (at, why) = (after(9_000), "no answer".to_owned());
        board.report(Report::Away { at, why });
        assert_eq!(board.silent(after(20_000)), None, "it is said otherwise");
    }
}
