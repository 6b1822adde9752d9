//! Writes that the hub decides.

use serde_json::json;
use swarm_sync::{Ack, Answer, Ask, Key, Operation, RequestError};

use crate::cli::{ClearArgs, WriteArgs};
use crate::exit::{Code, Failure};
use crate::output;
use crate::position::hand_back_written;

use super::{connect, print};

pub(super) async fn write(to: &WriteArgs, key: Key, operation: Operation) -> Result<(), Failure> {
    let hub = &to.hub;
    let mut client = connect(hub).await?;
    let written = match to.replicas {
        None => client.write(key, operation, None).await,
        Some(replicas) => {
            let patience = hub.patience();
            let written = client.write_to_replicas(key, operation, None, replicas, patience);
            written.await
        }
    };
    client.close().await;
    let ack = written?;
    if hub.json {
        return print_written(&ack);
    }
    let said = match &ack.write_id {
        Some(write) => format!("{write} ({})", ack.durability),
        None => "nothing to do: it is not there".to_owned(),
    };
    output::line(&said)?;
    Ok(())
}

fn print_written(ack: &Ack) -> Result<(), Failure> {
    let mut object = json!(ack);
    if let Some(fields) = object.as_object_mut() {
        hand_back_written(fields, ack);
    }
    print(&object)
}

pub(super) async fn clear(args: ClearArgs) -> Result<(), Failure> {
    if args.key.is_none() && !args.all {
        let message = "`clear` needs a KEY, or --all for every key of the swarm";
        return Err(Failure::new(Code::Usage, "usage", message));
    }
    let mut client = connect(&args.hub).await?;
    let cleared = client.ask(Ask::Clear(args.key)).await;
    client.close().await;
    let cleared = match cleared? {
        Answer::Cleared(count) => count,
        other => return Err(unexpected(&other)),
    };
    if args.hub.json {
        return print(&json!({"cleared": cleared}));
    }
    let keys = if cleared == 1 { "key" } else { "keys" };
    output::line(&format!("{cleared} {keys} cleared"))?;
    Ok(())
}

/// The hub's mistake.
pub(super) fn unexpected(answer: &Answer) -> Failure {
    misanswered(answer).into()
}

/// The same for whoever has more to do before it ends.
pub(super) fn misanswered(answer: &Answer) -> RequestError {
    RequestError::Invalid {
        reason: format!("the hub answered another question: {answer:?}"),
    }
}
