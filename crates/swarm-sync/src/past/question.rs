//! What is asked.

use sync_core::{Ask, Key, PastAsk, Revision, Since, Version, WriteId};

pub(super) fn history(key: &Key, upto: Option<Version>, limit: u32) -> Ask {
    let key = key.clone();
    Ask::Past(PastAsk::History { key, upto, limit })
}

pub(super) fn explain(key: &Key) -> Ask {
    Ask::Past(PastAsk::Explain(key.clone()))
}

pub(super) fn state_at(key: &Key, at: Since) -> Ask {
    let key = key.clone();
    Ask::Past(PastAsk::StateAt { key, at })
}

pub(super) fn diff(from: Since, to: Option<Since>, after: Option<Key>) -> Ask {
    Ask::Past(PastAsk::Diff { from, to, after })
}

pub(super) fn knew(key: &Key, write: &WriteId, after: Option<Revision>) -> Ask {
    let (key, write) = (key.clone(), write.clone());
    Ask::Past(PastAsk::Knew { key, write, after })
}
