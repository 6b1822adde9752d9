//! Questions about the past, as every handle asks them.

mod pages;
mod question;
mod read;

use sync_core::{
    DiffPage, HistoryPage, Key, KeyExplanation, Knew, PastState, RequestError, Revision, Since,
    SwarmId, Version, WriteId,
};

use crate::agent::Agent;
use crate::client::Client;
use crate::hub::StateSynchronizer;

use self::pages::Pages;

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
        read::history(self.ask(swarm, question::history(key, upto, limit)).await)
    }

    /// Why the value of a key is what it is, in sentences and as data.
    pub async fn explain(
        &self,
        swarm: &SwarmId,
        key: &Key,
    ) -> Result<KeyExplanation, RequestError> {
        read::explained(self.ask(swarm, question::explain(key)).await)
    }

    /// What a key was at an earlier revision, as far as its history goes back.
    pub async fn get_state_at(
        &self,
        swarm: &SwarmId,
        key: &Key,
        at: Since,
    ) -> Result<PastState, RequestError> {
        read::state(self.ask(swarm, question::state_at(key, at)).await)
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
        read::diff(self.ask(swarm, question::diff(from, to, after)).await)
    }

    /// As [`StateSynchronizer::diff`], at most so many pages put together: each key is there once, and
    /// [`DiffPage::next`] set if there is more.
    pub async fn diff_pages(
        &self,
        swarm: &SwarmId,
        from: Since,
        to: Option<Since>,
        after: Option<Key>,
        pages: usize,
    ) -> Result<DiffPage, RequestError> {
        let mut pages = Pages::new(from, to, after, pages);
        while let Some(ask) = pages.ask() {
            pages.take(read::diff(self.ask(swarm, ask).await)?);
        }
        Ok(pages.whole())
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
        read::knew(self.ask(swarm, question::knew(key, write, after)).await)
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
        read::history(self.ask(question::history(key, upto, limit), None).await)
    }

    /// As [`StateSynchronizer::explain`]. Needs a connection.
    pub async fn explain(&self, key: &Key) -> Result<KeyExplanation, RequestError> {
        read::explained(self.ask(question::explain(key), None).await)
    }

    /// As [`StateSynchronizer::get_state_at`]. Needs a connection.
    pub async fn get_state_at(&self, key: &Key, at: Since) -> Result<PastState, RequestError> {
        read::state(self.ask(question::state_at(key, at), None).await)
    }

    /// As [`StateSynchronizer::diff`]. Needs a connection.
    pub async fn diff(
        &self,
        from: Since,
        to: Option<Since>,
        after: Option<Key>,
    ) -> Result<DiffPage, RequestError> {
        read::diff(self.ask(question::diff(from, to, after), None).await)
    }

    /// As [`StateSynchronizer::diff_pages`]. Needs a connection.
    pub async fn diff_pages(
        &self,
        from: Since,
        to: Option<Since>,
        after: Option<Key>,
        pages: usize,
    ) -> Result<DiffPage, RequestError> {
        let mut pages = Pages::new(from, to, after, pages);
        while let Some(ask) = pages.ask() {
            pages.take(read::diff(self.ask(ask, None).await)?);
        }
        Ok(pages.whole())
    }

    /// As [`StateSynchronizer::knew`]. Needs a connection.
    pub async fn knew(
        &self,
        key: &Key,
        write: &WriteId,
        after: Option<Revision>,
    ) -> Result<Knew, RequestError> {
        read::knew(self.ask(question::knew(key, write, after), None).await)
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
        read::history(self.ask(question::history(key, upto, limit)).await)
    }

    /// As [`StateSynchronizer::explain`].
    pub async fn explain(&mut self, key: &Key) -> Result<KeyExplanation, RequestError> {
        read::explained(self.ask(question::explain(key)).await)
    }

    /// As [`StateSynchronizer::get_state_at`].
    pub async fn get_state_at(&mut self, key: &Key, at: Since) -> Result<PastState, RequestError> {
        read::state(self.ask(question::state_at(key, at)).await)
    }

    /// As [`StateSynchronizer::diff`].
    pub async fn diff(
        &mut self,
        from: Since,
        to: Option<Since>,
        after: Option<Key>,
    ) -> Result<DiffPage, RequestError> {
        read::diff(self.ask(question::diff(from, to, after)).await)
    }

    /// As [`StateSynchronizer::diff_pages`].
    pub async fn diff_pages(
        &mut self,
        from: Since,
        to: Option<Since>,
        after: Option<Key>,
        pages: usize,
    ) -> Result<DiffPage, RequestError> {
        let mut pages = Pages::new(from, to, after, pages);
        while let Some(ask) = pages.ask() {
            pages.take(read::diff(self.ask(ask).await)?);
        }
        Ok(pages.whole())
    }

    /// As [`StateSynchronizer::knew`].
    pub async fn knew(
        &mut self,
        key: &Key,
        write: &WriteId,
        after: Option<Revision>,
    ) -> Result<Knew, RequestError> {
        read::knew(self.ask(question::knew(key, write, after)).await)
    }
}
