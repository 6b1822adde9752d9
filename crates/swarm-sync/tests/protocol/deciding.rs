//! Requests that the hub alone decides, to drive tests with.

use std::time::Duration;

use sync_core::{
    Answer, Assignment, AuthorityAnswer, AuthorityAsk, CommitOutcome, Expectation, RequestError,
    Value, Version,
};
use sync_protocol::{Command, Outcome};

use crate::stage::{AgentSide, HubSide, key, talk};

pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) fn expect(name: &str, version: u64) -> Expectation {
    Expectation::Version {
        key: key(name),
        version: Version::new(version),
        at: None,
    }
}

pub(crate) fn set(name: &str, value: impl Into<Value>) -> Assignment {
    Assignment {
        key: key(name),
        value: Some(value.into()),
    }
}

pub(crate) fn delete(name: &str) -> Assignment {
    Assignment {
        key: key(name),
        value: None,
    }
}

pub(crate) fn commit(expect: Vec<Expectation>, assign: Vec<Assignment>) -> AuthorityAsk {
    AuthorityAsk::Commit {
        expect: expect.into(),
        assign: assign.into(),
        metadata: None,
    }
}

/// Compare one key's version and set it.
pub(crate) fn cas(name: &str, version: u64, value: impl Into<Value>) -> AuthorityAsk {
    commit(vec![expect(name, version)], vec![set(name, value)])
}

/// Asks, talks, and returns the answer.
pub(crate) fn decide(
    hub: &mut HubSide,
    agents: &mut [&mut AgentSide],
    ask: AuthorityAsk,
) -> Result<CommitOutcome, RequestError> {
    let request = agents[0].command(Command::Decide { ask, timeout: LONG });
    talk(hub, agents);
    read(agents[0].answer(request).expect("it is answered"))
}

pub(crate) fn read(answer: Result<Outcome, RequestError>) -> Result<CommitOutcome, RequestError> {
    match answer? {
        Outcome::Answered(Answer::Authority(AuthorityAnswer::Committed(outcome))) => Ok(outcome),
        other => panic!("{other:?}"),
    }
}
