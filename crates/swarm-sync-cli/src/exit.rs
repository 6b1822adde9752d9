//! How the program ends: a documented code, and a sentence that says what to do.

use std::io;
use std::process::ExitCode;

use serde_json::{Value as Json, json};
use swarm_sync::keeping::KeepingError;
use swarm_sync::{RequestError, StartError, StoreError, TransportError};

use crate::json::current;
use crate::output;

/// For the end of every `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  it failed, or what was asked about does not hold (`get` of an absent key, a `doctor` that finds
     the clock off)
  2  the command line or the file of policies is not valid
  3  no hub answers there, or it refuses
  4  the data directory is in use, damaged or not accessible, or fails later (a full disk)
  5  `propose`: the vote was against it
  6  `propose`: its time ran out before it was decided
  7  --replicas: the write is made and stays; not so many agents hold it yet
  130  a demo or a replay was interrupted
  129, 130, 143  ended at once by SIGHUP, SIGINT or SIGTERM: by a second one, or, where
     the first is heard, because nobody has read for 2 s what it prints";

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// It failed, or what was asked about does not hold.
    Failed = 1,
    /// The command line, or a file that it names, is not valid. clap's own code.
    Usage = 2,
    /// No hub, or one that refuses.
    NoHub = 3,
    /// The data directory, at the start or later.
    Data = 4,
    /// What was proposed does not take place: it was rejected.
    Rejected = 5,
    /// What was proposed does not take place: nobody has decided in time.
    Undecided = 6,
    /// A write is made, and has not got as far as asked.
    Unreached = 7,
    /// A signal ended what would have ended by itself. What a shell says of SIGINT.
    Interrupted = 130,
}

/// Who reads stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    Person,
    /// One that expects one object.
    Program,
    /// One that expects lines, each an answer or an event.
    Conversation,
}

/// Why the program ends without having done what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    /// A stable word for programs.
    kind: &'static str,
    message: String,
    /// What is wrong besides.
    more: Vec<String>,
    /// What the keys hold that were not as expected.
    current: Option<Json>,
}

impl Failure {
    pub(crate) fn new(code: Code, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            kind,
            message: message.into(),
            more: Vec::new(),
            current: None,
        }
    }

    /// The same with more that is wrong.
    pub(crate) fn with(mut self, more: Vec<String>) -> Self {
        self.more = more;
        self
    }

    /// Says so: a sentence on stderr and, for programs, an object on stdout.
    pub(crate) fn report(self, audience: Audience) -> ExitCode {
        // Whoever closed the pipe has read enough.
        if self.kind == "closed-pipe" {
            return ExitCode::SUCCESS;
        }
        let mut error = json!({"kind": self.kind, "message": self.message});
        if !self.more.is_empty() {
            error["more"] = json!(self.more);
        }
        if let Some(current) = self.current {
            error["current"] = current;
        }
        let object = match audience {
            Audience::Person => None,
            Audience::Program => Some(json!({"ok": false, "error": error})),
            Audience::Conversation => Some(json!({"event": "failed", "error": error})),
        };
        if let Some(object) = object.filter(|_| !self.message.is_empty()) {
            // If that fails there is nobody to tell.
            let _ = output::line(&object.to_string());
        }
        if !self.message.is_empty() {
            output::complain(&self.message);
        }
        for sentence in &self.more {
            output::complain(sentence);
        }
        ExitCode::from(self.code as u8)
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Ends with what was found, which was printed: also if nobody reads it any more.
    pub(crate) fn unless(holds: bool, code: Code, printed: io::Result<()>) -> Result<(), Self> {
        match printed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ if holds => Ok(()),
            _ => Err(Self::silent(code)),
        }
    }

    /// Ends with `code`; everything has been said.
    pub(crate) fn silent(code: Code) -> Self {
        Self::new(code, "failed", "")
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => "closed-pipe",
            _ => "io",
        };
        Self::new(Code::Failed, kind, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::InUse { .. } => "in-use",
            StoreError::Corrupt { .. } => "corrupt",
            StoreError::Format { .. } => "format",
            StoreError::Engine { .. } => "engine",
            _ => "store",
        };
        Self::new(Code::Data, kind, error.to_string())
    }
}

impl From<KeepingError> for Failure {
    fn from(error: KeepingError) -> Self {
        let (code, kind) = match &error {
            KeepingError::Store(error) => return error.clone().into(),
            KeepingError::Row(_) => (Code::Data, "unusable"),
            KeepingError::NotEmpty { .. } => (Code::Data, "not-empty"),
            KeepingError::Nothing => (Code::Data, "empty"),
            KeepingError::Archive { .. } => (Code::Failed, "backup"),
            KeepingError::Exists { .. } => (Code::Failed, "exists"),
            KeepingError::Busy { .. } => (Code::Failed, "busy"),
            _ => (Code::Failed, "io"),
        };
        Self::new(code, kind, error.to_string())
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        let (code, kind) = match error {
            TransportError::Unreachable { .. } => (Code::NoHub, "no-hub"),
            TransportError::Refused { .. } => (Code::NoHub, "refused"),
            TransportError::Tls { .. } => (Code::NoHub, "tls"),
            _ => (Code::NoHub, "transport"),
        };
        Self::new(code, kind, error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) => error.into(),
            StartError::Transport(error) => error.into(),
            StartError::Row(error) => Self::new(Code::Data, "unusable", error.to_string()),
            other => Self::new(Code::Usage, "config", other.to_string()),
        }
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        let code = match error {
            RequestError::Unavailable { .. } => Code::NoHub,
            RequestError::Unreached { .. } => Code::Unreached,
            _ => Code::Failed,
        };
        Self {
            current: current(&error),
            ..Self::new(code, error.kind(), error.to_string())
        }
    }
}
