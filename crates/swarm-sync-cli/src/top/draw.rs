//! A board as a screen. Pure: the same board at the same moment is the same screen.

use std::time::Instant;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use swarm_sync::span;

use super::board::{Away, Board};
use super::facts::{Fact, facts};
use super::rows::{Order, Row};
use super::text::{fit, fit_name, wrap};
use crate::output::visible;

/// How the height is shared out, from the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    /// Lines about the connection.
    state: u16,
    facts: u16,
    /// An empty line before the agents.
    gap: u16,
    /// Agents.
    rows: u16,
}

/// The title, the headings of the agents and the line about keys.
const ALWAYS: u16 = 3;

/// From this height on there is room to say in full why a hub is away.
const ROOMY: u16 = 14;

/// What a sentence about that takes on a screen of 80 columns.
const STATE_LINES_MAX: u16 = 3;

/// So many agents make scrolling them worth while: the facts, which are not scrolled, leave them that, or half
/// of the room where there is less.
const ROWS_MIN: u16 = 8;

fn parts(height: u16, away: bool, facts: usize) -> Parts {
    let state = if away && height >= ROOMY {
        STATE_LINES_MAX
    } else {
        1
    };
    let gap = u16::from(height >= ROOMY);
    let left = height.saturating_sub(ALWAYS + state + gap);
    let room = left - ROWS_MIN.min(left.div_ceil(2));
    let facts = u16::try_from(facts).unwrap_or(u16::MAX).min(room);
    Parts {
        state,
        facts,
        gap,
        rows: left - facts,
    }
}

/// How many agents a screen of this size shows at once.
pub(super) fn rows_shown(area: Rect, board: &Board) -> usize {
    let facts = facts(board).len();
    usize::from(parts(area.height, board.away.is_some(), facts).rows)
}

pub(super) fn draw(frame: &mut Frame<'_>, board: &Board, now: Instant, colour: bool) {
    let area = frame.area();
    let mut screen = Lines {
        buffer: frame.buffer_mut(),
        area,
        next: area.y,
    };
    let facts = facts(board);
    let parts = parts(area.height, board.away.is_some(), facts.len());
    let width = usize::from(area.width);
    let look = Look { colour };
    screen.put(&title(board, width), TITLE);
    let (state, style) = state(board, now, look);
    // Beside the margin.
    let mut state = wrap(&state, width.saturating_sub(1), usize::from(parts.state));
    state.resize(usize::from(parts.state), String::new());
    for line in &state {
        screen.put(&format!(" {line}"), style);
    }
    for fact in facts.iter().take(usize::from(parts.facts)) {
        let style = if fact.alarming {
            look.alarm()
        } else {
            Style::new()
        };
        screen.put(&fact_line(fact), style);
    }
    for _ in 0..parts.gap {
        screen.put("", Style::new());
    }
    screen.put(&heading(board.order, width), HEADING);
    let shown = usize::from(parts.rows);
    for row in board.window(shown) {
        screen.put(&row_line(row, width), look.row(row));
    }
    if board.rows.is_empty() && shown > 0 {
        let nobody = " no agent has joined yet, or none that may be seen from here";
        screen.put(nobody, FAINT);
    }
    screen.put_last(&footer(board, shown, width), FAINT);
}

/// Lines from the top of the screen.
struct Lines<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    next: u16,
}

impl Lines<'_> {
    /// The next line; nothing where the screen has ended.
    fn put(&mut self, text: &str, style: Style) {
        if self.next < self.area.bottom() {
            self.put_at(self.next, text, style);
            self.next += 1;
        }
    }

    /// The last line of the screen, unless that is taken.
    fn put_last(&mut self, text: &str, style: Style) {
        let last = self.area.bottom().saturating_sub(1);
        if self.next <= last {
            self.put_at(last, text, style);
        }
    }

    fn put_at(&mut self, y: u16, text: &str, style: Style) {
        let width = usize::from(self.area.width);
        let text = fit(text, width);
        self.buffer.set_stringn(self.area.x, y, text, width, style);
    }
}

const TITLE: Style = Style::new().add_modifier(Modifier::REVERSED);
const HEADING: Style = Style::new().add_modifier(Modifier::BOLD);
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);

/// What is coloured, if it may be: it is all said in words, too.
#[derive(Debug, Clone, Copy)]
struct Look {
    colour: bool,
}

impl Look {
    fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    fn alarm(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn row(self, row: &Row) -> Style {
        match row {
            row if !row.connected => FAINT,
            row if row.lag != Some(0) => self.coloured(Color::Yellow),
            _ => Style::new(),
        }
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}

/// Over the whole width, as it is shown reversed. Of two names that are too long each has half of the room, and
/// what the other leaves of its half.
fn title(board: &Board, width: usize) -> String {
    let (hub, swarm) = (visible(&board.hub), board.latest.status.swarm.as_str());
    let (before, between) = (" swarm-sync top   hub ", "   swarm ");
    let room = width.saturating_sub(before.len() + between.len());
    let left = |other: usize| (room / 2).max(room.saturating_sub(other));
    let lengths = (hub.chars().count(), swarm.chars().count());
    let (hub, swarm) = (
        fit_name(&hub, left(lengths.1)),
        fit_name(swarm, left(lengths.0)),
    );
    let text = format!("{before}{hub}{between}{swarm}");
    format!("{text:<width$}")
}

/// How it is about the connection.
fn state(board: &Board, now: Instant, look: Look) -> (String, Style) {
    if let Some(away) = &board.away {
        return (away_text(away, now), look.alarm());
    }
    if let Some(silent) = board.silent(now) {
        let seconds = silent.as_secs();
        let text = format!("no answer for {seconds} s; what the hub said last stays");
        return (text, look.alarm());
    }
    let every = span::text(board.interval);
    (format!("connected, asked every {every}"), look.good())
}

fn away_text(away: &Away, now: Instant) -> String {
    let seconds = now.saturating_duration_since(away.since).as_secs();
    format!(
        "the hub is away for {seconds} s; what it said last stays. Trying again: {}",
        visible(&away.why),
    )
}

fn fact_line(fact: &Fact) -> String {
    format!(" {:<10} {}", fact.name, fact.text)
}

/// What stands beside the name of an agent: whether it is connected and its lag, and with room the rest.
const COLUMNS: usize = 1 + 11 + 9;
const ALL_COLUMNS: usize = COLUMNS + 16 + 18;

/// From this width on there is room for all.
const WIDE: usize = 70;

/// The narrowest that a name is made.
const NAME_WIDTH_MIN: usize = 8;

fn columns(cells: [&str; 5], width: usize) -> String {
    let [agent, connected, lag, acked, receipts] = cells;
    let beside = if width < WIDE { COLUMNS } else { ALL_COLUMNS };
    let name = width.saturating_sub(beside).max(NAME_WIDTH_MIN);
    let agent = fit_name(agent, name);
    let line = format!(" {agent:<name$} {connected:>10} {lag:>8}");
    if width < WIDE {
        return line;
    }
    format!("{line} {acked:>15} {receipts:>17}")
}

fn heading(order: Order, width: usize) -> String {
    let (agent, lag) = match order {
        Order::Name => ("agent ▲", "lag"),
        Order::Lag => ("agent", "lag ▼"),
    };
    columns(
        [agent, "connected", lag, "in step up to", "receipts"],
        width,
    )
}

fn row_line(row: &Row, width: usize) -> String {
    let connected = if row.connected { "yes" } else { "no" };
    let cells = [
        &row.agent,
        connected,
        &row.lag_text(),
        &row.acked,
        &row.receipts,
    ];
    columns(cells, width)
}

/// What can be typed, and which agents of how many are shown.
fn footer(board: &Board, shown: usize, width: usize) -> String {
    let keys = " q leave  ↑ ↓ PgUp PgDn Home End scroll  l by lag  n by name";
    let (count, window) = (board.rows.len(), board.window(shown).len());
    if window == 0 {
        return keys.to_owned();
    }
    let first = board.first.min(count - window) + 1;
    let place = format!("{first}-{} of {count}", first + window - 1);
    let between = width.saturating_sub(keys.chars().count() + place.chars().count() + 1);
    format!("{keys}{}{place}", " ".repeat(between.max(2)))
}

#[cfg(test)]
mod tests;
