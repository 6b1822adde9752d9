//! What SIGHUP asks of a hub: to read its files anew, and to say in its log what came of it.

use std::path::Path;

use swarm_sync::StateSynchronizer;

use crate::cli::ServeArgs;

/// Reads them anew beside all else that the hub does.
pub(super) fn start(args: &ServeArgs, hub: &StateSynchronizer) {
    let named = named(args);
    if named.is_empty() {
        tracing::warn!(
            target: "reload",
            "SIGHUP has a hub read its files anew, and this one was started with none: nothing was done; SIGTERM stops it"
        );
        return;
    }
    let hub = hub.clone();
    tokio::spawn(async move { say(&named, hub.reload_policies().await) });
}

/// The files that are read, as the command line names them.
fn named(args: &ServeArgs) -> String {
    let tls = &args.tls;
    let files = [
        &args.policy,
        &tls.rights,
        &tls.tokens,
        &tls.tls_cert,
        &tls.tls_key,
        &tls.tls_ca,
    ];
    let files = files.into_iter().flatten().map(|file| display(file));
    files.collect::<Vec<_>>().join(", ")
}

fn display(file: &Path) -> String {
    file.display().to_string()
}

fn say(named: &str, reloaded: Result<(), swarm_sync::RequestError>) {
    match reloaded {
        Ok(()) => tracing::info!(
            target: "reload",
            "SIGHUP: read anew and in force: {named}; policies and rights hold at once, the others for connections that begin"
        ),
        Err(error) => {
            // A flaw is a line of its own elsewhere; here all of them are one event.
            let why = error.to_string().replace('\n', "; ");
            tracing::error!(
                target: "reload",
                "SIGHUP: nothing has changed, and what was in force stays so: {why}; see to that file and send the signal again"
            );
        }
    }
}
