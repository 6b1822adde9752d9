//! Why the value of a key is what it is, in sentences made of its state and its last commits.

use sync_core::codec::List;
use sync_core::{
    Key, KeyExplanation, Now, PastAnswer, PastCommit, PastKind, Revision, StateVersion, Version,
};

use super::authors::whose;
use super::question::{HistoryQuestion, Step};
use crate::hub::Hub;
use crate::keyspace::KeyState;
use crate::view::omit_value;

/// Commits that an explanation looks at: more than anybody reads.
const COMMITS_MAX: u32 = 16;

/// Bytes of a value that an explanation carries with it.
const VALUE_BYTES_MAX: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct ExplainQuestion {
    pub(super) history: HistoryQuestion,
}

impl ExplainQuestion {
    pub(super) fn new(hub: &Hub, key: Key) -> Self {
        Self {
            history: HistoryQuestion::new(hub, key, None, COMMITS_MAX),
        }
    }

    pub(super) fn step(&mut self, hub: &Hub, now: Now) -> Step {
        if let Some(range) = self.history.read() {
            return Step::Read(vec![range]);
        }
        let key = self.history.walk.key.clone();
        let commits = std::mem::take(&mut self.history.commits);
        let dropped = self.history.walk.dropped();
        let held = hub.space.get(&key);
        let mut sentences = vec![hub.what_it_is(&key, held)];
        sentences.extend(held.and_then(|state| whose(state.entry(), told(&commits))));
        sentences.extend(how_it_came(&commits, now));
        if commits.is_empty()
            && let Some(dropped) = dropped
        {
            sentences.push(format!("How it came about is not known: {}.", dropped.why));
        }
        sentences.extend(hub.what_is_open(&key, held));
        sentences.extend(hub.when_it_ends(&key, now));
        let live = held.filter(|state| state.entry().is_live());
        sentences.push(hub.what_holds_for(&key, live.is_some()));
        Step::Answer(PastAnswer::Explained(Box::new(KeyExplanation {
            state: live.map(|state| hub.state_beside(&key, state)),
            key,
            sentences: List(sentences),
            commits: List(commits),
            dropped,
        })))
    }
}

/// The commits back to the one that the value is of, in sentences.
fn how_it_came(commits: &[PastCommit], now: Now) -> Vec<String> {
    let mut sentences = Vec::new();
    for commit in told(commits) {
        sentences.extend(commit.sentences());
        sentences.extend(what_was_known(commit));
        let ms = now.wall_ms.saturating_sub(commit.at_ms);
        sentences.push(format!("That was committed {} ago.", span(ms)));
    }
    sentences
}

/// Those that have come since, and that one.
fn told(commits: &[PastCommit]) -> &[PastCommit] {
    let made = commits.iter().position(|c| c.kind != PastKind::Unchanged);
    made.map_or(commits, |at| &commits[..=at])
}

/// How far the author of a commit's write had read.
fn what_was_known(commit: &PastCommit) -> Option<String> {
    let write = commit.writes.first()?;
    let author = write.write.writer.agent();
    Some(match write.seen {
        Some(seen) if seen.revision == Revision::default() => {
            format!("{author} had seen nothing that was committed before.")
        }
        Some(seen) => format!(
            "{author} had seen what was committed up to revision {}.",
            seen.revision.get()
        ),
        None => format!("{author} had not met this hub when it wrote that."),
    })
}

/// A time that has passed, in the largest unit of which there are two.
fn span(ms: u64) -> String {
    let units = [
        (86_400_000, "days"),
        (3_600_000, "hours"),
        (60_000, "minutes"),
        (1_000, "seconds"),
    ];
    let unit = units.iter().find(|(length, _)| ms >= 2 * length);
    unit.map_or_else(
        || format!("{ms} ms"),
        |(length, name)| format!("{} {name}", ms / length),
    )
}

impl Hub {
    fn what_it_is(&self, key: &Key, held: Option<&KeyState>) -> String {
        let Some(state) = held.filter(|state| state.version() > Version::default()) else {
            return format!("No commit that this hub knows of has touched {key:?}.");
        };
        let at = format!(
            "version {}, revision {}",
            state.version().get(),
            state.revision().get()
        );
        let value = self.past_value(key, state);
        if value.value.is_none() && value.omitted.is_none() {
            let why = if self.expiries.is_over(key) {
                ", because its lifetime has ended"
            } else {
                ""
            };
            return format!("{key:?} holds no value{why} ({at}).");
        }
        let rule = self.resolvers.of_entry(key, state.entry(), |_| true);
        let rule = rule.map_or_else(String::new, |rule| format!(" under {}", rule.rule()));
        let parts = match state.entry().live_count() {
            1 => String::new(),
            parts => format!(", made of {parts} writes"),
        };
        format!("{key:?} is {value}{rule} ({at}){parts}.")
    }

    /// What the hub has not made one value of.
    fn what_is_open(&self, key: &Key, held: Option<&KeyState>) -> Vec<String> {
        let Some(state) = held else {
            return Vec::new();
        };
        let rule = self.resolvers.of_entry(key, state.entry(), |_| true);
        let siblings = rule.map_or(0, |rule| rule.siblings(state.entry()).len());
        if siblings == 0 {
            return Vec::new();
        }
        let mut told = vec![format!(
            "{siblings} concurrent values remain, and are shown until somebody who has seen them writes."
        )];
        if let Some(why) = self.merges.failure(key) {
            told.push(format!("They are not merged: {why}."));
        }
        told
    }

    fn when_it_ends(&self, key: &Key, now: Now) -> Option<String> {
        let left = self.expiries.end(key)?.saturating_sub(now.wall_ms);
        Some(format!("Its lifetime ends in {}.", span(left)))
    }

    /// The policy, and where the rule comes from: a key that holds nothing has none yet, or no more.
    fn what_holds_for(&self, key: &Key, is_live: bool) -> String {
        let by_write = if is_live {
            "its first write gave it its rule"
        } else {
            "its next write will give it its rule"
        };
        let Some(policy) = self.policies().of(key) else {
            return format!("No policy is about it: {by_write}.");
        };
        let pattern = &policy.pattern;
        match policy.rule {
            Some(rule) => {
                format!("The policy {pattern} counts for it, and gives it the rule {rule}.")
            }
            None => format!("The policy {pattern} counts for it; {by_write}."),
        }
    }

    /// A key as it is, without its value if that is too much to carry.
    fn state_beside(&self, key: &Key, held: &KeyState) -> StateVersion {
        let mut state = self.read(key, held);
        let bytes = held.weight();
        if bytes > VALUE_BYTES_MAX {
            omit_value(&mut state, bytes);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit_of_which_there_are_two() {
        let cases = [
            (0, "0 ms"),
            (1_999, "1999 ms"),
            (2_000, "2 seconds"),
            (119_999, "119 seconds"),
            (120_000, "2 minutes"),
            (7_200_000, "2 hours"),
            (172_800_000, "2 days"),
        ];
        for (ms, expected) in cases {
            assert_eq!(span(ms), expected);
        }
    }
}
