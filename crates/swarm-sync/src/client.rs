//! A peer that holds no replica: asks the hub and leaves. It does not join the roster.

mod levels;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sync_core::codec;
use sync_core::{
    About, Ack, AgentId, Answer, Ask, Body, Connection, DecodeError, Delta, Hello, HubStatus,
    Incarnation, Key, Link, Message, Operation, Pattern, Piece, Pieces, Policy, Refusal, Reply,
    RequestError, Role, Seen, Since, StateVersion, SwarmId, SyncReport, TransportError, Value,
    Version,
};
use sync_protocol::Limits;

use crate::authority::{Attempts, Authority};
use crate::chance;
use crate::consensus::ConsensusManager;
use crate::error::StartError;
use crate::hub::unexpected;
use crate::memory::Memory;
use crate::span::millis;
use crate::watch::{Asker, Watch};

/// A connection of a client. One request at a time.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    /// What has arrived of the answer.
    pieces: Pieces,
    next_request: u64,
    timeout: Duration,
    swarm: SwarmId,
    name: AgentId,
}

impl Client {
    /// Connects under `name`, which need not be unique. Requests take `timeout` at most.
    pub async fn connect(
        link: &dyn Link,
        swarm: SwarmId,
        name: AgentId,
        timeout: Duration,
    ) -> Result<Self, StartError> {
        let incarnation = Incarnation::from_random(chance::fresh());
        let hello = Hello::new(swarm.clone(), name.clone(), incarnation, Role::Client);
        let connecting = tokio::time::timeout(timeout, link.connect(&hello)).await;
        let connection = connecting.map_err(|_| TransportError::Deadline {
            doing: "reaching the hub",
            limit: timeout,
        })??;
        Ok(Self {
            connection,
            pieces: Pieces::default(),
            next_request: 0,
            timeout,
            swarm,
            name,
        })
    }

    /// The state of a key at the hub.
    pub async fn get(&mut self, key: Key) -> Result<Option<StateVersion>, RequestError> {
        match self.ask(Ask::Get(key)).await? {
            Answer::State(state) => Ok(state.map(|boxed| *boxed)),
            other => Err(unexpected(&other)),
        }
    }

    /// The same with where the hub's log stood then, for an [`Expected`](crate::Expected) that holds only
    /// for the log it was read in.
    pub async fn get_with_position(
        &mut self,
        key: Key,
    ) -> Result<(Option<StateVersion>, Seen), RequestError> {
        let state = self.get(key).await?;
        // Asked after it, over the same connection: of the same run, and not before what was read.
        Ok((state, self.status().await?.position()))
    }

    /// The version of a key at the hub.
    pub async fn version(&mut self, key: Key) -> Result<Option<Version>, RequestError> {
        match self.ask(Ask::Version(key)).await? {
            Answer::Version(version) => Ok(version),
            other => Err(unexpected(&other)),
        }
    }

    /// A write decided and made durable at the hub.
    pub async fn write(
        &mut self,
        key: Key,
        operation: Operation,
        metadata: Option<Value>,
    ) -> Result<Ack, RequestError> {
        match self
            .ask(Ask::Write {
                key,
                operation,
                metadata,
            })
            .await?
        {
            Answer::Written(ack) => Ok(ack),
            other => Err(unexpected(&other)),
        }
    }

    /// A full synchronization of `keys` across the swarm. It may take `timeout` beyond what requests
    /// take; without one as long as the hub does, which depends on the priorities of the keys.
    pub async fn sync(
        &mut self,
        keys: Vec<Key>,
        timeout: Option<Duration>,
    ) -> Result<SyncReport, RequestError> {
        let timeout_ms = timeout.map(millis);
        let longest = timeout.unwrap_or_else(|| Limits::default().round_deadline_max);
        let limit = self.timeout.saturating_add(longest);
        let keys = keys.into();
        match self
            .ask_within(Ask::Sync { keys, timeout_ms }, limit)
            .await?
        {
            Answer::Synced(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    /// What changed after `since`; continue from [`Delta::to`] while [`Delta::more`] is set.
    pub async fn delta(&mut self, since: Since) -> Result<Delta, RequestError> {
        match self.ask(Ask::Delta(since)).await? {
            Answer::Delta(delta) => Ok(delta),
            other => Err(unexpected(&other)),
        }
    }

    /// Where the hub stands.
    pub async fn status(&mut self) -> Result<HubStatus, RequestError> {
        match self.ask(Ask::Status).await? {
            Answer::Status(status) => Ok(*status),
            other => Err(unexpected(&other)),
        }
    }

    /// Which versions the hub speaks, and what its clock says.
    pub async fn about(&mut self) -> Result<About, RequestError> {
        match self.ask(Ask::About).await? {
            Answer::About(about) => Ok(about),
            other => Err(unexpected(&other)),
        }
    }

    /// Takes an agent off the roster; false if it was not on it. What it wrote stays, and it is on the
    /// roster again once it connects. Votes count the roster, rounds report who of it is missing: an agent
    /// that has left for good keeps both from their ends.
    pub async fn unregister(&mut self, agent: AgentId) -> Result<bool, RequestError> {
        match self.ask(Ask::Unregister(agent)).await? {
            Answer::Unregistered(was_on) => Ok(was_on),
            other => Err(unexpected(&other)),
        }
    }

    /// The policies in force, the most specific first.
    pub async fn policies(&mut self) -> Result<Vec<Policy>, RequestError> {
        self.policies_by(Ask::Policies).await
    }

    /// Has the hub read its policies anew; those now in force.
    pub async fn reload_policies(&mut self) -> Result<Vec<Policy>, RequestError> {
        self.policies_by(Ask::ReloadPolicies).await
    }

    async fn policies_by(&mut self, ask: Ask) -> Result<Vec<Policy>, RequestError> {
        match self.ask(ask).await? {
            Answer::Policies(policies) => Ok(policies.0),
            other => Err(unexpected(&other)),
        }
    }

    /// Watches what the hub commits to keys that match, after `from`. Connects by itself, and again
    /// whenever the connection is lost.
    ///
    /// With `None` it does not begin with this call, but when [`Watch::next`] or [`Watch::begun`] first
    /// reaches the hub: nothing of what was committed until then is an event.
    pub fn watch(
        link: Arc<dyn Link>,
        swarm: SwarmId,
        name: AgentId,
        pattern: Pattern,
        from: Option<Since>,
    ) -> Watch {
        let asker = RemoteAsker {
            link,
            swarm,
            name,
            client: Mutex::default(),
        };
        Watch::new(Arc::new(asker), pattern, from)
    }

    /// The swarm's memory through this connection, which lasts as long as the handle and its clones. One
    /// request at a time.
    pub fn memory(self) -> Memory {
        let limit = self.timeout;
        let asker = Arc::new(MemoryAsker(tokio::sync::Mutex::new(self)));
        Memory::new(asker, "a client's swarm", limit)
    }

    /// Has the agents of the swarm vote on what this client proposes: over this connection, and through
    /// `link` over another one whenever it is lost.
    pub fn consensus(self, link: Arc<dyn Link>) -> ConsensusManager {
        let patience = self.timeout;
        let asker = RemoteAsker {
            link,
            swarm: self.swarm.clone(),
            name: self.name.clone(),
            client: Mutex::new(Some(self)),
        };
        ConsensusManager::new(Arc::new(asker), patience)
    }

    /// What the hub alone decides: compare-and-set and claims, under this client's name. Over this
    /// connection, and through `link` over another one whenever it is lost.
    ///
    /// A `run` that was given before asks again what it asked then: its first request gets the answer that
    /// the first one got. None draws a fresh one.
    pub fn authority(self, link: Arc<dyn Link>, run: Option<Incarnation>) -> Authority {
        let limit = self.timeout;
        let run = run.unwrap_or_else(|| Incarnation::from_random(chance::fresh()));
        let asker = RemoteAsker {
            link,
            swarm: self.swarm.clone(),
            name: self.name.clone(),
            client: Mutex::new(Some(self)),
        };
        Authority::new(Arc::new(Attempts::new(Arc::new(asker), run)), limit)
    }

    /// Any request.
    pub async fn ask(&mut self, ask: Ask) -> Reply {
        self.ask_within(ask, self.timeout).await
    }

    /// The same with another limit than that of the connection.
    async fn ask_within(&mut self, ask: Ask, limit: Duration) -> Reply {
        self.next_request += 1;
        let request = self.next_request;
        let exchange = self.exchange(request, ask);
        let late = || RequestError::Deadline {
            doing: "the hub's answer".to_owned(),
            limit_ms: millis(limit),
        };
        tokio::time::timeout(limit, exchange)
            .await
            .map_err(|_| late())?
    }

    /// Closes the connection in an orderly way.
    pub async fn close(mut self) {
        self.connection.sender.close().await;
    }

    async fn exchange(&mut self, request: u64, ask: Ask) -> Reply {
        let frame = codec::encode(&Body::Request { request, ask }.into());
        let sent = self.connection.sender.send(vec![frame]).await;
        sent.map_err(not_sent)?;
        loop {
            let received = self.connection.receiver.recv(1).await;
            for frame in received.map_err(lost)? {
                match take_reply(&mut self.pieces, &frame).map_err(lost)? {
                    Some((answered, reply)) if answered == request => return reply,
                    _ => {}
                }
            }
        }
    }

    /// What is left of a client that asks no more by itself.
    #[cfg(feature = "cache")]
    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }
}

/// The answer that a frame completes, if it does, and the request that it answers.
pub(crate) fn take_reply(
    pieces: &mut Pieces,
    frame: &Bytes,
) -> Result<Option<(u64, Reply)>, DecodeError> {
    let Message { body, segments, .. } = codec::decode(frame)?;
    let Body::Reply {
        request,
        delivery: of,
        index,
        frames: count,
    } = body
    else {
        return Ok(None);
    };
    let reply = pieces.take("an answer", Piece { of, index, count }, &segments)?;
    Ok(reply.map(|reply| (request, reply)))
}

/// Why a request was not sent.
pub(crate) fn not_sent(error: TransportError) -> RequestError {
    match error {
        TransportError::FrameTooLarge { bytes, limit } => RequestError::RequestTooLarge {
            bytes: bytes as u64,
            limit: limit as u64,
        },
        other => lost(other),
    }
}

fn lost(error: impl std::fmt::Display) -> RequestError {
    RequestError::ConnectionLost {
        reason: error.to_string(),
    }
}

/// Asks on behalf of a memory, one question after the other.
struct MemoryAsker(tokio::sync::Mutex<Client>);

#[async_trait]
impl Asker for MemoryAsker {
    async fn ask(&self, ask: Ask, limit: Duration) -> Reply {
        let asked = async { self.0.lock().await.ask_within(ask, limit).await };
        // What others ask before counts, too.
        let answered = tokio::time::timeout(limit, asked).await;
        answered.unwrap_or_else(|_| {
            Err(RequestError::Deadline {
                doing: "the hub's answer".to_owned(),
                limit_ms: millis(limit),
            })
        })
    }
}

/// Asks from afar on behalf of a watcher or a proposer, through a connection that is made anew when it is
/// lost.
struct RemoteAsker {
    link: Arc<dyn Link>,
    swarm: SwarmId,
    name: AgentId,
    /// One that no question is using. A second question at the same time makes one of its own.
    client: Mutex<Option<Client>>,
}

#[async_trait]
impl Asker for RemoteAsker {
    async fn ask(&self, ask: Ask, limit: Duration) -> Reply {
        let idle = self.idle().take();
        let mut client = match idle {
            Some(client) => client,
            None => self.connect(limit).await?,
        };
        let reply = client.ask_within(ask, limit).await;
        // An answer that was given up must not meet the next question.
        let is_lost = matches!(
            reply,
            Err(RequestError::ConnectionLost { .. } | RequestError::Deadline { .. })
        );
        if !is_lost {
            *self.idle() = Some(client);
        }
        reply
    }
}

impl RemoteAsker {
    fn idle(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self, limit: Duration) -> Result<Client, RequestError> {
        let (swarm, name) = (self.swarm.clone(), self.name.clone());
        let connected = Client::connect(&*self.link, swarm, name, limit).await;
        connected.map_err(|error| {
            let reason = error.to_string();
            match error {
                StartError::Transport(TransportError::Refused { refusal, .. })
                    if refusal_is_final(&refusal) =>
                {
                    RequestError::Invalid { reason }
                }
                _ => RequestError::ConnectionLost { reason },
            }
        })
    }
}

/// Whether the hub will not have us the next time either; one that is full has room again some time.
fn refusal_is_final(refusal: &Refusal) -> bool {
    !matches!(refusal, Refusal::Full { .. })
}
