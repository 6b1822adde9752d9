//! `serve --metrics`: where the hub is measured, over HTTP. It has a thread of its own, so that neither the
//! hub nor whoever measures it waits for the other.

mod answer;
mod asker;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use swarm_sync::{StateSynchronizer, metrics};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use self::answer::{Sources, answer};
use crate::exit::{Code, Failure};

/// Connections at once: far more than measure one hub. Others wait in the system's line.
const CONNECTIONS_MAX: usize = 16;

/// How long the head of a request may take to come.
const HEAD: Duration = Duration::from_secs(5);

/// How long a connection lasts, with its question and its answer.
const CONNECTION: Duration = Duration::from_secs(10);

/// Bytes of a request that are kept: the least that the server takes. A question fits many times.
const REQUEST_BYTES_MAX: usize = 8 << 10;

/// What is not told anew for so long is not shown any more, as the lag of an agent that was taken off the
/// roster: the hub tells of everything each second.
const STALE: Duration = Duration::from_secs(5);

/// How often times that were measured are summed up, so that they do not gather where nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// Pause after the system would not accept: it is out of descriptors, and asking at once helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Upper ends of what times are sorted into, in seconds: from a flush of a fast disk to a round that waits
/// for its deadline.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 60.0,
];

/// An address that is listened on, and the recorder. Nobody is answered yet.
pub(super) struct Measured {
    listener: TcpListener,
    address: SocketAddr,
    recorded: PrometheusHandle,
}

impl Measured {
    /// Listens, and has everything recorded from here on.
    pub(super) async fn listen(address: &str) -> Result<Self, Failure> {
        let refused = |reason: String| {
            let message = format!(
                "cannot listen on {address} for metrics: {reason}; if it is taken, stop who listens \
                 there, else choose another with --metrics, where port 0 lets the system choose"
            );
            Failure::new(Code::Failed, "listen", message)
        };
        let found = tokio::net::lookup_host(address).await;
        let found: Vec<SocketAddr> = found.map_err(|e| refused(e.to_string()))?.collect();
        let bound = TcpListener::bind(&found[..]).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, bound) = bound.map_err(|e| refused(e.to_string()))?;
        if !bound.ip().is_loopback() {
            tracing::warn!(
                "{bound} is not a loopback address: whoever reaches it can read there, without any \
                 proof of who it is, what this hub counts and the names of its swarms and agents"
            );
        }
        let recorded = record().map_err(|reason| Failure::new(Code::Failed, "metrics", reason))?;
        Ok(Self {
            listener,
            address: bound,
            recorded,
        })
    }

    /// Where that is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers from now on, until it is stopped.
    pub(super) fn answer(self, hub: &StateSynchronizer) -> io::Result<Answering> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let sources = Arc::new(Sources {
            hub: hub.clone(),
            recorded: self.recorded,
            on_loopback: self.address.ip().is_loopback(),
        });
        let (stop, stopped) = oneshot::channel();
        let listener = self.listener;
        let thread = std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || run(&runtime, listener, &sources, stopped))?;
        Ok(Answering { stop, thread })
    }
}

/// Sets up what records; once in a process.
fn record() -> Result<PrometheusHandle, String> {
    let builder = PrometheusBuilder::new().idle_timeout(MetricKindMask::GAUGE, Some(STALE));
    let builder = builder.set_buckets(&BUCKETS).map_err(|e| e.to_string())?;
    let recorded = builder.install_recorder().map_err(|e| e.to_string())?;
    metrics::describe();
    Ok(recorded)
}

/// The thread that answers.
pub(super) struct Answering {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Answering {
    /// Ends it, with whoever is being answered.
    pub(super) fn stop(self) {
        let _ = self.stop.send(());
        // It waits for nobody. Had it panicked, the hub would have gone on all the same.
        let _ = self.thread.join();
    }
}

fn run(
    runtime: &Runtime,
    listener: TcpListener,
    sources: &Arc<Sources>,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        tokio::select! {
            // Also if the hub's side is gone without a word.
            _ = stopped => {}
            () = upkeep(sources) => {}
            Err(error) = accept(listener, sources) => {
                tracing::error!(%error, "the hub is not measured any more");
            }
        }
    });
}

async fn upkeep(sources: &Sources) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        sources.recorded.run_upkeep();
    }
}

/// Ends only with an error; with it end all connections.
async fn accept(listener: TcpListener, sources: &Arc<Sources>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((stream, _)) => {
                let sources = Arc::clone(sources);
                open.spawn(async move {
                    // Who takes longer, or sends rubbish, is cut off; there is nobody to tell.
                    let _ = tokio::time::timeout(CONNECTION, serve(stream, sources)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One question, one answer.
async fn serve(stream: TcpStream, sources: Arc<Sources>) -> hyper::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .max_buf_size(REQUEST_BYTES_MAX);
    let service = service_fn(|request| answer(&sources, request));
    http.serve_connection(TokioIo::new(stream), service).await
}
