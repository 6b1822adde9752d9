//! What is on stage: the hub, the agents, and the directory they keep their state in.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};
use swarm_sync::{AgentId, Client, HubStatus, LinkOptions, SwarmId, TcpLink};

use super::facts::{AgentFacts, Facts};
use super::process::{HubProcess, Peer, each};

pub(super) const SWARM: &str = "demo";

/// Agents at the start.
const AGENTS: usize = 5;

/// How long replicas may take to become equal.
const CONVERGENCE: Duration = Duration::from_secs(15);

/// How often they are compared until then.
const COMPARISON: Duration = Duration::from_millis(25);

#[derive(Debug)]
pub(super) struct Scene {
    directory: PathBuf,
    /// None while it is dead.
    hub: Option<HubProcess>,
    pub(super) address: String,
    pub(super) agents: Vec<Peer>,
    progress: ProgressBar,
}

impl Scene {
    /// Starts a hub and five agents that are still offline.
    pub(super) async fn open(directory: &Path) -> Result<Self> {
        let progress = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} [{elapsed}] {msg}") {
            progress.set_style(style);
        }
        progress.enable_steady_tick(Duration::from_millis(80));
        progress.set_message("starting a hub and five agents");
        let hub = HubProcess::start(directory, "127.0.0.1:0").await?;
        let mut scene = Self {
            directory: directory.to_owned(),
            address: hub.address.clone(),
            hub: Some(hub),
            agents: Vec::new(),
            progress,
        };
        for number in 1..=AGENTS {
            let agent = scene
                .join(&format!("agent-{number}"), &["--offline"])
                .await?;
            scene.agents.push(agent);
        }
        Ok(scene)
    }

    /// Says what is going on.
    pub(super) fn say(&self, what: &str) {
        self.progress.set_message(what.to_owned());
    }

    /// Starts one more agent, which is not yet among `agents`.
    pub(super) async fn join(&self, name: &str, more: &[&str]) -> Result<Peer> {
        Peer::start(&self.directory, name, &self.address, SWARM, more).await
    }

    /// SIGKILL.
    pub(super) async fn kill_hub(&mut self) -> Result<()> {
        self.hub
            .take()
            .context("the hub is dead already")?
            .kill()
            .await
    }

    /// Starts a hub with the dead one's directory at an address that no agent knows: what it holds,
    /// no replica has told it again.
    pub(super) async fn start_hub_apart(&self) -> Result<HubProcess> {
        if self.hub.is_some() {
            bail!("the hub is not dead");
        }
        HubProcess::start(&self.directory, "127.0.0.1:0").await
    }

    /// Starts the hub again, at the same address and with the same directory.
    pub(super) async fn restart_hub(&mut self) -> Result<()> {
        self.hub = Some(HubProcess::start(&self.directory, &self.address).await?);
        Ok(())
    }

    /// A client of the hub: it reads there and not in a replica.
    pub(super) async fn client(&self) -> Result<Client> {
        client_at(&self.address).await
    }

    /// Waits until every agent has been in step with the hub.
    pub(super) async fn in_step(&self) -> Result<()> {
        let wait = |peer: Peer| async move { peer.ask(json!({"op": "wait"})).await };
        each(&self.agents, wait).await?;
        Ok(())
    }

    /// Waits until every agent and the hub report one digest, each its own; returns the digests.
    pub(super) async fn converge(&self) -> Result<(Vec<Json>, HubStatus)> {
        let until = Instant::now() + CONVERGENCE;
        loop {
            self.in_step().await?;
            let ask = |peer: Peer| async move { peer.ask(json!({"op": "digest"})).await };
            let reports = each(&self.agents, ask).await?;
            let status = self.client().await?.status().await?;
            let digest = status.digest.to_string();
            let equal = reports.iter().all(|r| r["digest"] == digest.as_str());
            if equal || Instant::now() > until {
                return Ok((reports, status));
            }
            tokio::time::sleep(COMPARISON).await;
        }
    }

    /// The last act: every process reports its own digest.
    pub(super) async fn compare(&self, facts: &mut Facts) -> Result<()> {
        self.say("comparing the digests that every process reports");
        let (reports, status) = self.converge().await?;
        let digest = status.digest.to_string();
        for (agent, report) in self.agents.iter().zip(&reports) {
            facts.agents.push(AgentFacts {
                id: agent.name.clone(),
                digest: report["digest"].as_str().unwrap_or_default().to_owned(),
                revision: report["revision"].as_u64().unwrap_or_default(),
                keys: report["keys"].as_u64().unwrap_or_default(),
                pending_writes: report["pending_writes"].as_u64().unwrap_or_default(),
            });
        }
        let equal = facts.agents.iter().filter(|a| a.digest == digest).count();
        let replicas = facts.agents.len();
        facts.converged = equal == replicas;
        facts.replicas = replicas;
        facts.revision = status.revision.get();
        facts.digest.clone_from(&digest);
        facts.check(
            "every agent's digest equals the hub's",
            facts.converged,
            format!("{equal} of {replicas}, at revision {}", facts.revision),
        );
        Ok(())
    }

    /// Stops every process in an orderly way.
    pub(super) async fn close(self) -> Result<()> {
        self.say("stopping every process");
        for agent in self.agents {
            agent.end().await?;
        }
        let Some(hub) = self.hub else {
            bail!("the hub is dead")
        };
        hub.end().await?;
        self.progress.finish_and_clear();
        Ok(())
    }
}

/// A client of the hub at an address.
pub(super) async fn client_at(address: &str) -> Result<Client> {
    let link = TcpLink::new(address, LinkOptions::default());
    let (swarm, name) = (SwarmId::new(SWARM)?, AgentId::new("demo")?);
    let client = Client::connect(&link, swarm, name, Duration::from_secs(10)).await;
    client.context("asking the hub")
}
