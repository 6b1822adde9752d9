//! A process of the program that goes on: its lines as they come, its input, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use serde_json::Value as Json;

use super::{PATIENCE, program, until};

/// A process of the program, killed when the test ends.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Process {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_in(args, &[])
    }

    /// The same with these in its environment.
    pub(crate) fn start_in(args: &[&str], environment: &[(&str, &Path)]) -> Self {
        let mut command = program(args);
        command.envs(environment.iter().copied());
        Self::spawn(command)
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stderr(Stdio::piped());
        Self::spawn_as(command)
    }

    /// The same with the stderr it has.
    pub(crate) fn spawn_as(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = lines_of(child.stdout.take().expect("piped"));
        let errors = child.stderr.take().map_or_else(|| channel().1, lines_of);
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            errors,
        }
    }

    /// The next line of stdout.
    pub(crate) fn line(&self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("the program says nothing"),
            Err(RecvTimeoutError::Disconnected) => {
                panic!(
                    "the program has ended: {:?}",
                    self.errors.iter().collect::<Vec<_>>()
                )
            }
        }
    }

    /// The same, if there is one already.
    pub(crate) fn line_if_any(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    pub(crate) fn json(&self) -> Json {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in {line:?}"))
    }

    /// Reads stderr until a line holds `text`.
    pub(crate) fn logged(&self, text: &str) -> String {
        loop {
            let line = self.errors.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|e| panic!("{e} before {text:?} was logged"));
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("not yet closed");
        stdin.write_all(bytes).expect("the program reads");
        stdin.write_all(b"\n").expect("the program reads");
    }

    /// SIGKILL. Returns once it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it was running");
    }

    /// A signal by its name: `TERM`, `INT`, `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.expect("there is a kill").success());
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until(
            || child.try_wait().expect("it was running"),
            Option::is_some,
        )
        .expect("it has ended")
    }

    /// The rest of stderr, after the end.
    pub(crate) fn logs(&self) -> Vec<String> {
        self.errors.iter().collect()
    }

    /// The rest of stdout, after the end.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.lines.iter().collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
