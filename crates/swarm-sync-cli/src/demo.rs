//! `demo`: the whole system as processes of its own on this machine, checked at every step.

mod absence;
mod facts;
mod hub_kill;
mod process;
mod rush;
mod scene;

use std::io::ErrorKind;
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

/// How often and at what distance it is tried to remove the directory.
const REMOVALS: usize = 20;
const REMOVAL: Duration = Duration::from_millis(50);

pub(crate) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let mut signals = Signals::listen()?;
    let directory = directory()?;
    let mut facts = Facts::default();
    let story = async {
        tokio::time::timeout(LIMIT, tell(directory.path(), &mut facts))
            .await
            .unwrap_or_else(|_| Err(anyhow!("the demo took longer than {} s", LIMIT.as_secs())))
    };
    // Dropping the story kills its processes.
    let told = tokio::select! {
        told = story => Some(told),
        () = signals.end() => None,
    };
    let Some(told) = told else {
        return interrupted(directory, &args, facts, started.elapsed()).await;
    };
    facts.error = told.err().map(|error| format!("{error:#}"));
    facts.finish(started.elapsed());
    if args.keep || !facts.ok {
        // What failed stays to be looked into.
        facts.keep(directory);
    } else {
        remove(directory).await;
    }
    let printed = if args.json {
        output::line(&facts.to_json()?)
    } else {
        facts.print()
    };
    Failure::unless(facts.ok, Code::Failed, printed)
}

fn directory() -> Result<TempDir, Failure> {
    let made = tempfile::Builder::new()
        .prefix("swarm-sync-demo-")
        .tempdir();
    made.map_err(|error| {
        let place = std::env::temp_dir();
        let message = format!(
            "the demo cannot make a directory in {}: {error}; set TMPDIR to a directory that can \
             be written to",
            place.display()
        );
        Failure::new(Code::Failed, "io", message)
    })
}

/// A wish of the user, and no failure: there is nothing to look into.
async fn interrupted(
    directory: TempDir,
    args: &DemoArgs,
    mut facts: Facts,
    elapsed: Duration,
) -> Result<(), Failure> {
    let rest = if args.keep {
        let place = facts.keep(directory);
        format!("its data and logs are in {place}")
    } else {
        remove(directory).await;
        "its directory removed".to_owned()
    };
    let sentence = format!("the demo was interrupted: its processes were stopped, {rest}");
    output::complain(&sentence);
    facts.error = Some(sentence);
    facts.finish(elapsed);
    let printed = if args.json {
        output::line(&facts.to_json()?)
    } else {
        Ok(())
    };
    Failure::unless(false, Code::Interrupted, printed)
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

/// Removes the directory. A process that was killed a moment ago may still be writing to it.
async fn remove(directory: TempDir) {
    for _ in 0..REMOVALS {
        match std::fs::remove_dir_all(directory.path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tokio::time::sleep(REMOVAL).await;
            }
            _ => break,
        }
    }
    let path = directory.path().to_owned();
    if let Err(error) = directory.close()
        && path.exists()
    {
        tracing::warn!(%error, "the demo's directory was not removed");
    }
}
