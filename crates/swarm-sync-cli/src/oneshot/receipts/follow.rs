//! `receipts --follow`: a line for each as it arrives, across lost connections and restarts of the hub.

use std::time::Duration;

use swarm_sync::{
    AgentId, Answer, Ask, Client, Epoch, Receipt, ReceiptPlace, RequestError, WriteId,
};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::cli::ReceiptsArgs;
use crate::exit::{Code, Failure};
use crate::oneshot::connect;
use crate::output;

use super::{list, misanswered, take, tell_one};

/// How often it is asked for more: people read no faster.
const GLANCE: Duration = Duration::from_millis(500);

/// Between two attempts to reach a hub that is away: soon enough for people, seldom enough for the hub.
const PAUSE: Duration = Duration::from_millis(500);

/// How far the receipts were shown.
#[derive(Debug)]
struct Shown {
    /// The last of them, and the run of the hub that told of it; none if there is none that this hub knows.
    last: Option<(ReceiptPlace, Epoch)>,
    /// Shown, and not forgotten at the hub yet: no more than wait there, which is bounded.
    untaken: Vec<WriteId>,
}

/// Why a connection is not used any more.
enum Over {
    /// The hub may be there again later.
    Lost,
    Failed(Failure),
}

pub(super) async fn follow(args: &ReceiptsArgs, whose: &AgentId) -> Result<(), Failure> {
    // A hub that is not there at the start is said at once; later it is waited for.
    let mut client = connect(&args.hub).await?;
    let mut shown = Shown {
        last: None,
        untaken: Vec::new(),
    };
    loop {
        if let Over::Failed(failure) = tell(&mut client, args, whose, &mut shown).await {
            return Err(failure);
        }
        client = again(args).await?;
    }
}

/// Shows what arrives until the connection is over.
async fn tell(
    client: &mut Client,
    args: &ReceiptsArgs,
    whose: &AgentId,
    shown: &mut Shown,
) -> Over {
    let mut ticks = interval(GLANCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let run = match find_place(client, args, shown).await {
        Ok(run) => run,
        Err(over) => return over,
    };
    loop {
        ticks.tick().await;
        if let Err(over) = glance(client, args, whose, run, shown).await {
            return over;
        }
    }
}

/// Which run of the hub it is, and whether that has lost what the place is of: then its receipts begin anew.
async fn find_place(
    client: &mut Client,
    args: &ReceiptsArgs,
    shown: &mut Shown,
) -> Result<Epoch, Over> {
    // A connection ends with its run.
    let now = client.status().await?.epoch;
    let Some(((revision, ..), run)) = shown.last else {
        return Ok(now);
    };
    // Who holds it does not matter here: the answer says that the hub knows the revision.
    let ask = Ask::Held {
        epoch: Some(run),
        revision,
        replicas: 0,
        wait_ms: 0,
    };
    match client.ask(ask).await {
        Ok(Answer::Held(_)) => {}
        Ok(other) => return Err(misanswered(&other).into()),
        Err(error @ (RequestError::EpochMismatch { .. } | RequestError::Ahead { .. })) => {
            if !args.hub.json {
                output::line(&format!(
                    "-- {error}; every receipt that waits follows anew"
                ))?;
            }
            shown.last = None;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(now)
}

async fn glance(
    client: &mut Client,
    args: &ReceiptsArgs,
    whose: &AgentId,
    run: Epoch,
    shown: &mut Shown,
) -> Result<(), Over> {
    let mut place = shown.last.as_ref().map(|(place, _)| place.clone());
    let listed: Vec<Receipt> = list(client, whose, &mut place).await?;
    for receipt in &listed {
        tell_one(receipt, args)?;
    }
    // A later run that has this place knows it under its own name, too.
    shown.last = place.map(|place| (place, run));
    if args.take {
        // What is taken is nowhere else: it is taken once it is out of this process.
        let writes = listed.into_iter().map(|receipt| receipt.write);
        shown.untaken.extend(writes);
        take(client, &shown.untaken).await?;
        shown.untaken.clear();
    }
    Ok(())
}

/// A connection to the hub once it is there again.
async fn again(args: &ReceiptsArgs) -> Result<Client, Failure> {
    loop {
        sleep(PAUSE).await;
        match connect(&args.hub).await {
            Ok(client) => return Ok(client),
            // It is away, or not ready yet.
            Err(failure) if failure.code() == Code::NoHub && failure.kind() != "refused" => {}
            Err(failure) => return Err(failure),
        }
    }
}

impl From<RequestError> for Over {
    fn from(error: RequestError) -> Self {
        match error {
            // An answer that was given up must not meet the next question.
            RequestError::ConnectionLost { .. }
            | RequestError::Deadline { .. }
            | RequestError::Stopped { .. } => Self::Lost,
            other => Self::Failed(other.into()),
        }
    }
}

impl From<Failure> for Over {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<std::io::Error> for Over {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}
