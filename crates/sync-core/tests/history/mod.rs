//! Histories of a small swarm around one key: who wrote what having seen what. The laws are checked
//! on the deltas and states that a history produces, because arbitrary entries (a context without
//! its writer's predecessors, a cover of what nobody wrote) are not reachable.

pub(crate) mod model;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sync_core::{
    AgentId, Context, Entry, Incarnation, Payload, PayloadKind, Seq, Stamp, Value, Write, WriteId,
    Writer,
};

/// The same cases in every run; a failing one is printed and shrunk. `PROPTEST_CASES` and
/// `PROPTEST_RNG_SEED` of the environment win, for long runs elsewhere.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let given = |name| std::env::var_os(name).is_some();
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if given("PROPTEST_CASES") {
            default.cases
        } else {
            cases
        },
        rng_seed: if given("PROPTEST_RNG_SEED") {
            default.rng_seed
        } else {
            RngSeed::Fixed(42)
        },
        failure_persistence: None,
        ..default
    }
}

/// One event. `who`, `from` and `to` are taken modulo the number of nodes.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Covers the one shown value, leaves its hidden siblings.
    Put { who: usize, value: i64 },
    /// The same with an absence.
    Absent { who: usize },
    /// Replaces the writer's own contribution.
    Count { who: usize, amount: i64 },
    /// Adds an element, replacing the writer's own earlier id of it.
    Insert { who: usize, element: i64 },
    /// Covers the ids of an element that the node sees.
    Remove { who: usize, element: i64 },
    /// Covers everything the node sees and writes nothing.
    Clear { who: usize },
    /// Spends a number on another key.
    Spend { who: usize },
    /// A fresh incarnation with the state kept.
    Restart { who: usize },
    /// The hub covers all values but the shown one.
    Prune,
    /// An earlier delta arrives, perhaps again.
    Deliver { which: usize, to: usize },
    /// A whole entry arrives.
    Sync { from: usize, to: usize },
    /// One piece of an entry arrives.
    Piece {
        from: usize,
        to: usize,
        budget: usize,
        which: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..5_usize;
    let any = || 0..64_usize;
    prop_oneof![
        4 => (who(), 0..9_i64).prop_map(|(who, value)| Step::Put { who, value }),
        1 => who().prop_map(|who| Step::Absent { who }),
        3 => (who(), -9..9_i64).prop_map(|(who, amount)| Step::Count { who, amount }),
        3 => (who(), 0..3_i64).prop_map(|(who, element)| Step::Insert { who, element }),
        2 => (who(), 0..3_i64).prop_map(|(who, element)| Step::Remove { who, element }),
        1 => who().prop_map(|who| Step::Clear { who }),
        2 => who().prop_map(|who| Step::Spend { who }),
        1 => who().prop_map(|who| Step::Restart { who }),
        2 => Just(Step::Prune),
        4 => (any(), who()).prop_map(|(which, to)| Step::Deliver { which, to }),
        4 => (who(), who()).prop_map(|(from, to)| Step::Sync { from, to }),
        2 => (who(), who(), 0..200_usize, any())
            .prop_map(|(from, to, budget, which)| Step::Piece { from, to, budget, which }),
    ]
}

/// What proptest generates, prints and shrinks.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    writers: usize,
    steps: Vec<Step>,
}

/// Two to four writers and a hub, up to forty steps.
pub(crate) fn scripts() -> impl Strategy<Value = Script> {
    let steps = prop::collection::vec(step(), 1..40);
    (2..=4_usize, steps).prop_map(|(writers, steps)| Script { writers, steps })
}

struct Node {
    writer: Writer,
    seq: u64,
    prev: u64,
    entry: Entry,
}

/// What came of a script, and what ought to come of it, told by who chose what rather than by
/// contexts.
#[derive(Default)]
pub(crate) struct History {
    /// The exact delta of every operation, in order.
    pub(crate) deltas: Vec<Entry>,
    /// The state of a node after every step that changed one.
    pub(crate) states: Vec<Entry>,
    /// Every node at the end.
    pub(crate) finals: Vec<Entry>,
    /// Every write ever made.
    pub(crate) made: BTreeSet<WriteId>,
    /// Those that some operation meant to remove.
    pub(crate) covered: BTreeSet<WriteId>,
    /// By write, those it replaces, directly or through what it replaces.
    pub(crate) absorbed: BTreeMap<WriteId, BTreeSet<WriteId>>,
}

impl Script {
    pub(crate) fn run(&self) -> History {
        let mut history = History::default();
        let mut nodes: Vec<Node> = (0..=self.writers).map(|at| fresh(at, 0)).collect();
        for (now, step) in (0_u64..).zip(&self.steps) {
            history.step(&mut nodes, now, step);
        }
        history.finals = nodes.into_iter().map(|node| node.entry).collect();
        history
    }
}

fn fresh(at: usize, run: u64) -> Node {
    let agent = AgentId::new(format!("agent-{at}")).unwrap();
    Node {
        writer: Writer::new(agent, Incarnation::from_random(run)),
        seq: 0,
        prev: 0,
        entry: Entry::new(),
    }
}

impl History {
    fn step(&mut self, nodes: &mut [Node], now: u64, step: &Step) {
        let hub = nodes.len() - 1;
        let writer = |who: usize| who % hub;
        match *step {
            Step::Put { who, value } => {
                let payload = Payload::put(&Value::Int(value));
                self.register(&mut nodes[writer(who)], now, payload);
            }
            Step::Absent { who } => self.register(&mut nodes[writer(who)], now, Payload::absent()),
            Step::Count { who, amount } => {
                let node = &mut nodes[writer(who)];
                let own = node.select(|id, write| {
                    write.payload.kind() == PayloadKind::Count && id.writer == node.writer
                });
                self.write(node, now, Payload::count(amount), &own);
            }
            Step::Insert { who, element } => {
                let node = &mut nodes[writer(who)];
                let payload = Payload::element(&Value::Int(element));
                let own = node.select(|id, w| w.payload == payload && id.writer == node.writer);
                self.write(node, now, payload, &own);
            }
            Step::Remove { who, element } => {
                let payload = Payload::element(&Value::Int(element));
                let node = &mut nodes[writer(who)];
                let seen = node.select(|_, write| write.payload == payload);
                self.cover(node, &seen);
            }
            Step::Clear { who } => {
                let node = &mut nodes[writer(who)];
                let seen = node.select(|_, _| true);
                self.cover(node, &seen);
            }
            Step::Spend { who } => nodes[writer(who)].seq += 1,
            Step::Restart { who } => {
                let at = writer(who);
                let entry = std::mem::take(&mut nodes[at].entry);
                nodes[at] = Node {
                    entry,
                    ..fresh(at, now + 1)
                };
            }
            Step::Prune => {
                let shown = nodes[hub].shown();
                let losers = nodes[hub].select(|id, w| is_value(w) && Some(id) != shown.as_ref());
                self.cover(&mut nodes[hub], &losers);
            }
            Step::Deliver { which, to } => {
                if let Some(delta) = self.deltas.get(which % self.deltas.len().max(1)).cloned() {
                    self.arrive(&mut nodes[to % (hub + 1)], delta);
                }
            }
            Step::Sync { from, to } => {
                let entry = nodes[from % (hub + 1)].entry.clone();
                self.arrive(&mut nodes[to % (hub + 1)], entry);
            }
            Step::Piece {
                from,
                to,
                budget,
                which,
            } => {
                let pieces = nodes[from % (hub + 1)].entry.parts(None, budget);
                let piece = pieces[which % pieces.len()].entry.clone();
                self.arrive(&mut nodes[to % (hub + 1)], piece);
            }
        }
    }

    /// A value for the whole key: replaces what is shown, and all that has gone before.
    fn register(&mut self, node: &mut Node, now: u64, payload: Payload) {
        let shown = node.shown();
        let mut over = node.entry.context().clone();
        for hidden in node.select(|id, _| Some(id) != shown.as_ref()) {
            over.remove_id(&hidden);
        }
        self.commit(node, now, payload, over, shown.as_slice());
    }

    /// A write that replaces `gone` and nothing else.
    fn write(&mut self, node: &mut Node, now: u64, payload: Payload, gone: &[WriteId]) {
        let over = node.closure(gone);
        self.commit(node, now, payload, over, gone);
    }

    fn commit(
        &mut self,
        node: &mut Node,
        now: u64,
        payload: Payload,
        over: Context,
        gone: &[WriteId],
    ) {
        node.seq += 1;
        let id = WriteId::new(node.writer.clone(), Seq::new(node.seq));
        let prev = Seq::new(std::mem::replace(&mut node.prev, node.seq));
        // Few stamps, so that ties are common.
        let stamp = Stamp::at_millis(now / 3);
        let write = Write {
            stamp,
            payload,
            prev,
            over,
            note: None,
        };
        let replaced = gone.iter().flat_map(|direct| {
            let further = self.absorbed.get(direct).into_iter().flatten();
            further.chain([direct]).cloned()
        });
        self.absorbed.insert(id.clone(), replaced.collect());
        self.made.insert(id.clone());
        self.publish(node, Entry::of_write(id, write), gone);
    }

    fn cover(&mut self, node: &mut Node, gone: &[WriteId]) {
        let context = node.closure(gone);
        self.publish(node, Entry::covering(context), gone);
    }

    /// An operation does to its own node exactly what it says.
    fn publish(&mut self, node: &mut Node, delta: Entry, gone: &[WriteId]) {
        let joined = node.entry.join(delta.clone());
        let removed: Vec<_> = joined.removed.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(
            removed, gone,
            "an operation removed something else than it replaces"
        );
        let added: Vec<_> = delta.writes().map(|(id, _)| id.clone()).collect();
        assert_eq!(
            joined.added.as_slice(),
            added,
            "an operation did not add its own write"
        );
        self.covered.extend(gone.iter().cloned());
        self.deltas.push(delta);
        self.states.push(node.entry.clone());
    }

    fn arrive(&mut self, node: &mut Node, entry: Entry) {
        if node.entry.join(entry).inflated() {
            self.states.push(node.entry.clone());
        }
    }

    /// What every replica must come to: each write that nobody chose to remove is live.
    pub(crate) fn survivors(&self) -> Vec<WriteId> {
        self.made.difference(&self.covered).cloned().collect()
    }

    /// What no state may ever show, whatever has arrived so far.
    pub(crate) fn check(&self, entry: &Entry) {
        let live: BTreeSet<&WriteId> = entry.writes().map(|(id, _)| id).collect();
        for id in &live {
            assert!(self.made.contains(id), "nobody wrote {id}");
            assert!(
                entry.context().contains(id),
                "{id} is live and not in the context"
            );
            // The trap of relayed writes: a predecessor that arrives late would count twice.
            let both = self.absorbed[*id].iter().find(|old| live.contains(old));
            assert_eq!(both, None, "{id} is live beside what it replaces");
        }
        for id in self.made.iter().filter(|id| !live.contains(id)) {
            let gone = entry.context().contains(id);
            assert!(
                !gone || self.covered.contains(id),
                "{id} has gone and nobody chose so"
            );
        }
        let kinds: BTreeSet<_> = entry.writes().map(|(_, w)| w.payload.kind()).collect();
        assert!(entry.kinds().eq(kinds), "not the kinds there are");
        let spans = entry.context().spans();
        let canonical = spans.windows(2).all(|pair| {
            let apart = pair[0].last.next() < pair[1].first;
            pair[0].writer < pair[1].writer || (pair[0].writer == pair[1].writer && apart)
        });
        assert!(
            canonical && spans.iter().all(|s| s.first <= s.last),
            "{spans:?}"
        );
    }
}

fn is_value(write: &Write) -> bool {
    matches!(write.payload.kind(), PayloadKind::Put | PayloadKind::Absent)
}

impl Node {
    fn select(&self, wanted: impl Fn(&WriteId, &Write) -> bool) -> Vec<WriteId> {
        let chosen = self.entry.writes().filter(|(id, write)| wanted(id, write));
        chosen.map(|(id, _)| id.clone()).collect()
    }

    fn shown(&self) -> Option<WriteId> {
        let values = self.entry.writes().filter(|(_, write)| is_value(write));
        let newest = values.max_by_key(|(id, write)| (write.stamp, *id))?;
        Some(newest.0.clone())
    }

    /// `gone` and all that it had replaced.
    fn closure(&self, gone: &[WriteId]) -> Context {
        let mut context = Context::new();
        for id in gone {
            context.union(&self.entry.write(id).unwrap().closure(id));
        }
        context
    }
}

/// Chance from one number, so that a case is its own seed (`SplitMix64`).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % end.max(1) as u64).unwrap()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
