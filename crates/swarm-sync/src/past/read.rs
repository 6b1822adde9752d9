//! What is answered, if it is an answer to that.

use sync_core::{
    Answer, DiffPage, HistoryPage, KeyExplanation, Knew, PastAnswer, PastState, Reply, RequestError,
};

use crate::hub::unexpected;

pub(super) fn history(reply: Reply) -> Result<HistoryPage, RequestError> {
    match reply? {
        Answer::Past(PastAnswer::History(page)) => Ok(page),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn explained(reply: Reply) -> Result<KeyExplanation, RequestError> {
    match reply? {
        Answer::Past(PastAnswer::Explained(explained)) => Ok(*explained),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn state(reply: Reply) -> Result<PastState, RequestError> {
    match reply? {
        Answer::Past(PastAnswer::State(state)) => Ok(*state),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn diff(reply: Reply) -> Result<DiffPage, RequestError> {
    match reply? {
        Answer::Past(PastAnswer::Diff(page)) => Ok(page),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn knew(reply: Reply) -> Result<Knew, RequestError> {
    match reply? {
        Answer::Past(PastAnswer::Knew(knew)) => Ok(*knew),
        other => Err(unexpected(&other)),
    }
}
