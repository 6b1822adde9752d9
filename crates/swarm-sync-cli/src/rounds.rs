//! What the hub synchronizes by itself and how long it waits, from the command line.

use swarm_sync::{Covers, Pattern, PeriodicPlan, SynchronizerBuilder};

use crate::cli::{Every, RoundArgs};
use crate::exit::{Code, Failure};

/// The name of the plan that no priority names.
const PLAIN: &str = "keys";

pub(crate) fn with_rounds(
    args: &RoundArgs,
    mut builder: SynchronizerBuilder,
) -> Result<SynchronizerBuilder, Failure> {
    check_once(args)?;
    for (priority, deadline) in &args.deadline {
        builder = builder.deadline(*priority, *deadline);
    }
    for every in &args.sync_every {
        let jitter = args.sync_jitter.unwrap_or_default();
        builder = builder.periodic(plan(args, *every)?.with_jitter(jitter));
    }
    Ok(builder)
}

fn plan(args: &RoundArgs, every: Every) -> Result<PeriodicPlan, Failure> {
    if let Some(priority) = every.priority {
        return Ok(PeriodicPlan::of_priority(priority, every.interval));
    }
    let mut patterns = args.sync_keys.clone();
    if patterns.is_empty() {
        patterns.push(Pattern::new("*").map_err(|e| refused(e.to_string()))?);
    }
    let covers = Covers::Patterns(patterns);
    Ok(PeriodicPlan::new(PLAIN, covers, every.interval))
}

/// What is said twice cannot both be meant.
fn check_once(args: &RoundArgs) -> Result<(), Failure> {
    let named: Vec<_> = args.sync_every.iter().map(|every| every.priority).collect();
    let twice = |at: usize| named[..at].contains(&named[at]);
    if let Some(at) = (0..named.len()).find(|at| twice(*at)) {
        let which = named[at].map_or_else(
            || "without a priority".to_owned(),
            |priority| format!("for {priority}"),
        );
        return Err(refused(format!(
            "--sync-every {which} is there twice: give it once, and others for other priorities"
        )));
    }
    if !args.sync_keys.is_empty() && named.iter().all(Option::is_some) {
        let reason = "--sync-keys says what a --sync-every without a priority synchronizes, and there is none: add one, as in --sync-every 60s";
        return Err(refused(reason.to_owned()));
    }
    for (at, (priority, _)) in args.deadline.iter().enumerate() {
        if args.deadline[..at]
            .iter()
            .any(|(other, _)| other == priority)
        {
            return Err(refused(format!(
                "--deadline for {priority} is there twice: give it once"
            )));
        }
    }
    Ok(())
}

fn refused(reason: String) -> Failure {
    Failure::new(Code::Usage, "config", reason)
}
