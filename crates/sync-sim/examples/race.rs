//! A race in the program of an agent, found by trying seeds: `cargo run -p sync-sim --example race`.
//!
//! Agents share some jobs, and each is to be done once. The first program looks whether anybody has taken
//! a job and then takes it: two agents may look before either has taken it. The second one has the hub
//! decide.
#![expect(clippy::print_stdout, reason = "an example says what it has found")]

use std::time::Duration;

use sync_core::RequestError;
use sync_sim::{Agent, Swarm};

/// Jobs to be done.
const JOBS: usize = 3;

/// Seeds that are tried: one in a few has two agents look at the same time.
const SEEDS: u64 = 60;

/// How late an agent begins at most, in milliseconds: later than a write takes to everyone.
const LATE_MS: u64 = 400;

/// How long an agent waits before it asks a hub again that it could not reach.
const RETRY: Duration = Duration::from_millis(20);

/// Takes a job if nobody seems to have it. This is the race.
async fn looks_and_takes(agent: &Agent, job: &str) -> Result<bool, RequestError> {
    if agent.get(job)?.is_some() {
        return Ok(false);
    }
    agent.set(job, agent.name()).await?;
    Ok(true)
}

/// Takes a job if the hub says that nobody has it; whoever cannot reach the hub waits.
async fn has_it_decided(agent: &Agent, job: &str) -> Result<bool, RequestError> {
    loop {
        match agent.compare_and_set(job, None, agent.name()).await {
            Ok(_) => return Ok(true),
            Err(RequestError::Conflict { .. }) => return Ok(false),
            Err(RequestError::Unavailable { .. }) => agent.sleep(RETRY).await,
            Err(error) => return Err(error),
        }
    }
}

/// What is wrong once every agent of a swarm has gone through the jobs.
fn try_seed(
    seed: u64,
    takes: impl AsyncFn(&Agent, &str) -> Result<bool, RequestError>,
) -> Result<(), String> {
    let swarm = Swarm::seed(seed).agents(5);
    // One of them is away for a while in the middle of it.
    let swarm = swarm.partition([1], Duration::from_millis(100)..Duration::from_millis(300));
    let ending = swarm.run(async |agent| {
        let late = agent.random_below(LATE_MS);
        agent.sleep(Duration::from_millis(late)).await;
        for job in 0..JOBS {
            if takes(&agent, &format!("job-{job}"))
                .await
                .expect("an answer")
            {
                agent
                    .add(format!("done-{job}").as_str(), 1)
                    .await
                    .expect("a place on its disk");
            }
        }
    });
    let ending = ending.map_err(|failure| failure.to_string())?;
    for job in 0..JOBS {
        let done = ending
            .get(&format!("done-{job}"))
            .and_then(|state| state.value);
        if done != Some(1.into()) {
            return Err(format!("job {job} was done {done:?} times"));
        }
    }
    Ok(())
}

/// The first seed under which something is wrong.
fn find(
    takes: impl AsyncFn(&Agent, &str) -> Result<bool, RequestError> + Copy,
) -> Option<(u64, String)> {
    (0..SEEDS).find_map(|seed| Some((seed, try_seed(seed, takes).err()?)))
}

fn main() {
    match find(looks_and_takes) {
        Some((seed, wrong)) => println!("looks and takes: under seed {seed}, {wrong}"),
        None => println!("looks and takes: nothing wrong in {SEEDS} seeds"),
    }
    match find(has_it_decided) {
        Some((seed, wrong)) => println!("has it decided: under seed {seed}, {wrong}"),
        None => println!("has it decided: nothing wrong in {SEEDS} seeds"),
    }
}

#[test]
fn the_race_is_found_and_found_again_under_its_seed() {
    let (seed, wrong) = find(looks_and_takes).expect("some seed has it");
    assert_eq!(try_seed(seed, looks_and_takes), Err(wrong));
}

#[test]
fn the_program_that_has_the_hub_decide_has_no_race() {
    assert_eq!(find(has_it_decided), None);
}
