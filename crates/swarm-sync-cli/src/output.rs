//! Everything the program says goes through here: results to stdout, complaints to stderr.

mod progress;
mod screen;
mod shorten;

use std::io::{self, IsTerminal, Write, stderr, stdout};

use comfy_table::{Cell, Color, ContentArrangement, Table, TableComponent, presets};
use serde_json::Value as Json;
use swarm_sync::AgentId;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[cfg(unix)]
pub(crate) use self::progress::under_way;
use self::progress::written;
pub(crate) use self::screen::Screen;
#[cfg(unix)]
pub(crate) use self::screen::give_back;
use self::shorten::SHOWN_MAX;
pub(crate) use self::shorten::shorten;

/// Widest table, so that it reads well in a report too.
const WIDTH_MAX: u16 = 80;

/// Lines that may wait to be written. Past it whoever answers waits, and in the end so does whoever
/// asks faster than it reads.
const LINES_MAX: usize = 256;

/// Whether colour is allowed at all; see <https://no-color.org>.
pub(crate) fn colour_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Writes one line to stdout.
pub(crate) fn line(text: &str) -> io::Result<()> {
    written(|| {
        let mut out = stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    })
}

/// Writes a sentence to stderr.
pub(crate) fn complain(sentence: &str) {
    // Without a stderr there is nobody to tell.
    let _ = written(|| writeln!(stderr().lock(), "swarm-sync: {}", visible(sentence)));
}

/// Text that somebody else wrote, for a terminal: what would steer it is written out.
pub(crate) fn visible(text: &str) -> String {
    let steers = |c: char| {
        // Beyond the control characters: separators of lines, and marks that change the direction.
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => shown.extend(c.escape_default()),
            c if steers(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// A table with these headings, no wider than the terminal and never than 80 columns.
pub(crate) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(headings);
    // A line under the headings is enough.
    for part in [
        TableComponent::HorizontalLines,
        TableComponent::MiddleIntersections,
        TableComponent::LeftBorderIntersections,
        TableComponent::RightBorderIntersections,
    ] {
        table.remove_style(part);
    }
    // A terminal that says it has no columns does not know.
    let told = table.width().filter(|width| *width > 0);
    let width = told.unwrap_or(WIDTH_MAX).min(WIDTH_MAX);
    table.set_width(width);
    table
}

/// A cell that says whether something holds, in colour where that is welcome.
pub(crate) fn verdict(holds: bool) -> Cell {
    let (text, colour) = if holds {
        ("ok", Color::Green)
    } else {
        ("FAILED", Color::Red)
    };
    let cell = Cell::new(text);
    if stdout().is_terminal() && colour_allowed() {
        cell.fg(colour)
    } else {
        cell
    }
}

/// A value as a cell: short.
pub(crate) fn brief(value: &Json) -> String {
    match value {
        Json::String(text) => brief_text(text),
        other => brief_text(&other.to_string()),
    }
}

/// Text as a cell: short, and nothing in it steers the terminal.
pub(crate) fn brief_text(text: &str) -> String {
    // More is not shown, so it need not be written out.
    let start: String = text.chars().take(SHOWN_MAX + 1).collect();
    shorten(&visible(&start))
}

/// A number or a dash.
pub(crate) fn or_dash<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| v.to_string())
}

/// Lines to stdout from any number of tasks, in the order in which they were sent.
#[derive(Debug)]
pub(crate) struct Lines {
    sender: mpsc::Sender<String>,
    task: JoinHandle<()>,
}

impl Lines {
    pub(crate) fn start() -> Self {
        let (sender, receiver) = mpsc::channel(LINES_MAX);
        Self {
            sender,
            task: tokio::spawn(write_lines(receiver)),
        }
    }

    pub(crate) fn sender(&self) -> mpsc::Sender<String> {
        self.sender.clone()
    }

    /// Waits until nobody reads stdout any more.
    pub(crate) async fn closed(&self) {
        self.sender.closed().await;
    }

    /// Waits until everything sent was written. Every other sender must be gone.
    pub(crate) async fn finish(self) {
        drop(self.sender);
        let _ = self.task.await;
    }
}

/// Ends when the senders are gone or stdout is closed.
async fn write_lines(mut lines: mpsc::Receiver<String>) {
    let mut stdout = tokio::io::stdout();
    let mut waiting = Vec::with_capacity(LINES_MAX);
    while lines.recv_many(&mut waiting, LINES_MAX).await > 0 {
        let mut text = String::new();
        for line in waiting.drain(..) {
            text.push_str(&line);
            text.push('\n');
        }
        let written = stdout.write_all(text.as_bytes()).await;
        if written.is_err() || stdout.flush().await.is_err() {
            return;
        }
    }
}

/// Agents, by name.
pub(crate) fn names<'a>(agents: impl IntoIterator<Item = &'a AgentId>) -> String {
    let names: Vec<_> = agents.into_iter().map(AgentId::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Bad input, row 5.
    #[test]
    fn what_would_steer_a_terminal_is_written_out() {
        let cases = [
            ("plain, ä and 🐝", "plain, ä and 🐝"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("two\nlines\r\t", "two\\nlines\\r\\t"),
            ("\u{9b}31m\u{7f}\u{7}", "\\u{9b}31m\\u{7f}\\u{7}"),
            ("\u{202e}gnp.exe", "\\u{202e}gnp.exe"),
        ];
        for (text, shown) in cases {
            assert_eq!(visible(text), shown);
            assert_eq!(brief(&json!(text)), shown);
            assert!(!brief(&json!([text])).chars().any(char::is_control));
        }
    }

    #[test]
    fn long_cells_are_cut() {
        assert_eq!(brief_text(&"k".repeat(60)), "k".repeat(60));
        let cut = format!("{}…", "k".repeat(59));
        assert_eq!(brief_text(&"k".repeat(61)), cut);
        assert_eq!(brief_text(&"\u{1b}".repeat(1_000)).chars().count(), 60);
    }
}
