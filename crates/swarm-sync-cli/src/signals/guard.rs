//! Sees to it that a signal ends the process, whatever its main thread waits for: a write to a pipe that
//! nobody reads cannot be cancelled.

use std::io;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use crate::output;

use super::{HangUp, Heard, hears_hang_up};

/// How long after a signal one and the same line may take to be read. A reader who merely pauses gets
/// the rest; one who has stopped reading does not hold the process.
const READER_PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether a line moves.
const GLANCE: Duration = Duration::from_millis(50);

/// How long the terminal may take to be given back.
const TERMINAL_PATIENCE: Duration = Duration::from_millis(200);

/// What a shell adds to the number of the signal that ended a process.
const BY_SIGNAL: i32 = 128;

/// Listens from now on, on a thread and a runtime of its own, to those that ask for the end.
pub(super) fn start(hang_up: HangUp) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let hears = hang_up == HangUp::Ends && hears_hang_up();
    let heard = {
        let _inside = runtime.enter();
        Heard::listen(hears)?
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
    give_back_the_terminal();
    std::process::exit(BY_SIGNAL + signal.as_raw_value());
}

/// On a thread of its own, as the terminal may be what nobody reads.
fn give_back_the_terminal() {
    let (done, given) = channel();
    thread::spawn(move || {
        output::give_back();
        // Who waited may have gone.
        let _ = done.send(());
    });
    let _ = given.recv_timeout(TERMINAL_PATIENCE);
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
