//! Processes that end with the test, and waits that end.

pub(crate) mod damage;
mod process;
#[cfg(unix)]
mod proxy;
#[cfg(unix)]
mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

pub(crate) use self::process::Process;
#[cfg(unix)]
pub(crate) use self::proxy::{End, Proxy, Weather};
#[cfg(unix)]
pub(crate) use self::terminal::Terminal;

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
        "TLS_CA",
        "TLS_CERT",
        "TLS_KEY",
        "TOKEN_FILE",
        "METRICS",
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

/// A hub with a directory of its own.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) process: Process,
    pub(crate) address: String,
    /// Where it is measured, if it is.
    pub(crate) metrics: Option<String>,
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

    pub(crate) fn start_as(data: &Path, listen: &str, more: &[&str]) -> Self {
        let args = serve_args(listen, data);
        let process = Process::start(&[&args, more].concat());
        let ready = process.json();
        assert_eq!(ready["event"], "ready", "{ready}");
        let address = ready["addr"].as_str().expect("an address").to_owned();
        let metrics = ready["metrics"].as_str().map(str::to_owned);
        Self {
            process,
            address,
            metrics,
        }
    }

    /// Runs a one-shot command.
    pub(crate) fn client(&self, args: &[&str]) -> Output {
        run(&[args, &["--hub", &self.address]].concat())
    }
}

/// The command line of a hub that says in JSON where it listens.
pub(crate) fn serve_args<'a>(listen: &'a str, data: &'a Path) -> [&'a str; 6] {
    let data = data.to_str().expect("a path of a test is text");
    ["serve", "--listen", listen, "--data", data, "--json"]
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
        Self::of(Process::start(&[&args, more].concat()))
    }

    /// One that was started by itself.
    pub(crate) fn of(process: Process) -> Self {
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
