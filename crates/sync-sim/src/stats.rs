//! How often each thing happened, so that a fault that never occurs is noticed.

use std::collections::BTreeMap;
use std::fmt;

use sync_core::{Body, DeltaOutcome, Message};

/// How often each thing happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Stats(BTreeMap<&'static str, u64>);

impl Stats {
    pub(crate) fn hit(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&mut self, what: &'static str, count: usize) {
        *self.0.entry(what).or_default() += count as u64;
    }

    /// How often this happened.
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// Adds what happened elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// Counts what a message says about the paths taken.
    pub(crate) fn count_message(&mut self, message: &Message) {
        let what = match &message.body {
            Body::Gap { .. } => "gap",
            Body::Offer { .. } => "offer",
            Body::RepairReply { .. } => "repair",
            Body::StateResponse { .. } if !message.segments.is_empty() => "response with state",
            Body::Swept { next: Some(_), .. } => "sweep in pages",
            Body::Swept { .. } if !message.segments.is_empty() => "sweep with state",
            Body::StateUpdate { frames, .. } if *frames > 1 => "update in frames",
            Body::Receipts { frames: 1, .. } => "receipts",
            Body::Receipts { .. } => "receipts in pieces",
            Body::Reply { frames, .. } if *frames > 1 => "answer in pieces",
            Body::DeltaReply { outcome, .. } => match outcome {
                DeltaOutcome::EpochMismatch { .. } => "epoch mismatch",
                DeltaOutcome::Ahead { .. } => "ahead",
                DeltaOutcome::Changes { next: Some(_), .. } => "page of several",
                DeltaOutcome::Changes { .. } => "delta",
                DeltaOutcome::UpToDate { .. } => "up to date",
            },
            _ => return,
        };
        self.hit(what);
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (what, count) in &self.0 {
            write!(f, "{separator}{what} {count}")?;
            separator = ", ";
        }
        Ok(())
    }
}
