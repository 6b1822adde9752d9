//! Asking the hub again and again, over a new connection whenever one is lost.

use std::time::{Duration, Instant};

use swarm_sync::{AgentId, Client, TcpLink};
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use super::board::Report;
use super::rates::Sample;
use crate::cli::SwarmArgs;
use crate::exit::Failure;
use crate::oneshot;

/// Longer than a hub takes to answer, short enough to try another connection when it hangs. That it does not
/// answer is shown long before.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest that a hub which is away is left alone, however seldom it is to be asked.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Who asks.
#[derive(Debug)]
pub(super) struct Poller {
    at: SwarmArgs,
    interval: Duration,
    link: TcpLink,
    name: AgentId,
    client: Option<Client>,
}

impl Poller {
    pub(super) fn new(at: SwarmArgs, interval: Duration) -> Result<Self, Failure> {
        let (link, name) = oneshot::link(&at, oneshot::name()?)?;
        Ok(Self {
            at,
            interval,
            link,
            name,
            client: None,
        })
    }

    /// Asks once. A connection that was lost since the last time is no failure if the hub takes a new one.
    pub(super) async fn ask(&mut self) -> Result<Sample, Failure> {
        if let Some(mut client) = self.client.take()
            && let Ok(status) = client.status().await
        {
            self.client = Some(client);
            return Ok(sample(status));
        }
        let swarm = &self.at;
        let connected = oneshot::connect_as(&self.link, swarm, self.name.clone(), PATIENCE).await;
        let mut client = connected?;
        let status = client.status().await?;
        self.client = Some(client);
        Ok(sample(status))
    }

    /// Asks until nobody wants to know any more.
    pub(super) async fn run(mut self, reports: Sender<Report>) {
        let mut pause = self.interval;
        loop {
            sleep(pause).await;
            let at = Instant::now();
            if reports.send(Report::Asked { at }).await.is_err() {
                return;
            }
            let report = match self.ask().await {
                Ok(sample) => {
                    pause = self.interval;
                    Report::Status(Box::new(sample))
                }
                Err(failure) => {
                    pause = self.interval.min(RETRY_MAX);
                    Report::Away {
                        at,
                        why: failure.message().to_owned(),
                    }
                }
            };
            if reports.send(report).await.is_err() {
                return;
            }
        }
    }
}

fn sample(status: swarm_sync::HubStatus) -> Sample {
    Sample {
        at: Instant::now(),
        status,
    }
}
