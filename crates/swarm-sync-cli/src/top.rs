//! `top`: a live view of a swarm at its hub. This file waits and carries: what is shown is decided in `board`
//! and `facts`, how it looks in `draw`.

mod board;
mod draw;
#[cfg(test)]
mod examples;
mod facts;
mod keys;
mod poll;
mod rates;
mod rows;
mod text;

use std::io::{self, IsTerminal, stdout};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::Event;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::interval;

use self::board::{Board, Report};
use self::keys::Act;
use self::poll::Poller;
use crate::cli::TopArgs;
use crate::exit::{Code, Failure};
use crate::output::{self, Screen};
use crate::signals::Signals;

/// How often the screen is drawn though nothing was heard: it counts seconds while the hub is silent or away, and
/// is not to be late with the first.
const GLANCE: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: TopArgs) -> Result<(), Failure> {
    refuse_without_a_screen()?;
    let mut signals = Signals::listen()?;
    let hub = args.at.hub.clone();
    let mut poller = Poller::new(args.at, args.interval)?;
    // A hub that is not there at the start is said at once; later it is waited for.
    let first = tokio::select! {
        first = poller.ask() => first?,
        () = signals.end() => return Ok(()),
    };
    let mut board = Board::new(hub, args.interval, first);
    // One answer waits at most: whoever asks does not get ahead of whoever draws.
    let (sender, mut reports) = channel(1);
    let polling = tokio::spawn(poller.run(sender));
    let mut screen = Screen::take()?;
    let shown = tokio::select! {
        shown = show(&mut screen, &mut board, &mut reports) => shown,
        () = signals.end() => Ok(()),
    };
    polling.abort();
    shown?;
    Ok(())
}

/// Draws whatever there is to know until the reader has seen enough.
async fn show(
    screen: &mut Screen,
    board: &mut Board,
    reports: &mut Receiver<Report>,
) -> io::Result<()> {
    let colour = output::colour_allowed();
    let mut events = keys::listen();
    let mut clock = interval(GLANCE);
    loop {
        screen.draw(|frame| draw::draw(frame, board, Instant::now(), colour))?;
        tokio::select! {
            Some(report) = reports.recv() => board.report(report),
            event = events.recv() => if let Some(event) = event {
                if take(&event?, screen, board)? == Next::Leave {
                    return Ok(());
                }
            } else {
                return Ok(());
            },
            _ = clock.tick() => {}
        }
    }
}

/// What comes after an event of the terminal.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Draw,
    Leave,
}

fn take(event: &Event, screen: &mut Screen, board: &mut Board) -> io::Result<Next> {
    match keys::act(event) {
        Some(Act::Leave) => return Ok(Next::Leave),
        Some(Act::Redraw) => screen.forget()?,
        Some(act) => board.scroll(act, draw::rows_shown(screen.area()?, board)),
        None => {}
    }
    Ok(Next::Draw)
}

/// There has to be something that can be drawn on.
fn refuse_without_a_screen() -> Result<(), Failure> {
    let dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
    let wrong = match (stdout().is_terminal(), dumb) {
        (true, false) => return Ok(()),
        (false, _) => "stdout is not a terminal",
        (true, true) => "TERM says that this terminal can only print lines",
    };
    let message = format!(
        "`top` draws on a whole terminal, and {wrong}; ask once with `swarm-sync status`, or with \
         `swarm-sync status --json` for programs"
    );
    Err(Failure::new(Code::Usage, "no-terminal", message))
}
