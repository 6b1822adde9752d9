//! Having the roster vote, from the outside.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use swarm_sync::{AgentId, Agreement, Decision, Operation, ProposalDraft, Value, Verdict};

use crate::cli::ProposeArgs;
use crate::exit::{Code, Failure};
use crate::output;
use crate::votes;

use super::{NAME, connect_as, link, name};

/// How long an answer may take on its way, beside the time of the vote.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

pub(crate) async fn propose(args: ProposeArgs) -> Result<(), Failure> {
    let draft = draft(&args);
    let (link, name) = link(&args.at, proposer(&args)?)?;
    let link = Arc::new(link);
    // A hub that is not there at the start is said at once; later it is waited for.
    let client = connect_as(&link, &args.at, name, ANSWER_WAIT).await?;
    let consensus = client.consensus(link);
    if args.id.is_none() {
        // Whoever stops waiting can still ask what it has come to.
        output::complain(&format!("proposal {}", draft.id()));
    }
    let (decision, agreement) = if args.sync {
        let agreement = consensus.propose_and_sync(draft).await?;
        (agreement.decision.clone(), Some(agreement))
    } else {
        (consensus.propose(draft).await?, None)
    };
    let printed = output::line(&if args.json {
        json_text(&decision, agreement.as_ref())
    } else {
        text(&decision, agreement.as_ref())
    });
    let code = match decision.verdict {
        Verdict::Approved => Code::Failed,
        Verdict::Rejected => Code::Rejected,
        Verdict::Timeout => Code::Undecided,
    };
    Failure::unless(votes::takes_place(&decision), code, printed)
}

/// What is approved is written in the proposer's name, and comes back to it if it loses: that is the one
/// under which `receipts` looks. Where nothing is to be written it is a name of its own, as a hub lets few
/// proposals of one name be open at once.
fn proposer(args: &ProposeArgs) -> Result<AgentId, Failure> {
    if args.key.is_some() {
        return name();
    }
    let name = format!("{NAME}-{:08x}", rand::random::<u32>());
    AgentId::new(name).map_err(|e| Failure::new(Code::Failed, "config", e.to_string()))
}

fn draft(args: &ProposeArgs) -> ProposalDraft {
    let mut draft = ProposalDraft::new(args.proposal.clone());
    if let (Some(key), Some(operation)) = (&args.key, operation(args)) {
        draft = draft.commit(key.clone(), operation);
    }
    if let Some(algorithm) = &args.algorithm {
        draft = draft.algorithm(algorithm);
    }
    if let Some(share) = args.threshold {
        draft = draft.threshold(share.get());
    }
    if let Some(timeout) = args.timeout {
        draft = draft.timeout(timeout);
    }
    match args.id {
        Some(id) => draft.under(id),
        None => draft,
    }
}

/// What approval does to the key: one of them, as the command line is read.
fn operation(args: &ProposeArgs) -> Option<Operation> {
    let effect = &args.effect;
    let of =
        |value: &Option<Value>, operation: fn(Value) -> Operation| value.clone().map(operation);
    let value = effect.value.clone().map(|value| match &args.field {
        Some(field) => Operation::PutField(field.clone(), value),
        None => Operation::Put(value),
    });
    value
        .or_else(|| effect.unset.clone().map(Operation::UnsetField))
        .or_else(|| effect.add.map(Operation::Add))
        .or_else(|| of(&effect.insert, Operation::Insert))
        .or_else(|| of(&effect.remove, Operation::Remove))
        .or_else(|| effect.delete.then_some(Operation::Delete))
}

fn json_text(decision: &Decision, agreement: Option<&Agreement>) -> String {
    let fields = agreement.map_or_else(|| votes::decision(decision), votes::agreement);
    Json::Object(fields).to_string()
}

fn text(decision: &Decision, agreement: Option<&Agreement>) -> String {
    let synced = agreement.and_then(votes::synced);
    let lines = [Some(votes::text(decision)), synced];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}
