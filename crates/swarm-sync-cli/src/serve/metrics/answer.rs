//! What is answered at which path.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::{Method, Request, Response, StatusCode};
use metrics_exporter_prometheus::PrometheusHandle;
use swarm_sync::StateSynchronizer;

use super::asker;

/// How long the hub may take to say that it is there, and its store for a flush that is under way. Both
/// take milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// The format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

const TEXT: &str = "text/plain; charset=utf-8";

/// What is told of.
pub(super) struct Sources {
    pub(super) hub: StateSynchronizer,
    pub(super) recorded: PrometheusHandle,
    /// Whether it is told only on this machine.
    pub(super) on_loopback: bool,
}

/// The answer to a question. What comes after its head is not read.
pub(super) async fn answer(
    sources: &Sources,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let headers = request.headers();
    // What is no text is nobody's name for this machine.
    let host = headers.get(HOST).map(|host| host.to_str().unwrap_or(""));
    let has_origin = headers.contains_key(ORIGIN);
    if let Some(reason) = asker::refusal(host, has_origin, sources.on_loopback) {
        return Ok(text(StatusCode::FORBIDDEN, reason));
    }
    let known = matches!(request.uri().path(), "/metrics" | "/health");
    if known && request.method() != Method::GET {
        let mut refused = text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET is answered here\n",
        );
        let headers = refused.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
        return Ok(refused);
    }
    Ok(match request.uri().path() {
        "/metrics" => respond(StatusCode::OK, METRICS, sources.recorded.render()),
        "/health" => health(sources).await,
        _ => text(
            StatusCode::NOT_FOUND,
            "there is nothing here; ask for /metrics or /health\n",
        ),
    })
}

async fn health(sources: &Sources) -> Response<Full<Bytes>> {
    match sources.hub.check(PATIENCE).await {
        Ok(()) => text(StatusCode::OK, "the hub runs, and its store writes\n"),
        Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<Full<Bytes>> {
    respond(status, TEXT, body.into())
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
