//! Watching, against a log of what the hub has committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sync_core::{
    Answer, Ask, Body, ChangeKind, Context, Cursor, Epoch, Key, Message, Pattern, Reply,
    RequestError, Revision, Since, StateVersion, Value, Watched,
};
use sync_protocol::{Command, Hub, KeyState};

use crate::plan::REPLICAS;
use crate::random::Random;
use crate::workload::Asked;
use crate::world::World;

/// How long a replica's caller waits for an answer: longer than any question waits.
const PATIENCE: Duration = Duration::from_millis(2_600);

/// How a key was left by a commit at the hub.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) revision: Revision,
    pub(crate) key: Key,
    pub(crate) value: Option<Value>,
    /// As far as it is known.
    pub(crate) kind: Option<ChangeKind>,
    /// What the key has absorbed. If that is as before, it was only numbered anew.
    context: Context,
}

/// Where a watcher asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// In the hub's process.
    Hub,
    /// By a connection of its own.
    Client,
    /// By that replica's connection.
    Replica(usize),
}

impl Through {
    pub(crate) fn draw(random: &mut Random) -> Self {
        match random.below(3) {
            0 => Self::Hub,
            1 => Self::Client,
            _ => Self::Replica(random.index(REPLICAS)),
        }
    }
}

/// Follows the changes of some keys.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) pattern: Pattern,
    through: Through,
    /// Begins with what comes, not with what is there.
    from_now: bool,
    /// How often it asks, per thousand chances: one that is slow gets much at once.
    asks: u64,
    cursor: Option<Cursor>,
    held: BTreeMap<Key, Value>,
    /// What it waits for, and the run of the node that was asked: another one answers nothing.
    waits: Option<(u64, u64)>,
}

impl Watcher {
    pub(crate) fn new(pattern: &str, through: Through, asks: u64) -> Self {
        Self {
            pattern: Pattern::new(pattern).expect("a valid pattern"),
            through,
            from_now: false,
            asks,
            cursor: None,
            held: BTreeMap::new(),
            waits: None,
        }
    }

    pub(crate) fn from_now(pattern: &str, through: Through, asks: u64) -> Self {
        Self {
            from_now: true,
            ..Self::new(pattern, through, asks)
        }
    }

    fn start_anew(&mut self) {
        self.cursor = None;
        self.held.clear();
    }
}

impl World {
    /// Notes what the last step has committed.
    pub(crate) fn note_commits(&mut self) {
        let Some(hub) = &self.hub.machine else { return };
        let last = self.hub.log_head;
        if hub.revision() == last {
            return;
        }
        self.hub.log_head = hub.revision();
        let changed = hub.keyspace().iter_after(None);
        let changed = changed.filter(|(_, state)| state.revision() > last);
        let changed: Vec<_> = changed.collect();
        let live = changed.iter().flat_map(|(_, state)| state.entry().writes());
        self.ghost.admitted.extend(live.map(|(id, _)| id.clone()));
        let commits = changed
            .into_iter()
            .map(|(key, state)| self.committed(key, state));
        let mut commits: Vec<Committed> = commits.collect();
        commits.sort_by_key(|commit| commit.revision);
        for commit in commits {
            self.note_life(&commit.key);
            self.note_spared(&commit.key);
            self.note_committed(&commit);
            self.trace.say(|| format!("{commit:?}"));
            self.hub.log.push(commit);
        }
        self.hub.expired.clear();
    }

    fn committed(&self, key: &Key, state: &KeyState) -> Committed {
        let rules = self.rules();
        let rule = rules.of_entry(key, state.entry(), |_| true);
        let value = rule.and_then(|rule| rule.fold(state.entry()));
        let context = state.entry().context();
        let kind = match (&value, self.hub.expired.get(key)) {
            (Some(_), _) => Some(ChangeKind::Changed),
            (None, Some(expired)) => expired.then_some(ChangeKind::Expired),
            (None, None) => {
                let before = self.last_commit(key);
                let same = before.filter(|c| c.value.is_none() && c.context == *context);
                same.map_or(Some(ChangeKind::Deleted), |before| before.kind)
            }
        };
        Committed {
            revision: state.revision(),
            key: key.clone(),
            value,
            kind,
            context: context.clone(),
        }
    }

    /// How a key was left by the last commit that is noted.
    fn last_commit(&self, key: &Key) -> Option<&Committed> {
        self.hub.log.iter().rev().find(|commit| commit.key == *key)
    }

    /// Why a key has no value stays known, for whoever asks and when.
    pub(crate) fn check_expired(&mut self, told: &StateVersion) {
        let last = self.last_commit(&told.key);
        let last = last.filter(|commit| told.revision == Some(commit.revision));
        let kind = last.and_then(|commit| commit.kind);
        let expired = kind.map(|kind| kind == ChangeKind::Expired);
        self.require(expired.is_none_or(|e| e == told.metadata.expired), || {
            format!("the last change was {kind:?}, told was {told:?}")
        });
    }

    /// Forgets what a hub that starts has lost. Of several commits in one step only the last was noted,
    /// which may be among them: then it is an earlier one that the hub has.
    pub(crate) fn cut_log(&mut self) {
        let Some(hub) = &self.hub.machine else { return };
        let head = hub.revision();
        let keys = || hub.keyspace().iter_after(None);
        let live = keys().filter(|(_, state)| state.entry().is_live());
        let lives = live.map(|(key, state)| {
            let life = self.hub.lives.get(key).copied().flatten();
            (
                key.clone(),
                life.filter(|life| life.version == state.version()),
            )
        });
        let lives = lives.collect();
        let noted: BTreeSet<(Revision, &Key)> =
            self.hub.log.iter().map(|c| (c.revision, &c.key)).collect();
        let unknown = keys().filter(|(key, state)| !noted.contains(&(state.revision(), *key)));
        let unknown: Vec<Committed> = unknown
            .map(|(key, state)| Committed {
                kind: None,
                ..self.committed(key, state)
            })
            .collect();
        self.hub.lives = lives;
        self.hub.log.retain(|commit| commit.revision <= head);
        self.hub.log.extend(unknown);
        self.hub.log.sort_by_key(|commit| commit.revision);
        self.hub.log_head = head;
        self.hub.expired.clear();
        self.hub.ending.clear();
    }

    /// Gives every watcher a chance to ask.
    pub(crate) fn watch(&mut self) {
        for watcher in 0..self.watchers.len() {
            if self.random.chance(self.watchers[watcher].asks) {
                let wait_ms = *self.random.pick(&[0, 20, 300, 2_000]);
                self.ask_watch(watcher, wait_ms);
            }
        }
    }

    fn ask_watch(&mut self, watcher: usize, wait_ms: u64) {
        let Watcher {
            cursor,
            waits,
            through,
            from_now,
            ..
        } = self.watchers[watcher];
        let run = match through {
            Through::Replica(n) => self.replicas[n].run,
            _ => self.hub.run,
        };
        if waits.is_some_and(|(_, asked)| asked == run) {
            return;
        }
        let Some(head) = self.hub.machine.as_ref().map(Hub::revision) else {
            return;
        };
        let start = if from_now { head } else { Revision::default() };
        let from = cursor.map_or(start, |cursor| cursor.revision);
        let request = self.new_request(Asked::Watch(watcher, from));
        self.watchers[watcher].waits = Some((request, run));
        let since = cursor.map(Since::Cursor);
        let ask = Ask::Watch {
            pattern: self.watchers[watcher].pattern.clone(),
            from: since.or_else(|| (!from_now).then_some(Since::START)),
            wait_ms,
        };
        if from_now && cursor.is_none() {
            self.stats.hit("watch from now");
        }
        self.ask_through(through, request, ask);
    }

    fn ask_through(&mut self, through: Through, request: u64, ask: Ask) {
        let (hub_now, client) = (self.hub_now(), self.hub.client);
        match (through, &mut self.hub.machine) {
            (Through::Replica(n), _) => {
                let now = self.clock(n);
                if let Some(replica) = &mut self.replicas[n].machine {
                    let timeout = PATIENCE;
                    replica.handle_command(now, request, Command::Ask { ask, timeout });
                    self.drain_replica(n);
                }
            }
            (Through::Hub, Some(hub)) => {
                hub.handle_ask(hub_now, request, ask);
                self.drain_hub();
            }
            (Through::Client, Some(hub)) => {
                let message = Message::from(Body::Request { request, ask });
                hub.handle_message(hub_now, client, message);
                self.drain_hub();
            }
            _ => {}
        }
    }

    /// A watcher is answered, whose question was about what comes after `from`.
    pub(crate) fn watched(&mut self, watcher: usize, from: Revision, answer: Reply) {
        self.watchers[watcher].waits = None;
        let by_replica = matches!(self.watchers[watcher].through, Through::Replica(_));
        match answer {
            Ok(Answer::Watched(watched)) => {
                self.stats.hit("watch answered");
                if watched.compacted {
                    self.stats.hit("watch compacted");
                    let kinds = || watched.changes.iter().map(|change| change.kind);
                    if kinds().any(|kind| kind == ChangeKind::Expired) {
                        self.stats.hit("expiry told later");
                    }
                }
                if by_replica {
                    self.stats.hit("watch through a replica");
                }
                // What was on its way while the hub restarted is of another log than the one noted.
                let epoch = self.hub.machine.as_ref().map(Hub::epoch);
                if !by_replica || epoch == Some(watched.to.epoch) {
                    self.check_watched(watcher, from, &watched);
                }
                let watcher = &mut self.watchers[watcher];
                for change in watched.changes {
                    match change.state.value {
                        Some(value) => watcher.held.insert(change.state.key, value),
                        None => watcher.held.remove(&change.state.key),
                    };
                }
                watcher.cursor = Some(watched.to);
            }
            Err(RequestError::EpochMismatch { .. } | RequestError::Ahead { .. }) => {
                self.stats.hit("watcher starts anew");
                self.watchers[watcher].start_anew();
            }
            Err(RequestError::Stopped { .. }) => self.stats.hit("watch broken off"),
            Err(_) if by_replica => self.stats.hit("watch broken off"),
            other => self.require(false, || format!("watcher {watcher} was told {other:?}")),
        }
    }

    /// In order, nothing but what matches, and every commit unless the answer says otherwise: then the
    /// last one of every key.
    fn check_watched(&mut self, watcher: usize, from: Revision, watched: &Watched) {
        let pattern = &self.watchers[watcher].pattern;
        let to = watched.to.revision;
        let told = || watched.changes.iter().map(|change| &change.state);
        let within = |revision: Revision| from < revision && revision <= to;
        let revisions = || told().filter_map(|state| state.revision);
        let in_order = revisions().is_sorted() && revisions().all(within);
        let matching = told().all(|state| pattern.matches(state.key.as_str()));
        let hub = self.hub.machine.as_ref();
        let head = hub.map(|hub| (hub.epoch(), hub.revision()));
        let stands = head.is_some_and(|(epoch, head): (Epoch, Revision)| {
            epoch == watched.to.epoch && from <= to && to <= head
        });
        let wanted = self.hub.log.iter().filter(|commit| {
            let last = || {
                self.last_commit(&commit.key)
                    .is_some_and(|last| last.revision == commit.revision)
            };
            within(commit.revision)
                && pattern.matches(commit.key.as_str())
                && (!watched.compacted || last())
        });
        let missing = wanted.filter(|commit| {
            let same = watched.changes.iter().filter(|change| {
                let state = &change.state;
                state.key == commit.key && state.revision == Some(commit.revision)
            });
            let is_told = |told: ChangeKind| commit.kind.is_none_or(|kind| told == kind);
            let mut same = same.filter(|c| c.state.value == commit.value && is_told(c.kind));
            same.next().is_none()
        });
        let missing: Vec<Committed> = missing.cloned().collect();
        self.require(in_order && matching && stands, || {
            format!("watcher {watcher} asked from {from:?}, was told {watched:?}")
        });
        self.require(missing.is_empty(), || {
            format!("watcher {watcher} from {from:?} misses {missing:?} in {watched:?}")
        });
    }

    /// Once healed, following the changes ends at the hub's state.
    pub(crate) fn check_watchers(&mut self, values: &BTreeMap<Key, Value>) {
        for n in 0..self.watchers.len() {
            let mut last = None;
            // A question that waits is one that there was nothing to answer to. Where the replica has
            // got to, its hub knows.
            self.watchers[n].waits = None;
            if let Through::Replica(_) = self.watchers[n].through {
                self.watchers[n].through = Through::Hub;
            }
            while self.watchers[n].waits.is_none() && self.violation.is_none() {
                let cursor = self.watchers[n].cursor;
                self.require(last != cursor || last.is_none(), || {
                    format!("watcher {n} gets nowhere from {last:?}")
                });
                last = cursor;
                self.ask_watch(n, 1);
                // Refused it starts anew, which nothing speaks against.
                let Watcher { cursor, waits, .. } = &self.watchers[n];
                let is_stuck = last.is_none() && cursor.is_none() && waits.is_none();
                self.require(!is_stuck, || format!("watcher {n} is refused for ever"));
            }
            let Watcher {
                pattern,
                held,
                from_now,
                ..
            } = &self.watchers[n];
            // Who began late knows of what has changed since.
            let matching = values.iter().filter(|(key, _)| {
                pattern.matches(key.as_str()) && (!from_now || held.contains_key(*key))
            });
            let expected: BTreeMap<Key, Value> = matching
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            let (same, text) = (*held == expected, format!("{held:?}"));
            self.require(same, || {
                format!("watcher {n} holds {text}, the hub {expected:?}")
            });
        }
    }
}
