//! A hub and its agents within this process, of which one at a time is connected: the one that writes
//! or catches up. So a commit costs what its writer has to learn, not one message per agent, and any
//! number of agents needs no more than one connection.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_sync::{
    Agent, Coordinator, CoordinatorOptions, Digest, Durability, HubStatus, Key, LinkOptions,
    MemoryCoordinator, MemoryStore, Receipt, StateSynchronizer, SwarmId, TcpCoordinator, TcpLink,
    Traffic, Value,
};

use crate::exit::{Code, Failure};

use super::clock::CommitClock;
use super::history::Author;

const SWARM: &str = "replay";

/// No exchange with the hub takes longer unless something is wrong.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often the hub is asked whether an agent has been told everything.
const QUESTION: Duration = Duration::from_millis(1);

/// Writes of one commit after which a connected agent waits for the hub, so that a huge commit does not
/// pile up on the way.
const WRITES_AT_ONCE: usize = 4_096;

/// How agents reach the hub.
#[derive(Debug)]
enum Wire {
    Memory(Arc<MemoryCoordinator>),
    Tcp(Arc<TcpCoordinator>),
}

/// One change of a commit, as a write.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) key: Key,
    /// None to delete it.
    pub(super) value: Option<Value>,
}

/// What was written, over all agents.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) writes: u64,
    pub(super) deletes: u64,
    /// Deletes of what the agent did not hold: nothing to do.
    pub(super) idle_deletes: u64,
    /// Times an agent exchanged with the hub what either lacked.
    pub(super) rounds: u64,
}

/// One agent.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) agent: Agent,
    /// Whose commits it writes; none if agents take turns.
    pub(super) author: Option<Author>,
    pub(super) commits: u64,
    /// Of these, those the hub does not know.
    unsynced: usize,
}

#[derive(Debug)]
pub(super) struct Swarm {
    wire: Wire,
    hub: StateSynchronizer,
    id: SwarmId,
    pub(super) members: Vec<Member>,
    connected: Option<usize>,
    clock: Arc<CommitClock>,
    pub(super) counts: Counts,
}

impl Swarm {
    pub(super) async fn open(tcp: bool) -> Result<Self, Failure> {
        let (wire, coordinator): (Wire, Arc<dyn Coordinator>) = if tcp {
            let bound = TcpCoordinator::bind("127.0.0.1:0", CoordinatorOptions::default()).await?;
            let bound = Arc::new(bound);
            (Wire::Tcp(Arc::clone(&bound)), bound)
        } else {
            let memory = Arc::new(MemoryCoordinator::default());
            (Wire::Memory(Arc::clone(&memory)), memory)
        };
        let clock = Arc::new(CommitClock::new());
        let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), coordinator)
            .clock(Arc::<CommitClock>::clone(&clock));
        let id = SwarmId::new(SWARM).map_err(|e| failure("config", e.to_string()))?;
        Ok(Self {
            wire,
            hub: hub.start().await?,
            id,
            members: Vec::new(),
            connected: None,
            clock,
            counts: Counts::default(),
        })
    }

    /// One more agent, cut off, with an empty replica.
    pub(super) async fn join(&mut self, author: Option<Author>) -> Result<(), Failure> {
        let name = format!("agent-{}", self.members.len() + 1);
        let builder = match &self.wire {
            Wire::Memory(memory) => Agent::builder(&name, memory.link()),
            Wire::Tcp(tcp) => Agent::builder(
                &name,
                TcpLink::new(tcp.local_addr(), LinkOptions::default()),
            ),
        };
        let builder = builder
            .swarm(SWARM)
            .clock(Arc::<CommitClock>::clone(&self.clock))
            .default_timeout(PATIENCE)
            .offline();
        self.members.push(Member {
            agent: builder.start().await?,
            name,
            author,
            commits: 0,
            unsynced: 0,
        });
        Ok(())
    }

    /// An agent catches up, writes one commit and waits until the hub has it.
    pub(super) async fn write_in_step(
        &mut self,
        who: usize,
        commit: &[Write],
    ) -> Result<(), Failure> {
        self.clock.advance();
        self.connect(who).await?;
        self.catch_up(who).await?;
        for writes in commit.chunks(WRITES_AT_ONCE) {
            self.write(who, writes).await?;
            self.flush(who).await?;
        }
        self.members[who].commits += 1;
        Ok(())
    }

    /// An agent writes one commit cut off; after `every` of them it syncs.
    pub(super) async fn write_cut_off(
        &mut self,
        who: usize,
        commit: &[Write],
        every: NonZeroUsize,
    ) -> Result<(), Failure> {
        self.clock.advance();
        self.write(who, commit).await?;
        let member = &mut self.members[who];
        member.commits += 1;
        member.unsynced += 1;
        if member.unsynced >= every.get() {
            self.sync(who).await?;
        }
        Ok(())
    }

    /// The end: whatever waits reaches the hub, then every agent catches up and is told what became of
    /// its writes. Calls `done` for each.
    pub(super) async fn settle(&mut self, mut done: impl FnMut()) -> Result<HubStatus, Failure> {
        for who in 0..self.members.len() {
            if self.members[who].unsynced > 0 {
                self.sync(who).await?;
            }
        }
        for who in 0..self.members.len() {
            self.connect(who).await?;
            self.catch_up(who).await?;
            self.told(who).await?;
            done();
        }
        self.disconnect().await?;
        Ok(self.hub.status(&self.id).await?)
    }

    /// What one replica holds.
    pub(super) async fn state(&self, who: usize) -> Result<BTreeMap<Key, Value>, Failure> {
        let agent = &self.members[who].agent;
        let mut state = BTreeMap::new();
        for key in agent.keys("*").await? {
            let read = agent.get(key.clone()).await?;
            if let Some(value) = read.and_then(|read| read.value) {
                state.insert(key, value);
            }
        }
        Ok(state)
    }

    pub(super) async fn digest(&self, who: usize) -> Result<Digest, Failure> {
        Ok(self.members[who].agent.digest().await?)
    }

    pub(super) async fn receipts(&self, who: usize) -> Result<Vec<Receipt>, Failure> {
        Ok(self.members[who].agent.receipts().await?)
    }

    /// Bytes between hub and agents, both ways.
    pub(super) fn bytes(&self) -> u64 {
        let Traffic { sent, received, .. } = match &self.wire {
            Wire::Memory(memory) => memory.traffic(),
            Wire::Tcp(tcp) => tcp.traffic(),
        };
        sent + received
    }

    /// Stops everyone in an orderly way.
    pub(super) async fn close(self) {
        for member in &self.members {
            member.agent.shutdown().await;
        }
        self.hub.shutdown().await;
    }

    async fn sync(&mut self, who: usize) -> Result<(), Failure> {
        self.connect(who).await?;
        self.flush(who).await?;
        self.catch_up(who).await?;
        self.disconnect().await?;
        self.members[who].unsynced = 0;
        Ok(())
    }

    async fn connect(&mut self, who: usize) -> Result<(), Failure> {
        // Who writes twice in a row need not leave in between.
        if self.connected != Some(who) {
            self.disconnect().await?;
            self.members[who].agent.go_online().await?;
            self.connected = Some(who);
        }
        Ok(())
    }

    async fn disconnect(&mut self) -> Result<(), Failure> {
        if let Some(who) = self.connected.take() {
            self.members[who].agent.go_offline().await?;
        }
        Ok(())
    }

    async fn catch_up(&mut self, who: usize) -> Result<(), Failure> {
        self.counts.rounds += 1;
        Ok(self.members[who].agent.wait_in_step(PATIENCE).await?)
    }

    async fn flush(&self, who: usize) -> Result<(), Failure> {
        let agent = &self.members[who].agent;
        Ok(agent.flush(Durability::Hub, Some(PATIENCE)).await?)
    }

    async fn write(&mut self, who: usize, writes: &[Write]) -> Result<(), Failure> {
        let agent = &self.members[who].agent;
        for Write { key, value } in writes {
            match value {
                Some(value) => {
                    agent.set(key.clone(), value.clone()).await?;
                    self.counts.writes += 1;
                }
                None if agent.delete(key.clone()).await?.write_id.is_some() => {
                    self.counts.deletes += 1;
                }
                None => self.counts.idle_deletes += 1,
            }
        }
        Ok(())
    }

    /// Waits until the hub has no receipt left for an agent: they are messages of their own.
    async fn told(&self, who: usize) -> Result<(), Failure> {
        let name = &self.members[who].name;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let status = self.hub.status(&self.id).await?;
            let mut members = status.members.iter();
            if members.any(|m| m.agent.as_str() == name && m.receipts == 0) {
                return Ok(());
            }
            tokio::time::sleep(QUESTION).await;
        }
        let message = format!("{name} was not told what became of its writes");
        Err(failure("deadline", message))
    }
}

fn failure(kind: &'static str, message: String) -> Failure {
    Failure::new(Code::Failed, kind, message)
}
