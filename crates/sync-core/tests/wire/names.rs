//! What each case of a message is called.

use sync_core::{
    Answer, Ask, AuthorityAnswer, AuthorityAsk, Body, DeltaOutcome, MemoryAnswer, MemoryAsk,
    PastAnswer, PastAsk, Reply, VoteOutcome,
};

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
        Body::Sweep { .. } => "sweep",
        Body::Swept { .. } => "swept",
        Body::StateUpdate { .. } => "state-update",
        Body::Ahead { .. } => "ahead",
        Body::Ack { .. } => "ack",
        Body::Offer { .. } => "offer",
        Body::OfferAck { .. } => "offer-ack",
        Body::RepairRequest { .. } => "repair-request",
        Body::RepairReply { .. } => "repair-reply",
        Body::Receipts { .. } => "receipts",
        Body::ReceiptsTaken { .. } => "receipts-taken",
        Body::PolicyRequest => "policy-request",
        Body::Policies { .. } => "policies",
        Body::Proposal { .. } => "proposal",
        Body::Vote { .. } => "vote",
        Body::VoteReply { outcome, .. } => match outcome {
            VoteOutcome::Counted => "vote-counted",
            VoteOutcome::AlreadyVoted(_) => "vote-already-voted",
            VoteOutcome::NotParticipant => "vote-not-participant",
            VoteOutcome::Over(_) => "vote-over",
            VoteOutcome::Unknown => "vote-unknown",
            VoteOutcome::Another => "vote-another",
        },
        Body::Decided { .. } => "decided",
        Body::Ping { .. } => "ping",
        Body::Pong { .. } => "pong",
        Body::Request { ask, .. } => ask_name(ask),
        Body::Reply { .. } => "reply",
        Body::Undecided { .. } => "undecided",
        Body::Ended { .. } => "ended",
    }
}

fn ask_name(ask: &Ask) -> &'static str {
    match ask {
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
        Ask::Propose(_) => "ask-propose",
        Ask::Memory(ask) => match ask {
            MemoryAsk::Store { .. } => "ask-memory-store",
            MemoryAsk::Retrieve { .. } => "ask-memory-retrieve",
            MemoryAsk::Delete { .. } => "ask-memory-delete",
            MemoryAsk::ListKeys { .. } => "ask-memory-list-keys",
            MemoryAsk::ClearNamespace(_) => "ask-memory-clear-namespace",
            MemoryAsk::Stats { .. } => "ask-memory-stats",
        },
        Ask::Authority { ask, .. } => match ask {
            AuthorityAsk::Commit { .. } => "ask-authority-commit",
            AuthorityAsk::Claim { .. } => "ask-authority-claim",
            AuthorityAsk::Renew { .. } => "ask-authority-renew",
            AuthorityAsk::Release { .. } => "ask-authority-release",
        },
        Ask::Past(ask) => match ask {
            PastAsk::History { .. } => "ask-history",
            PastAsk::Explain(_) => "ask-explain",
            PastAsk::StateAt { .. } => "ask-state-at",
            PastAsk::Diff { .. } => "ask-diff",
            PastAsk::Knew { .. } => "ask-knew",
        },
        Ask::Held { .. } => "ask-held",
        Ask::Receipts { .. } => "ask-receipts",
        Ask::TakeReceipts(_) => "ask-take-receipts",
        Ask::Unregister(_) => "ask-unregister",
        Ask::About => "ask-about",
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
        Ok(Answer::Decided(_)) => "decided",
        Ok(Answer::Memory(answer)) => match answer {
            MemoryAnswer::Stored => "memory-stored",
            MemoryAnswer::Value(_) => "memory-value",
            MemoryAnswer::Deleted(_) => "memory-deleted",
            MemoryAnswer::Keys { .. } => "memory-keys",
            MemoryAnswer::Cleared(_) => "memory-cleared",
            MemoryAnswer::Stats { .. } => "memory-stats",
        },
        Ok(Answer::Authority(answer)) => match answer {
            AuthorityAnswer::Committed(_) => "authority-committed",
            AuthorityAnswer::Claimed(_) => "authority-claimed",
            AuthorityAnswer::Released => "authority-released",
        },
        Ok(Answer::Past(answer)) => match answer {
            PastAnswer::History(_) => "history",
            PastAnswer::Explained(_) => "explained",
            PastAnswer::State(_) => "past-state",
            PastAnswer::Diff(_) => "diff",
            PastAnswer::Knew(_) => "knew",
        },
        Ok(Answer::Held(_)) => "held",
        Ok(Answer::Receipts { .. }) => "receipts-waiting",
        Ok(Answer::Taken(_)) => "receipts-gone",
        Ok(Answer::Unregistered(_)) => "unregistered",
        Ok(Answer::About(_)) => "about",
        Err(error) => error.kind(),
    }
}

/// How many names [`name`] and [`reply_name`] know.
pub(crate) const NAMES: (usize, usize) = (69, 60);
