//! Sees to it that a signal ends the process, whatever its main thread waits for: a write to a pipe that
//! nobody reads cannot be cancelled.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use crate::output;

use super::Heard;

/// How long after a signal one and the same line may take to be read. A reader who merely pauses gets
/// the rest; one who has stopped reading does not hold the process.
const READER_PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether a line moves.
const GLANCE: Duration = Duration::from_millis(50);

/// What a shell adds to the number of the signal that ended a process.
const BY_SIGNAL: i32 = 128;

/// Listens from now on, on a thread and a runtime of its own.
pub(super) fn start() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let heard = {
        let _inside = runtime.enter();
        Heard::listen()?
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(end(heard)))?;
    Ok(())
}

/// The first signal leaves the process to end by itself, unless it is stuck.
async fn end(mut heard: Heard) {
    let first = heard.next().await;
    let signal = tokio::select! {
        second = heard.next() => second,
        () = stuck() => first,
    };
    std::process::exit(BY_SIGNAL + signal.as_raw_value());
}

/// Waits until one line has been under way for too long.
async fn stuck() {
    let mut seen = (output::under_way(), Instant::now());
    loop {
        sleep(GLANCE).await;
        let now = output::under_way();
        if now.is_none() || now != seen.0 {
            seen = (now, Instant::now());
        } else if seen.1.elapsed() >= READER_PATIENCE {
            return;
        }
    }
}
