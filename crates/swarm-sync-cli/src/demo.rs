//! `demo`: the whole system as processes of its own on this machine, checked at every step.

mod absence;
mod facts;
mod hub_kill;
mod process;
mod rush;
mod scene;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use tempfile::TempDir;

use crate::cli::DemoArgs;
use crate::exit::{Code, Failure};
use crate::output;
use crate::signals::Signals;

use self::facts::Facts;
use self::scene::Scene;

/// A demo that takes longer hangs.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let mut signals = Signals::listen()?;
    let directory = tempfile::Builder::new()
        .prefix("swarm-sync-demo-")
        .tempdir()?;
    let mut facts = Facts::default();
    let story = async {
        tokio::time::timeout(LIMIT, tell(directory.path(), &mut facts))
            .await
            .unwrap_or_else(|_| Err(anyhow!("the demo took longer than {} s", LIMIT.as_secs())))
    };
    // Dropping the story kills its processes.
    let told = tokio::select! {
        told = story => told,
        () = signals.end() => Err(anyhow!("interrupted; its processes were stopped")),
    };
    facts.error = told.err().map(|error| format!("{error:#}"));
    facts.finish(started.elapsed());
    keep_or_remove(directory, args.keep, &mut facts);
    if args.json {
        output::line(&facts.to_json()?)?;
    } else {
        facts.print()?;
    }
    if facts.ok {
        Ok(())
    } else {
        Err(Failure::silent(Code::Failed))
    }
}

/// Everything that happens, in order.
async fn tell(directory: &Path, facts: &mut Facts) -> anyhow::Result<()> {
    let mut scene = Scene::open(directory)
        .await
        .context("starting the hub and the agents")?;
    rush::run(&scene, facts)
        .await
        .context("writing concurrently")?;
    absence::run(&mut scene, facts)
        .await
        .context("catching up")?;
    hub_kill::run(&mut scene, facts)
        .await
        .context("killing the hub")?;
    scene
        .compare(facts)
        .await
        .context("comparing the replicas")?;
    scene.close().await.context("stopping the processes")
}

/// What failed stays to be looked into.
fn keep_or_remove(directory: TempDir, keep: bool, facts: &mut Facts) {
    if keep || !facts.ok {
        facts.directory = Some(directory.keep().display().to_string());
    } else if let Err(error) = directory.close() {
        tracing::warn!(%error, "the demo's directory was not removed");
    }
}
