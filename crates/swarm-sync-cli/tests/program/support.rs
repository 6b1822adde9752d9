//! Processes that end with the test, and waits that end.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine, short enough to end a hung test.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// This program with nothing of the caller's environment that it would read.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-sync"));
    command.args(args).stdin(Stdio::null());
    for name in [
        "HUB",
        "LISTEN",
        "SWARM",
        "NAME",
        "DATA",
        "CONNECTIONS_MAX",
        "OUTBOX_BYTES_MAX",
    ] {
        command.env_remove(format!("SWARM_SYNC_{name}"));
    }
    command.env_remove("RUST_LOG");
    command
}

/// The same, in a shell that runs `first` before it.
#[cfg(unix)]
pub(crate) fn program_after(first: &str, args: &[&str]) -> Command {
    let program = program(args);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{first}; exec \"$0\" \"$@\"")])
        .arg(program.get_program())
        .args(program.get_args())
        .stdin(Stdio::null());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// For a shell: files may not grow over 512 KiB, so that a store fails as on a full disk.
#[cfg(target_os = "linux")]
pub(crate) const SMALL_DISK: &str = "trap '' XFSZ; ulimit -f 1024";

/// Signals that end a process in an orderly way. SIGHUP does not under `nohup`, which these tests
/// may have been started with.
#[cfg(unix)]
pub(crate) fn ending_signals() -> Vec<&'static str> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    let heard = ignored.is_some_and(|mask| {
        mask.trim()
            .ends_with(['0', '2', '4', '6', '8', 'a', 'c', 'e'])
    });
    let hang_up = heard.then_some("HUP");
    ["INT", "TERM"].into_iter().chain(hang_up).collect()
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    program(args).output().expect("the program starts")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}

/// The last line of stdout, as JSON.
pub(crate) fn json_of(output: &Output) -> Json {
    let text = stdout(output);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {text:?}, {}", stderr(output)))
}

/// Asks again until `done`; fails after a while with what `ask` said last.
pub(crate) fn until<T: std::fmt::Debug>(
    mut ask: impl FnMut() -> T,
    done: impl Fn(&T) -> bool,
) -> T {
    let started = Instant::now();
    loop {
        let answer = ask();
        if done(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "still {answer:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

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

/// A hub with a directory of its own.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) process: Process,
    pub(crate) address: String,
}

impl Hub {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_at(data, "127.0.0.1:0")
    }

    pub(crate) fn start_at(data: &Path, listen: &str) -> Self {
        Self::start_as(data, listen, &[])
    }

    /// The same with more on its command line.
    pub(crate) fn start_with(data: &Path, more: &[&str]) -> Self {
        Self::start_as(data, "127.0.0.1:0", more)
    }

    fn start_as(data: &Path, listen: &str, more: &[&str]) -> Self {
        let data = data.to_string_lossy();
        let args = ["serve", "--listen", listen, "--data", &data, "--json"];
        let process = Process::start(&[&args, more].concat());
        let ready = process.json();
        assert_eq!(ready["event"], "ready", "{ready}");
        let address = ready["addr"].as_str().expect("an address").to_owned();
        Self { process, address }
    }

    /// Runs a one-shot command.
    pub(crate) fn client(&self, args: &[&str]) -> Output {
        run(&[args, &["--hub", &self.address]].concat())
    }
}

/// The command line of an agent that is driven by JSON lines.
pub(crate) fn agent_args<'a>(hub: &'a str, name: &'a str, data: &'a str) -> [&'a str; 8] {
    [
        "agent", "--json", "--hub", hub, "--id", name, "--data", data,
    ]
}

/// Where no hub is: nothing listens on port 1.
pub(crate) const NO_HUB: &str = "127.0.0.1:1";

/// An agent that is driven by JSON lines.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) process: Process,
    pub(crate) ready: Json,
    next_id: u64,
    /// Lines that came by themselves.
    pub(crate) events: Vec<Json>,
}

impl Agent {
    pub(crate) fn start(hub: &str, name: &str, data: &Path) -> Self {
        Self::start_with(hub, name, data, &[])
    }

    pub(crate) fn start_with(hub: &str, name: &str, data: &Path, more: &[&str]) -> Self {
        let data = data.to_string_lossy();
        let args = agent_args(hub, name, &data);
        let process = Process::start(&[&args, more].concat());
        let ready = process.json();
        assert_eq!(ready["event"], "ready", "{ready}");
        Self {
            process,
            ready,
            next_id: 0,
            events: Vec::new(),
        }
    }

    /// One request and its answer.
    pub(crate) fn ask(&mut self, mut request: Json) -> Json {
        self.next_id += 1;
        request["id"] = json!(self.next_id);
        self.process.send(request.to_string().as_bytes());
        self.answer(&json!(self.next_id))
    }

    /// The answer with this id; events before it are kept.
    pub(crate) fn answer(&mut self, id: &Json) -> Json {
        loop {
            let line = self.process.json();
            if line.get("event").is_some() {
                self.events.push(line);
            } else {
                assert_eq!(&line["id"], id, "{line}");
                return line;
            }
        }
    }

    /// The same, for a request that must succeed.
    pub(crate) fn ok(&mut self, request: Json) -> Json {
        let answer = self.ask(request.clone());
        assert_eq!(answer["ok"], true, "{request}: {answer}");
        answer
    }

    /// The same, for a request that must fail; returns kind and message.
    pub(crate) fn refused(&mut self, request: Json) -> (String, String) {
        let answer = self.ask(request.clone());
        assert_eq!(answer["ok"], false, "{request}: {answer}");
        let text = |name: &str| {
            answer["error"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        (text("kind"), text("message"))
    }

    pub(crate) fn value(&mut self, key: &str) -> Json {
        self.ok(json!({"op": "get", "key": key}))["value"].clone()
    }

    pub(crate) fn set(&mut self, key: &str, value: &Json) -> Json {
        self.ok(json!({"op": "set", "key": key, "value": value}))
    }

    /// Waits until it is in step with its hub.
    pub(crate) fn in_step(&mut self) {
        self.ok(json!({"op": "wait", "timeout_ms": 60_000}));
    }

    pub(crate) fn flush(&mut self) {
        self.ok(json!({"op": "flush", "level": "hub", "timeout_ms": 60_000}));
    }

    pub(crate) fn digest(&mut self) -> Json {
        self.ok(json!({"op": "digest"}))["digest"].clone()
    }

    /// Waits until a key reads as `value`.
    pub(crate) fn reads(&mut self, key: &str, value: &Json) {
        until(|| self.value(key), |read| read == value);
    }
}

/// A directory for the nodes of one test.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: TempDir::new().expect("a temporary directory"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn hub(&self) -> Hub {
        Hub::start(&self.path("hub"))
    }

    pub(crate) fn agent(&self, hub: &Hub, name: &str) -> Agent {
        Agent::start(&hub.address, name, &self.path(name))
    }
}
