//! Everything the program says goes through here: results to stdout, complaints to stderr.

use std::io::{self, IsTerminal, Write, stderr, stdout};

use comfy_table::{Cell, Color, ContentArrangement, Table, TableComponent, presets};
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

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
    let mut out = stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes a sentence to stderr.
pub(crate) fn complain(sentence: &str) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(stderr().lock(), "swarm-sync: {sentence}");
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
    let width = table.width().unwrap_or(WIDTH_MAX).min(WIDTH_MAX);
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
    const CHARS_MAX: usize = 60;
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= CHARS_MAX {
        return text;
    }
    let start: String = text.chars().take(CHARS_MAX - 1).collect();
    format!("{start}…")
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
