//! Questions about the past, to drive tests with.

use sync_core::{
    Answer, Ask, DiffPage, HistoryPage, KeyExplanation, Operation, PastAnswer, PastAsk, PastState,
    PastValue, RequestError, Revision, Since, Value, Version,
};

use crate::stage::{HubSide, key};

pub(crate) fn ask(hub: &mut HubSide, ask: PastAsk) -> Result<PastAnswer, RequestError> {
    match hub.ask(Ask::Past(ask)).expect("the rows are read") {
        Ok(Answer::Past(answer)) => Ok(answer),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    }
}

pub(crate) fn page(hub: &mut HubSide, name: &str, upto: Option<u64>, limit: u32) -> HistoryPage {
    let upto = upto.map(Version::new);
    let key = key(name);
    match ask(hub, PastAsk::History { key, upto, limit }) {
        Ok(PastAnswer::History(page)) => page,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn history(hub: &mut HubSide, name: &str) -> HistoryPage {
    page(hub, name, None, 64)
}

pub(crate) fn versions(page: &HistoryPage) -> Vec<u64> {
    page.commits.iter().map(|c| c.version.get()).collect()
}

pub(crate) fn state_at(hub: &mut HubSide, name: &str, at: u64) -> PastState {
    let at = Since::Revision(Revision::new(at));
    match ask(hub, PastAsk::StateAt { key: key(name), at }) {
        Ok(PastAnswer::State(state)) => *state,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn diff(hub: &mut HubSide, from: u64, to: u64) -> DiffPage {
    let at = |revision| Since::Revision(Revision::new(revision));
    let (from, to, after) = (at(from), Some(at(to)), None);
    match ask(hub, PastAsk::Diff { from, to, after }) {
        Ok(PastAnswer::Diff(page)) => page,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn explain(hub: &mut HubSide, name: &str) -> KeyExplanation {
    match ask(hub, PastAsk::Explain(key(name))) {
        Ok(PastAnswer::Explained(told)) => *told,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn set(hub: &mut HubSide, name: &str, operation: Operation) {
    let ask = Ask::Write {
        key: key(name),
        operation,
        metadata: None,
    };
    hub.ask(ask).expect("durable").expect("it fits");
}

pub(crate) fn is(value: impl Into<Value>) -> PastValue {
    Some(value.into()).into()
}
