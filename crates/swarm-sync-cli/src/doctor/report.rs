//! What was looked at, and how it is.

use std::io;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::exit::{Code, Failure};
use crate::output;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// It works, and may not for long, or not as well as it could.
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    #[serde(rename = "check")]
    pub(super) what: &'static str,
    pub(super) verdict: Verdict,
    /// How it is; and what to do, unless it is well.
    pub(super) message: String,
    /// With what the program ends over it.
    #[serde(skip)]
    code: Option<Code>,
}

impl Check {
    pub(super) fn ok(what: &'static str, message: impl Into<String>) -> Self {
        Self {
            what,
            verdict: Verdict::Ok,
            message: message.into(),
            code: None,
        }
    }

    pub(super) fn warn(what: &'static str, message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            ..Self::ok(what, message)
        }
    }

    pub(super) fn fails(&self) -> bool {
        self.verdict == Verdict::Fail
    }

    pub(super) fn fail(what: &'static str, code: Code, message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            code: Some(code),
            ..Self::ok(what, message)
        }
    }
}

/// All of it, in the order in which it was looked at.
#[derive(Debug, Default)]
pub(super) struct Report {
    checks: Vec<Check>,
    /// What programs are told beside them.
    facts: Map<String, Json>,
}

impl Report {
    pub(super) fn extend(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    /// Something for programs alone.
    pub(super) fn add(&mut self, name: &str, fact: Json) {
        self.facts.insert(name.to_owned(), fact);
    }

    /// Prints it. An error is the code of the first that fails: everything has been said then.
    pub(super) fn print(&self, as_json: bool) -> Result<(), Failure> {
        let failed = self.checks.iter().find_map(|check| check.code);
        let printed = if as_json {
            let mut object = self.facts.clone();
            object.insert("ok".to_owned(), json!(failed.is_none()));
            object.insert("checks".to_owned(), json!(self.checks));
            output::line(&Json::Object(object).to_string())
        } else {
            self.lines()
        };
        Failure::unless(failed.is_none(), failed.unwrap_or(Code::Failed), printed)
    }

    fn lines(&self) -> io::Result<()> {
        for check in &self.checks {
            let (word, what) = (check.verdict.word(), check.what);
            let message = output::visible(&check.message);
            output::line(&format!("{word:<5} {what:<12} {message}"))?;
        }
        output::line(&self.summary())
    }

    fn summary(&self) -> String {
        let count = |verdict| self.checks.iter().filter(|c| c.verdict == verdict).count();
        format!(
            "{} ok, {} to look at, {} failed",
            count(Verdict::Ok),
            count(Verdict::Warn),
            count(Verdict::Fail)
        )
    }
}
