//! Logs go to stderr; results never do. A thread of its own writes them, so that nobody has to read stderr
//! for the program to go on: what finds no room is left out, and counted.

use std::io::{self, IsTerminal, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use crate::cli::Command;
use crate::output;

/// Lines that may wait for whoever reads stderr.
const LINES_MAX: usize = 1_024;

/// How long the end of the program waits for them.
const PATIENCE: Duration = Duration::from_millis(500);

/// Starts logging. `RUST_LOG` wins over `-v`.
pub(crate) fn start(verbose: u8, command: &Command) -> Logs {
    let level = match (verbose, command) {
        // A replica that nobody drives has nothing to show but its connection.
        (0, Command::Agent(agent)) if !agent.json => "warn,swarm_sync=info",
        // What was lost is its result, and listed there.
        (0, Command::Replay(_)) => "error",
        // What a SIGHUP did is an answer, and there is no other way to give it.
        (0, Command::Serve(_)) => "warn,reload=info",
        (0, _) => "warn",
        (1, _) => {
            "warn,reload=info,swarm_sync=info,sync_protocol=info,sync_transport=info,sync_store=info"
        }
        _ => "info,swarm_sync=trace,sync_protocol=trace,sync_transport=trace,sync_store=trace",
    };
    let filter = if matches!(command, Command::Top(_)) && stderr().is_terminal() {
        // They would be written across its screen, whatever is asked for.
        EnvFilter::new("off")
    } else {
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level))
    };
    let logs = Logs::to(stderr());
    let writer = logs.clone();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || writer.clone())
        .with_ansi(stderr().is_terminal() && output::colour_allowed())
        // It would say so on stderr, where it just failed, and panic over that.
        .log_internal_errors(false)
        .init();
    logs
}

/// What the writing thread is handed.
enum Item {
    Line(Vec<u8>),
    /// To be told once all before it is written.
    Written(SyncSender<()>),
}

/// The way to the thread that writes.
#[derive(Clone)]
pub(crate) struct Logs {
    lines: SyncSender<Item>,
    left_out: Arc<AtomicU64>,
}

impl Logs {
    fn to(out: impl Write + Send + 'static) -> Self {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let left_out = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&left_out);
        // It ends with the process, whatever it is stuck in.
        std::thread::spawn(move || write_all(&waiting, &counted, out));
        Self { lines, left_out }
    }

    /// Waits a little until everything is written.
    pub(crate) fn finish(&self) {
        let until = Instant::now() + PATIENCE;
        let (done, written) = sync_channel(1);
        let mut item = Item::Written(done);
        // There may be no room for the question before some lines are written.
        while let Err(TrySendError::Full(back)) = self.lines.try_send(item) {
            if Instant::now() >= until {
                return;
            }
            item = back;
            sleep(PATIENCE / 100);
        }
        let _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// One event is one write.
impl Write for Logs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Item::Line(line.to_vec())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(waiting: &Receiver<Item>, left_out: &AtomicU64, mut out: impl Write) {
    while let Ok(item) = waiting.recv() {
        match item {
            // There is nobody to tell that it failed.
            Item::Line(line) => drop(out.write_all(&line)),
            Item::Written(done) => drop(done.send(())),
        }
        let count = left_out.swap(0, Ordering::Relaxed);
        if count > 0 {
            let _ = writeln!(
                out,
                "{count} lines of the log were left out: stderr was not read"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes nothing until it may.
    struct Gate(Arc<Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_and_what_is_left_out_is_counted() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let gate = written.lock().unwrap();
        let mut logs = Logs::to(Gate(Arc::clone(&written)));
        let lines = LINES_MAX + 100;
        for _ in 0..lines {
            logs.write_all(b"line\n").unwrap();
        }
        drop(gate);
        logs.finish();
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let told = text.lines().filter(|line| *line == "line").count();
        let left_out = text.lines().find(|line| line.contains("left out"));
        let left_out = left_out.and_then(|line| line.split(' ').next()?.parse::<usize>().ok());
        assert_eq!(left_out.map(|count| count + told), Some(lines), "{text}");
    }
}
