//! The program on a terminal of its own: what its screen shows, keys that are typed, and how it leaves it.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use vt100::{Color, Parser};

use super::{program, until};

/// What a terminal shows after all that was written to it.
type Shown = Arc<Mutex<Parser>>;

/// A process of the program on a terminal, killed when the test ends.
pub(crate) struct Terminal {
    shown: Shown,
    /// None once it is gone.
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    /// How the terminal was set before.
    modes: String,
    /// Lets it be read, to its end or until it shows a word; none if it is.
    unread: Option<Sender<Option<String>>>,
}

impl Terminal {
    /// On a terminal of 80 columns and 24 lines.
    pub(crate) fn start(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut terminal = Self::start_unread(args, environment);
        terminal.read();
        terminal
    }

    /// The same, while nobody reads what is written to it.
    pub(crate) fn start_unread(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let (rows, columns) = (24, 80);
        let pair = native_pty_system()
            .openpty(size(rows, columns))
            .expect("a terminal");
        let modes = modes(&*pair.master);
        let command = command(args, environment);
        let child = pair.slave.spawn_command(command).expect("it starts");
        let reader = pair.master.try_clone_reader().expect("it can be read");
        let keys = pair.master.take_writer().expect("it can be typed on");
        let shown = Arc::new(Mutex::new(Parser::new(number(rows), number(columns), 0)));
        let (unread, begin) = channel::<Option<String>>();
        let all = Arc::clone(&shown);
        thread::spawn(move || {
            if let Ok(until) = begin.recv() {
                show(reader, &all, until.as_deref());
            }
        });
        Self {
            shown,
            master: Some(pair.master),
            keys: Some(keys),
            child,
            modes,
            unread: Some(unread),
        }
    }

    /// Begins to read it.
    pub(crate) fn read(&mut self) {
        self.begin(None);
    }

    /// Reads it until it shows this word, and no further.
    pub(crate) fn read_until(&mut self, word: &str) {
        self.begin(Some(word.to_owned()));
        self.shows(&[word]);
    }

    fn begin(&mut self, until: Option<String>) {
        if let Some(begin) = self.unread.take() {
            begin.send(until).expect("it waits for that");
        }
    }

    fn with<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        look(shown.screen())
    }

    /// The lines that are shown.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.with(|screen| screen.contents().lines().map(str::to_owned).collect())
    }

    /// Waits until a line holds all these, and returns it.
    pub(crate) fn shows(&self, words: &[&str]) -> String {
        let holds = |line: &String| words.iter().all(|word| line.contains(word));
        let lines = until(|| self.lines(), |lines| lines.iter().any(holds));
        lines.into_iter().find(holds).unwrap_or_default()
    }

    /// Waits until no line holds this.
    pub(crate) fn shows_no(&self, word: &str) {
        until(
            || self.lines(),
            |lines| !lines.iter().any(|line| line.contains(word)),
        );
    }

    /// How many of its places have a colour.
    pub(crate) fn coloured(&self) -> usize {
        self.with(|screen| {
            let (rows, columns) = screen.size();
            let places = (0..rows.get()).flat_map(|y| (0..columns.get()).map(move |x| (y, x)));
            let cells = places.filter_map(|(y, x)| screen.cell(y, x));
            cells
                .filter(|cell| cell.fgcolor() != Color::Default || cell.bgcolor() != Color::Default)
                .count()
        })
    }

    /// Whether the program has the whole of it.
    pub(crate) fn taken(&self) -> bool {
        self.with(vt100::Screen::alternate_screen)
    }

    pub(crate) fn press(&mut self, keys: &str) {
        let terminal = self.keys.as_mut().expect("it is there");
        terminal.write_all(keys.as_bytes()).expect("it is there");
        terminal.flush().expect("it is there");
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.set_size(number(rows), number(columns));
        drop(shown);
        self.master()
            .resize(size(rows, columns))
            .expect("it is there");
    }

    fn master(&self) -> &(dyn MasterPty + Send) {
        self.master.as_deref().expect("it is there")
    }

    /// Ends the terminal, which nobody may read any more: the program hears SIGHUP and has none from then on.
    pub(crate) fn hang_up(&mut self) {
        (self.keys, self.master) = (None, None);
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.process_id().expect("it runs").to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.expect("there is a kill").success());
    }

    /// Waits until it waits for the terminal to take what it writes there.
    #[cfg(target_os = "linux")]
    pub(crate) fn stuck(&self) {
        let pid = self.child.process_id().expect("it runs");
        // The number of a system call and its arguments, of which the first is the file; `running` if it waits
        // for nothing.
        let waits = || std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        until(waits, |call| call.split(' ').nth(1) == Some("0x1"));
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until(|| child.try_wait().expect("it ran"), Option::is_some).expect("it has ended")
    }

    /// Whether the terminal is set as it was before.
    pub(crate) fn set_as_before(&self) -> bool {
        modes(self.master()) == self.modes
    }

    /// Waits until all is as it was: its modes, the lines from before, the cursor.
    pub(crate) fn given_back(&self) {
        assert!(self.set_as_before(), "{}", modes(self.master()));
        until(
            || self.with(|screen| (screen.alternate_screen(), screen.hide_cursor())),
            |held| *held == (false, false),
        );
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(args: &[&str], environment: &[(&str, &str)]) -> CommandBuilder {
    let program = program(args);
    let mut command = CommandBuilder::new(program.get_program());
    command.args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        }
    }
    command.env("TERM", "xterm-256color");
    command.env_remove("NO_COLOR");
    for (name, value) in environment {
        command.env(name, value);
    }
    command
}

fn show(mut reader: impl Read, shown: &Mutex<Parser>, until: Option<&str>) {
    let mut bytes = [0; 4_096];
    // It ends with an error once nobody has it open any more.
    while let Ok(read @ 1..) = reader.read(&mut bytes) {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.process(&bytes[..read]);
        if until.is_some_and(|word| shown.screen().contents().contains(word)) {
            return;
        }
    }
}

fn modes(terminal: &dyn MasterPty) -> String {
    format!("{:?}", terminal.get_termios())
}

fn number(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("not 0")
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        ..PtySize::default()
    }
}
