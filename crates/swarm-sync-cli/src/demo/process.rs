//! The demo's processes: each is this program, spoken to through its pipes like by anybody else.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// No answer takes longer unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// A child of this process, killed when dropped.
#[derive(Debug)]
struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts this program; its stderr goes to a file of the demo's directory.
    fn start(directory: &Path, name: &str, args: &[&str]) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(directory.join(format!("{name}.log")))?;
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            bail!("{name} has no pipes");
        };
        Ok(Self {
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
        })
    }

    async fn read(&mut self) -> Result<Json> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.map_err(|_| anyhow!("it said nothing for {} s", PATIENCE.as_secs()))??;
        let line = line.ok_or_else(|| anyhow!("it ended; its log says why"))?;
        serde_json::from_str(&line).with_context(|| format!("it said {line:?}"))
    }

    async fn ready(&mut self) -> Result<Json> {
        let line = self.read().await?;
        if line["event"] == "ready" {
            return Ok(line);
        }
        bail!("it said {line} instead of being ready")
    }

    /// Closes its stdin and waits until it has ended in an orderly way.
    async fn end(self) -> Result<()> {
        let Self {
            mut child, stdin, ..
        } = self;
        drop(stdin);
        let status = timeout(PATIENCE, child.wait())
            .await
            .map_err(|_| anyhow!("it did not stop"))??;
        if status.success() {
            return Ok(());
        }
        bail!("it stopped with {status}")
    }
}

/// The hub's process.
#[derive(Debug)]
pub(super) struct HubProcess {
    process: Process,
    pub(super) address: String,
}

impl HubProcess {
    /// Starts a hub on `listen`, with the data that is there.
    pub(super) async fn start(directory: &Path, listen: &str) -> Result<Self> {
        let data = directory.join("hub");
        let data = data.to_string_lossy();
        let args = [
            "serve",
            "--listen",
            listen,
            "--data",
            &data,
            "--json",
            "--with-stdin",
        ];
        let mut process = Process::start(directory, "hub", &args)?;
        let ready = process.ready().await.context("hub")?;
        let address = ready["addr"]
            .as_str()
            .context("no address in its first line")?;
        Ok(Self {
            address: address.to_owned(),
            process,
        })
    }

    /// SIGKILL. Returns once it is gone.
    pub(super) async fn kill(mut self) -> Result<()> {
        self.process.child.kill().await.context("killing the hub")
    }

    pub(super) async fn end(self) -> Result<()> {
        self.process.end().await.context("hub")
    }
}

/// An agent's process. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) name: String,
    process: Arc<Mutex<Process>>,
}

impl Peer {
    /// Starts an agent.
    pub(super) async fn start(
        directory: &Path,
        name: &str,
        hub: &str,
        swarm: &str,
        more: &[&str],
    ) -> Result<Self> {
        let data = directory.join(name);
        let data = data.to_string_lossy();
        let args = [
            "agent", "--json", "--hub", hub, "--swarm", swarm, "--id", name, "--data", &data,
        ];
        let mut process = Process::start(directory, name, &[&args, more].concat())?;
        process.ready().await.with_context(|| name.to_owned())?;
        Ok(Self {
            name: name.to_owned(),
            process: Arc::new(Mutex::new(process)),
        })
    }

    /// One request and its answer.
    pub(super) async fn ask(&self, request: Json) -> Result<Json> {
        let answers = self.ask_many(vec![request]).await?;
        answers.into_iter().next().context("no answer")
    }

    /// Requests, sent at once so that the writes among them share flushes; answers in their order.
    pub(super) async fn ask_many(&self, requests: Vec<Json>) -> Result<Vec<Json>> {
        self.exchange(requests)
            .await
            .with_context(|| self.name.clone())
    }

    async fn exchange(&self, mut requests: Vec<Json>) -> Result<Vec<Json>> {
        let mut process = self.process.lock().await;
        let mut text = String::new();
        for (id, request) in requests.iter_mut().enumerate() {
            request["id"] = json!(id);
            text.push_str(&request.to_string());
            text.push('\n');
        }
        let Process { stdin, .. } = &mut *process;
        stdin.write_all(text.as_bytes()).await?;
        stdin.flush().await?;
        let mut answers = vec![Json::Null; requests.len()];
        let mut missing = requests.len();
        while missing > 0 {
            let line = process.read().await?;
            if line.get("event").is_some() {
                continue;
            }
            let id = line["id"].as_u64().and_then(|id| usize::try_from(id).ok());
            let id = id.filter(|id| *id < requests.len());
            let id = id.with_context(|| format!("it answered {line}"))?;
            if line["ok"] != true {
                bail!("{}: {}", requests[id], line["error"]["message"]);
            }
            answers[id] = line;
            missing -= 1;
        }
        Ok(answers)
    }

    /// Ends it in an orderly way. Nobody else may hold it.
    pub(super) async fn end(self) -> Result<()> {
        let process = Arc::into_inner(self.process).context("it is still in use")?;
        process
            .into_inner()
            .end()
            .await
            .with_context(|| self.name.clone())
    }
}

/// Runs `work` for every peer at the same time; results in the peers' order.
pub(super) async fn each<T, F>(peers: &[Peer], work: impl Fn(Peer) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (at, peer) in peers.iter().enumerate() {
        let work = work(peer.clone());
        tasks.spawn(async move { (at, work.await) });
    }
    let mut results: Vec<Option<T>> = peers.iter().map(|_| None).collect();
    while let Some(done) = tasks.join_next().await {
        let (at, result) = done?;
        results[at] = Some(result?);
    }
    Ok(results.into_iter().flatten().collect())
}
