//! Questions about the past, as every handle asks them.

use sync_core::{
    Answer, Ask, DiffPage, HistoryPage, Key, KeyExplanation, Knew, PastAnswer, PastAsk, PastState,
    Reply, RequestError, Revision, Since, SwarmId, Version, WriteId,
};

use crate::agent::Agent;
use crate::client::Client;
use crate::hub::{StateSynchronizer, unexpected};

impl StateSynchronizer {
    /// The commits of a key, the newest first: who wrote, when, under which rule, what lost against it and
    /// by what. At most 64 at a time; `upto` is where an earlier page said to go on, none for the newest.
    pub async fn history(
        &self,
        swarm: &SwarmId,
        key: &Key,
        upto: Option<Version>,
        limit: u32,
    ) -> Result<HistoryPage, RequestError> {
        let key = key.clone();
        let ask = PastAsk::History { key, upto, limit };
        match past(self.ask(swarm, Ask::Past(ask)).await)? {
            PastAnswer::History(page) => Ok(page),
            other => Err(mismatched(other)),
        }
    }

    /// Why the value of a key is what it is, in sentences and as data.
    pub async fn explain(
        &self,
        swarm: &SwarmId,
        key: &Key,
    ) -> Result<KeyExplanation, RequestError> {
        let ask = PastAsk::Explain(key.clone());
        match past(self.ask(swarm, Ask::Past(ask)).await)? {
            PastAnswer::Explained(explained) => Ok(*explained),
            other => Err(mismatched(other)),
        }
    }

    /// What a key was at an earlier revision, as far as its history goes back.
    pub async fn get_state_at(
        &self,
        swarm: &SwarmId,
        key: &Key,
        at: Since,
    ) -> Result<PastState, RequestError> {
        let key = key.clone();
        let ask = PastAsk::StateAt { key, at };
        match past(self.ask(swarm, Ask::Past(ask)).await)? {
            PastAnswer::State(state) => Ok(*state),
            other => Err(mismatched(other)),
        }
    }

    /// What changed after one revision and up to another, each key once, some keys at a time. If
    /// [`DiffPage::next`] is set, go on with what it says.
    pub async fn diff(
        &self,
        swarm: &SwarmId,
        from: Since,
        to: Option<Since>,
        after: Option<Key>,
    ) -> Result<DiffPage, RequestError> {
        let ask = PastAsk::Diff { from, to, after };
        match past(self.ask(swarm, Ask::Past(ask)).await)? {
            PastAnswer::Diff(page) => Ok(page),
            other => Err(mismatched(other)),
        }
    }

    /// What the author of a write had seen of the swarm when it wrote, and what others had committed by
    /// the time the write arrived that it had not. `after` is where an earlier answer said to go on.
    pub async fn knew(
        &self,
        swarm: &SwarmId,
        key: &Key,
        write: &WriteId,
        after: Option<Revision>,
    ) -> Result<Knew, RequestError> {
        let (key, write) = (key.clone(), write.clone());
        let ask = PastAsk::Knew { key, write, after };
        match past(self.ask(swarm, Ask::Past(ask)).await)? {
            PastAnswer::Knew(knew) => Ok(*knew),
            other => Err(mismatched(other)),
        }
    }
}

impl Agent {
    /// As [`StateSynchronizer::history`]. Needs a connection.
    pub async fn history(
        &self,
        key: &Key,
        upto: Option<Version>,
        limit: u32,
    ) -> Result<HistoryPage, RequestError> {
        let key = key.clone();
        let ask = PastAsk::History { key, upto, limit };
        match past(self.ask(Ask::Past(ask), None).await)? {
            PastAnswer::History(page) => Ok(page),
            other => Err(mismatched(other)),
        }
    }

    /// As [`StateSynchronizer::explain`]. Needs a connection.
    pub async fn explain(&self, key: &Key) -> Result<KeyExplanation, RequestError> {
        let ask = PastAsk::Explain(key.clone());
        match past(self.ask(Ask::Past(ask), None).await)? {
            PastAnswer::Explained(explained) => Ok(*explained),
            other => Err(mismatched(other)),
        }
    }

    /// As [`StateSynchronizer::get_state_at`]. Needs a connection.
    pub async fn get_state_at(&self, key: &Key, at: Since) -> Result<PastState, RequestError> {
        let key = key.clone();
        let ask = PastAsk::StateAt { key, at };
        match past(self.ask(Ask::Past(ask), None).await)? {
            PastAnswer::State(state) => Ok(*state),
            other => Err(mismatched(other)),
        }
    }

    /// As [`StateSynchronizer::diff`]. Needs a connection.
    pub async fn diff(
        &self,
        from: Since,
        to: Option<Since>,
        after: Option<Key>,
    ) -> Result<DiffPage, RequestError> {
        let ask = PastAsk::Diff { from, to, after };
        match past(self.ask(Ask::Past(ask), None).await)? {
            PastAnswer::Diff(page) => Ok(page),
            other => Err(mismatched(other)),
        }
    }

    /// As [`StateSynchronizer::knew`]. Needs a connection.
    pub async fn knew(
        &self,
        key: &Key,
        write: &WriteId,
        after: Option<Revision>,
    ) -> Result<Knew, RequestError> {
        let (key, write) = (key.clone(), write.clone());
        let ask = PastAsk::Knew { key, write, after };
        match past(self.ask(Ask::Past(ask), None).await)? {
            PastAnswer::Knew(knew) => Ok(*knew),
            other => Err(mismatched(other)),
        }
    }
}

impl Client {
    /// As [`StateSynchronizer::history`].
    pub async fn history(
        &mut self,
        key: &Key,
        upto: Option<Version>,
        limit: u32,
    ) -> Result<HistoryPage, RequestError> {
        let key = key.clone();
        let ask = PastAsk::History { key, upto, limit };
        match past(self.ask(Ask::Past(ask)).await)? {
            PastAnswer::History(page) => Ok(page),
            other => Err(mismatched(other)),
        }
    }

    /// As [`StateSynchronizer::explain`].
    pub async fn explain(&mut self, key: &Key) -> Result<KeyExplanation, RequestError> {
        let ask = PastAsk::Explain(key.clone());
        match past(self.ask(Ask::Past(ask)).await)? {
            PastAnswer::Explained(explained) => Ok(*explained),
            other => Err(mismatched(other)),
        }
    }

    /// As [`StateSynchronizer::get_state_at`].
    pub async fn get_state_at(&mut self, key: &Key, at: Since) -> Result<PastState, RequestError> {
        let key = key.clone();
        let ask = PastAsk::StateAt { key, at };
        match past(self.ask(Ask::Past(ask)).await)? {
            PastAnswer::State(state) => Ok(*state),
            other => Err(mismatched(other)),
        }
    }

    /// As [`StateSynchronizer::diff`].
    pub async fn diff(
        &mut self,
        from: Since,
        to: Option<Since>,
        after: Option<Key>,
    ) -> Result<DiffPage, RequestError> {
        let ask = PastAsk::Diff { from, to, after };
        match past(self.ask(Ask::Past(ask)).await)? {
            PastAnswer::Diff(page) => Ok(page),
            other => Err(mismatched(other)),
        }
    }

    /// As [`StateSynchronizer::knew`].
    pub async fn knew(
        &mut self,
        key: &Key,
        write: &WriteId,
        after: Option<Revision>,
    ) -> Result<Knew, RequestError> {
        let (key, write) = (key.clone(), write.clone());
        let ask = PastAsk::Knew { key, write, after };
        match past(self.ask(Ask::Past(ask)).await)? {
            PastAnswer::Knew(knew) => Ok(*knew),
            other => Err(mismatched(other)),
        }
    }
}

fn past(reply: Reply) -> Result<PastAnswer, RequestError> {
    match reply? {
        Answer::Past(answer) => Ok(answer),
        other => Err(unexpected(&other)),
    }
}

fn mismatched(answer: PastAnswer) -> RequestError {
    unexpected(&Answer::Past(answer))
}
