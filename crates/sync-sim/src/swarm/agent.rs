//! What the program of an agent holds: the calls of `swarm_sync::Agent` for reading and writing keys, claims
//! and receipts, in simulated time. What only reads the replica answers at once.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use sync_core::codec::List;
use sync_core::{
    Ack, Answer, Assignment, AuthorityAnswer, AuthorityAsk, CommitOutcome, Expectation, Key, Lease,
    Operation, Receipt, RequestError, StateVersion, Value, Version,
};
use sync_protocol::{Command, Outcome};

use super::stage::Stage;

/// How long a call that needs the hub waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// One agent of a simulated swarm.
#[derive(Debug, Clone)]
pub struct Agent {
    pub(super) stage: Rc<RefCell<Stage>>,
    pub(super) n: usize,
}

impl Agent {
    /// Which agent this is, from 0 on.
    pub fn index(&self) -> usize {
        self.n
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.stage.borrow().nodes[self.n].name.to_string()
    }

    /// The simulated time since the start.
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.stage.borrow().now_us)
    }

    /// Lets time pass.
    pub async fn sleep(&self, time: Duration) {
        let until_us = self.stage.borrow_mut().wake_after(time);
        Sleep {
            agent: self,
            until_us,
        }
        .await;
    }

    /// A number below `bound`, as the seed draws it; 0 if there is none.
    pub fn random_below(&self, bound: u64) -> u64 {
        self.stage.borrow_mut().random.below(bound.max(1))
    }

    /// What the replica shows of a key; none if it holds no value.
    pub fn get<K>(&self, key: K) -> Result<Option<StateVersion>, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        let stage = self.stage.borrow();
        Ok(stage.nodes[self.n].replica.get(stage.now(), &key))
    }

    /// The version of a key as last told by the hub; none if it holds no value.
    pub fn version<K>(&self, key: K) -> Result<Option<Version>, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        Ok(self.stage.borrow().nodes[self.n].replica.version(&key))
    }

    /// Writes that lost, so far, each with what it lost against.
    pub fn receipts(&self) -> Vec<Receipt> {
        self.stage.borrow().nodes[self.n].receipts.clone()
    }

    /// Sets a key.
    pub async fn set<K>(&self, key: K, value: impl Into<Value>) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        self.write(key, Operation::Put(value.into())).await
    }

    /// Deletes a key.
    pub async fn delete<K>(&self, key: K) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        self.write(key, Operation::Delete).await
    }

    /// Adds to a counter.
    pub async fn add<K>(&self, key: K, amount: i64) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        self.write(key, Operation::Add(amount)).await
    }

    /// Does something to a key; answered once that is as durable as the key's policy asks for.
    pub async fn write<K>(&self, key: K, operation: Operation) -> Result<Ack, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let command = Command::Write {
            key: key.try_into().map_err(Into::into)?,
            operation,
            metadata: None,
            level: None,
        };
        match self.run(command).await? {
            Outcome::Written(ack) => Ok(ack),
            other => Err(misanswered(&other)),
        }
    }

    /// Waits until every write made so far is durable at the hub.
    pub async fn flush(&self) -> Result<(), RequestError> {
        let timeout = PATIENCE;
        self.run(Command::FlushToHub { timeout }).await.map(|_| ())
    }

    /// Sets a key if it is at the version expected, none if it must not hold a value.
    ///
    /// # Errors
    /// [`RequestError::Conflict`] if it is not; nothing has changed then.
    pub async fn compare_and_set<K>(
        &self,
        key: K,
        expected: Option<Version>,
        value: impl Into<Value>,
    ) -> Result<CommitOutcome, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        let expected = Expectation::Version {
            key: key.clone(),
            version: expected.unwrap_or_default(),
            at: None,
        };
        let value = Some(value.into());
        let ask = AuthorityAsk::Commit {
            expect: List(vec![expected]),
            assign: List(vec![Assignment { key, value }]),
            metadata: None,
        };
        match self.decide(ask).await? {
            AuthorityAnswer::Committed(outcome) => Ok(outcome),
            other => Err(misanswered(&other)),
        }
    }

    /// Has a key for oneself until the lease is over, if nobody else has it.
    ///
    /// # Errors
    /// [`RequestError::Claimed`] with its holder.
    pub async fn claim<K>(&self, key: K, lease: Duration) -> Result<Lease, RequestError>
    where
        K: TryInto<Key>,
        K::Error: Into<RequestError>,
    {
        let key = key.try_into().map_err(Into::into)?;
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        match self.decide(AuthorityAsk::Claim { key, lease_ms }).await? {
            AuthorityAnswer::Claimed(lease) => Ok(lease),
            other => Err(misanswered(&other)),
        }
    }

    /// Ends a claim, so that others can have the key.
    pub async fn release(&self, claim: &Lease) -> Result<(), RequestError> {
        let (key, token) = (claim.key.clone(), claim.token);
        let ask = AuthorityAsk::Release { key, token };
        self.decide(ask).await.map(|_| ())
    }

    async fn decide(&self, ask: AuthorityAsk) -> Result<AuthorityAnswer, RequestError> {
        let timeout = PATIENCE;
        match self.run(Command::Decide { ask, timeout }).await? {
            Outcome::Answered(Answer::Authority(answer)) => Ok(answer),
            other => Err(misanswered(&other)),
        }
    }

    /// Has the replica do something and waits for its answer.
    pub async fn run(&self, command: Command) -> Result<Outcome, RequestError> {
        let request = {
            let mut stage = self.stage.borrow_mut();
            let (request, now) = (stage.new_request(), stage.now());
            stage.nodes[self.n]
                .replica
                .handle_command(now, request, command);
            stage.drain(self.n);
            request
        };
        Answered {
            agent: self,
            request,
        }
        .await
    }
}

fn misanswered(outcome: &impl std::fmt::Debug) -> RequestError {
    RequestError::Invalid {
        reason: format!("the replica answered another command: {outcome:?}"),
    }
}

/// The answer to a request. Nobody is woken: every program is looked after at every event.
struct Answered<'a> {
    agent: &'a Agent,
    request: u64,
}

impl Future for Answered<'_> {
    type Output = Result<Outcome, RequestError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.agent.stage.borrow_mut();
        match stage.answers.remove(&(self.agent.n, self.request)) {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        }
    }
}

struct Sleep<'a> {
    agent: &'a Agent,
    until_us: u64,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.agent.stage.borrow().now_us >= self.until_us {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
