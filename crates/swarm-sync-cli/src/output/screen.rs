//! The whole terminal as one screen, given back whatever ends the program.

use std::io::{self, Stdout, stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};

use super::progress::written;

/// Whether there is something to give back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, until this is dropped.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    pub(crate) fn take() -> io::Result<Self> {
        give_back_on_panic();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let entered = written(|| execute!(stdout(), EnterAlternateScreen));
        let terminal = entered.and_then(|()| empty());
        if terminal.is_err() {
            give_back();
        }
        Ok(Self {
            terminal: terminal?,
        })
    }

    /// Counts as a line: a terminal that takes nothing does not hold the process after a signal.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        written(|| self.terminal.draw(draw).map(|_| ()))
    }

    /// Lets the next drawing be of everything, as if nothing were on the screen.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        // Its own `clear` would ask the terminal where the cursor is, and whoever reads keys would get the
        // answer.
        written(|| execute!(stdout(), Clear(ClearType::All)))?;
        self.terminal = empty()?;
        Ok(())
    }

    pub(crate) fn area(&self) -> io::Result<Rect> {
        let size = self.terminal.size()?;
        Ok(Rect::new(0, 0, size.width, size.height))
    }
}

/// What is to be drawn on, with nothing on it.
fn empty() -> io::Result<Terminal<CrosstermBackend<Stdout>>> {
    Terminal::new(CrosstermBackend::new(stdout()))
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// The terminal as it was found, once. First what cannot wait for a terminal that takes nothing.
pub(crate) fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Of a terminal that is gone nothing is left to give back.
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    }
}

/// Before the message, which would be lost with the screen.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let said = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            said(info);
        }));
    });
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;
    use std::num::NonZeroU16;

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::*;

    /// Set where the test is the program on the terminal.
    const INSIDE: &str = "SWARM_SYNC_TEST_ON_A_TERMINAL";

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_said_after_it() {
        if std::env::var_os(INSIDE).is_some() {
            let mut screen = Screen::take().unwrap();
            screen
                .draw(|frame| frame.render_widget("drawn", frame.area()))
                .unwrap();
            panic!("what went wrong");
        }
        let size = PtySize {
            rows: 24,
            cols: 80,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let modes = format!("{:?}", pair.master.get_termios());
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        let name = "output::screen::tests::a_panic_gives_the_terminal_back_and_is_said_after_it";
        command.args(["--exact", name, "--nocapture"]);
        command.env(INSIDE, "yes");
        // It would push what was said off the screen.
        command.env("RUST_BACKTRACE", "0");
        let mut child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let mut written = Vec::new();
        // Ends with an error once nobody has it open any more.
        let _ = reader.read_to_end(&mut written);
        assert!(!child.wait().unwrap().success());
        assert_eq!(format!("{:?}", pair.master.get_termios()), modes);
        let (rows, columns) = (NonZeroU16::new(24).unwrap(), NonZeroU16::new(80).unwrap());
        let mut shown = vt100::Parser::new(rows, columns, 0);
        shown.process(&written);
        let screen = shown.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor());
        let contents = screen.contents();
        assert!(contents.contains("what went wrong"), "{contents}");
        assert!(!contents.contains("drawn"), "{contents}");
        assert!(String::from_utf8_lossy(&written).contains("drawn"));
    }
}
