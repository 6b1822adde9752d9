//! What each case of a message is called.

use sync_core::{Answer, Ask, Body, DeltaOutcome, Reply};

/// Names the case, so that a new one cannot be left out of the samples unnoticed: this does not compile
/// without it, and the tests compare the names.
pub(crate) fn name(body: &Body) -> &'static str {
    match body {
        Body::DeltaRequest { .. } => "delta-request",
        Body::DeltaReply { outcome, .. } => match outcome {
            DeltaOutcome::UpToDate { .. } => "delta-up-to-date",
            DeltaOutcome::Changes { .. } => "delta-changes",
            DeltaOutcome::EpochMismatch { .. } => "delta-epoch-mismatch",
            DeltaOutcome::Ahead { .. } => "delta-ahead",
        },
        Body::Push { .. } => "push",
        Body::Committed { .. } => "committed",
        Body::Gap { .. } => "gap",
        Body::StateRequest { .. } => "state-request",
        Body::StateResponse { .. } => "state-response",
        Body::StateUpdate { .. } => "state-update",
        Body::Ack { .. } => "ack",
        Body::Offer { .. } => "offer",
        Body::OfferAck { .. } => "offer-ack",
        Body::RepairRequest { .. } => "repair-request",
        Body::RepairReply { .. } => "repair-reply",
        Body::Receipts { .. } => "receipts",
        Body::ReceiptsTaken { .. } => "receipts-taken",
        Body::PolicyRequest => "policy-request",
        Body::Policies { .. } => "policies",
        Body::Ping { .. } => "ping",
        Body::Pong { .. } => "pong",
        Body::Request { ask, .. } => match ask {
            Ask::Version(_) => "ask-version",
            Ask::Get(_) => "ask-get",
            Ask::Keys { .. } => "ask-keys",
            Ask::Delta(_) => "ask-delta",
            Ask::Write { .. } => "ask-write",
            Ask::Sync { .. } => "ask-sync",
            Ask::Clear(_) => "ask-clear",
            Ask::Status => "ask-status",
            Ask::Policies => "ask-policies",
            Ask::ReloadPolicies => "ask-reload-policies",
            Ask::Watch { .. } => "ask-watch",
        },
        Body::Reply { .. } => "reply",
    }
}

/// The same for answers and errors.
pub(crate) fn reply_name(reply: &Reply) -> &'static str {
    match reply {
        Ok(Answer::Version(_)) => "version",
        Ok(Answer::State(_)) => "state",
        Ok(Answer::Keys { .. }) => "keys",
        Ok(Answer::Delta(_)) => "delta",
        Ok(Answer::Written(_)) => "written",
        Ok(Answer::Synced(_)) => "synced",
        Ok(Answer::Cleared(_)) => "cleared",
        Ok(Answer::Status(_)) => "status",
        Ok(Answer::Policies(_)) => "policies",
        Ok(Answer::Watched(_)) => "watched",
        Err(error) => error.kind(),
    }
}

/// How many names [`name`] and [`reply_name`] know.
pub(crate) const NAMES: (usize, usize) = (34, 27);
