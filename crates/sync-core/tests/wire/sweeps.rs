//! Every question and answer of a sweep.

use std::sync::Arc;

use sync_core::message::{Scope, Spot};
use sync_core::{Body, Pattern, Priority, RoundId, Seq};

use super::bodies::{EPOCH, RUN, digest};
use super::key;

const ROUND: RoundId = RoundId {
    epoch: EPOCH,
    number: 8,
};

pub(super) fn bodies() -> Vec<Body> {
    let patterns = ["*", "task_∀*"].map(|text| Pattern::new(text).unwrap());
    let scope = Arc::new(Scope {
        patterns: patterns.to_vec().into(),
        priority: Priority::Critical,
    });
    let spot = Spot {
        key: key("∀"),
        incarnation: RUN,
        seq: Seq::new(1 << 33),
    };
    let places = [(0, None), (300, Some(spot))];
    let pairs = places.map(|(part, at)| {
        let question = Body::Sweep {
            round: ROUND,
            part,
            digest: digest(),
            scope: Arc::clone(&scope),
            after: at.clone(),
        };
        let answer = Body::Swept {
            round: ROUND,
            part,
            next: at,
        };
        [question, answer]
    });
    pairs.into_iter().flatten().collect()
}
