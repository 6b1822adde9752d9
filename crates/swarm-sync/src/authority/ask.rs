//! How a decision is asked for, and asked for again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sync_core::{Answer, Ask, Attempt, AuthorityAnswer, AuthorityAsk, Incarnation, RequestError};
use tokio::time::{Instant, sleep, timeout_at};

use crate::hub::unexpected;
use crate::span::{after, millis};
use crate::watch::Asker;

/// How long to wait before asking again what could not be asked.
const PAUSE: Duration = Duration::from_millis(200);

/// Whoever can have the hub decide. Each call is one attempt, whatever happens to connections meanwhile.
#[async_trait]
pub(crate) trait Decider: Send + Sync {
    async fn decide(
        &self,
        ask: AuthorityAsk,
        limit: Duration,
    ) -> Result<AuthorityAnswer, RequestError>;
}

/// Numbers the attempts of an asker that is no replica.
pub(crate) struct Attempts {
    asker: Arc<dyn Asker>,
    run: Incarnation,
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    last: u64,
    open: BTreeSet<u64>,
}

impl Attempts {
    /// Those of a run. One that was given before goes on where it began: its first request gets the answer
    /// that the first one got then.
    pub(crate) fn new(asker: Arc<dyn Asker>, run: Incarnation) -> Self {
        Self {
            asker,
            run,
            numbers: Mutex::default(),
        }
    }

    fn begin(&self) -> Attempt {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let first = numbers.open.first().copied();
        let answered = first.map_or(numbers.last, |first| first - 1);
        numbers.last += 1;
        let number = numbers.last;
        numbers.open.insert(number);
        Attempt {
            run: self.run,
            number,
            answered,
            again: false,
        }
    }

    fn end(&self, attempt: Attempt) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        numbers.open.remove(&attempt.number);
    }
}

/// Ends an attempt, also that of a caller who does not wait for it.
struct Open<'a>(&'a Attempts, Attempt);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

#[async_trait]
impl Decider for Attempts {
    async fn decide(
        &self,
        ask: AuthorityAsk,
        limit: Duration,
    ) -> Result<AuthorityAnswer, RequestError> {
        let until = after(limit);
        let late = || RequestError::Deadline {
            doing: "the hub's decision".to_owned(),
            limit_ms: millis(limit),
        };
        let open = Open(self, self.begin());
        let mut tried = false;
        loop {
            let again = tried;
            let (attempt, ask) = (Attempt { again, ..open.1 }, ask.clone());
            let left = until.saturating_duration_since(Instant::now());
            let asked = self.asker.ask(Ask::Authority { attempt, ask }, left);
            let reply = timeout_at(until, asked).await.map_err(|_| late())?;
            let error = match reply {
                Ok(Answer::Authority(answer)) => return Ok(answer),
                Ok(other) => return Err(unexpected(&other)),
                Err(error @ RequestError::ConnectionLost { .. }) => error,
                // Nobody has heard of it.
                Err(error @ RequestError::Unavailable { .. }) if tried => error,
                Err(error) => return Err(error),
            };
            tried = true;
            if Instant::now() + PAUSE >= until {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }
}
