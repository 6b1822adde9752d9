//! Lines from stdin, each of bounded length.

use std::io::{self, BufRead};
use std::thread;

use tokio::sync::mpsc;

/// Longest line. Room for the largest value with every byte escaped, and a bound on what a writer
/// that never ends its line makes this process hold.
pub(super) const LINE_BYTES_MAX: usize = 4 << 20;

/// What is kept of a longer line, so that it can be answered with its id if that comes early.
const START_BYTES: usize = 4 << 10;

/// Lines read ahead: few, as each may be long.
const LINES_MAX: usize = 4;

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end.
    Bytes(Vec<u8>),
    /// The start of a line over the limit; the rest was skipped.
    TooLong(Vec<u8>),
}

impl Line {
    /// Bytes held.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) | Self::TooLong(bytes) => bytes.len(),
        }
    }

    /// Nothing is asked: what an editor or a script leaves at the end.
    fn is_blank(&self) -> bool {
        matches!(self, Self::Bytes(bytes) if bytes.trim_ascii().is_empty())
    }
}

/// The lines of stdin until its end. Read by a thread, because a read of stdin cannot be cancelled.
pub(super) fn stdin() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        while let Some(line) = read_line(&mut stdin, LINE_BYTES_MAX) {
            if line.is_blank() {
                continue;
            }
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The next line; `None` at the end or if reading fails. The last line needs no line end.
fn read_line(input: &mut impl BufRead, limit: usize) -> Option<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    let mut started = false;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        if available.is_empty() && !started {
            return None;
        }
        started = true;
        let end = available.iter().position(|&b| b == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        too_long |= line.len() + part.len() > limit;
        if too_long {
            let missing = START_BYTES.saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(missing)]);
            line.truncate(START_BYTES);
            line.shrink_to_fit();
        } else {
            line.extend_from_slice(part);
        }
        let ended = end.is_some() || available.is_empty();
        let taken = part.len() + usize::from(end.is_some());
        input.consume(taken);
        if ended {
            return Some(if too_long {
                Line::TooLong(line)
            } else {
                Line::Bytes(line)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_are_cut_at_the_limit_and_the_rest_goes_on() {
        // A buffer smaller than a line, so that lines arrive in pieces.
        let mut input = BufReader::with_capacity(3, &b"abcd\n\nabcde\nxyz"[..]);
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut input, 4) {
            lines.push(line);
        }
        let expected = [
            Line::Bytes(b"abcd".to_vec()),
            Line::Bytes(Vec::new()),
            Line::TooLong(b"abcde".to_vec()),
            Line::Bytes(b"xyz".to_vec()),
        ];
        assert_eq!(lines, expected);
        let blank: Vec<bool> = lines.iter().map(Line::is_blank).collect();
        assert_eq!(blank, [false, true, false, false]);
        assert!(Line::Bytes(b" \t\r".to_vec()).is_blank());
    }

    /// Bad input, row 1.
    #[test]
    fn of_a_line_that_never_ends_only_the_start_is_kept() {
        let endless = vec![b'x'; 4 * START_BYTES];
        let mut input = BufReader::with_capacity(100, &endless[..]);
        let Some(Line::TooLong(start)) = read_line(&mut input, 2 * START_BYTES) else {
            panic!("it is over the limit");
        };
        assert_eq!(start.len(), START_BYTES);
        assert!(start.capacity() <= 2 * START_BYTES);
    }
}
