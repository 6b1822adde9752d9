//! What users do: write, read, synchronize, clear, follow deltas.

use std::collections::BTreeMap;
use std::time::Duration;

use sync_core::codec::List;
use sync_core::{
    AgentId, Ask, Cursor, Key, PastAsk, Pattern, ProposalId, Revision, Since, Value, Vote, WriteId,
};
use sync_protocol::{Command, Hub};

use crate::positions::Live;
use crate::world::{Event, World};

/// Per thousand actions: steps of a reader of deltas, takings of receipts, questions, those about the past, waits
/// for what was written and for positions, questions about receipts and policies. What is left are writes.
const DELTA_SHARE: u64 = 40;
const TAKE_SHARE: u64 = 40;
const ASK_SHARE: u64 = 30;
const PAST_SHARE: u64 = 40;
const FLUSH_SHARE: u64 = 15;
const POSITION_SHARE: u64 = 10;
const HUB_SHARE: u64 = 5;

/// Per thousand steps of a reader: a position is named that is above the head.
const BEYOND_SHARE: u64 = 50;

/// A caller that waits.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Write(Option<WriteId>),
    Clear(Vec<WriteId>),
    /// For what was made so far.
    Flush {
        made: Vec<WriteId>,
        to_hub: bool,
    },
    /// Until an agent holds what was live at the hub.
    Position(Live),
    Policies,
    /// What waits for whom.
    Receipts(AgentId),
    /// How many hold what was live at the hub.
    Held(Live),
    /// Over which keys.
    Round(Vec<Key>),
    /// When.
    Status(u64),
    Delta,
    /// What comes after a position that there is not yet.
    Beyond,
    /// By which watcher, from where.
    Watch(usize, Revision),
    Propose(ProposalId),
    /// Something else under an id that is taken.
    Impostor,
    /// By which agent, on what, how.
    Vote(AgentId, ProposalId, Vote),
    Past(PastAsk),
    /// Which call for a decision.
    Decide(usize),
    Other,
}

/// Follows the hub's deltas as values, as a peer without a replica would.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) cursor: Option<Cursor>,
    pub(crate) held: BTreeMap<Key, Value>,
}

impl World {
    pub(crate) fn work(&mut self) {
        if !self.faulty {
            return;
        }
        let pause = self.random.between(1, self.plan.pause_us * 2);
        self.schedule(pause, Event::Work);
        if !self.allows("work", 0, self.nth) {
            return;
        }
        self.watch();
        if self.table == 0 && self.random.chance(self.plan.table_change) {
            self.change_table();
        }
        let patient = |share| if self.plan.levels > 0 { share } else { 0 };
        let shares = [
            self.plan.round,
            self.plan.clear,
            self.plan.client,
            self.plan.propose,
            self.plan.decide,
            self.plan.repropose,
            DELTA_SHARE,
            TAKE_SHARE,
            ASK_SHARE,
            PAST_SHARE,
            patient(FLUSH_SHARE),
            patient(POSITION_SHARE),
            patient(HUB_SHARE),
        ];
        let mut roll = self.random.below(1_000);
        let falls_into = shares.iter().position(|share| {
            let hit = roll < *share;
            roll = roll.wrapping_sub(*share);
            hit
        });
        match falls_into {
            Some(0) => self.start_round(),
            Some(1) => self.clear(),
            Some(2) => self.write_at_hub(),
            Some(3) => self.propose_something(),
            Some(4) => self.decide_something(),
            Some(5) => self.repropose(),
            Some(6) => self.read_delta(),
            Some(7) => self.take_receipts(),
            Some(8) => self.ask_through_replica(),
            Some(9) => self.ask_past(),
            Some(10) => self.flush(),
            Some(11) => self.wait_for_position(),
            Some(12) => self.ask_about_hub(),
            _ => {
                let n = self.random.index(self.replicas.len());
                self.write(n);
            }
        }
    }

    pub(crate) fn new_request(&mut self, asked: Asked) -> u64 {
        self.next_request += 1;
        self.asked.insert(self.next_request, asked);
        self.next_request
    }

    fn some_keys(&mut self) -> Vec<Key> {
        let keys = self.plan.keys.clone();
        keys.into_iter()
            .filter(|_| self.random.chance(600))
            .collect()
    }

    fn start_round(&mut self) {
        let keys = self.some_keys();
        let timeout_ms = self.random.chance(500).then_some(100);
        let asked = Asked::Round(keys.clone());
        let keys = List(keys);
        let ask = Ask::Sync { keys, timeout_ms };
        self.ask_somewhere(asked, ask);
        self.stats.hit("round");
    }

    /// At the hub itself, or through a replica.
    pub(crate) fn ask_somewhere(&mut self, asked: Asked, ask: Ask) {
        let request = self.new_request(asked);
        if self.random.chance(500) {
            let now = self.hub_now();
            if let Some(hub) = &mut self.hub.machine {
                hub.handle_ask(now, request, ask);
                self.drain_hub();
            }
            return;
        }
        let n = self.random.index(self.replicas.len());
        let now = self.clock(n);
        if let Some(replica) = &mut self.replicas[n].machine {
            let timeout = Duration::from_millis(600);
            replica.handle_command(now, request, Command::Ask { ask, timeout });
            self.drain_replica(n);
        }
    }

    fn ask_through_replica(&mut self) {
        let key = self.random.pick(&self.plan.keys).clone();
        let ask = match self.random.below(4) {
            0 => Ask::Version(key),
            1 => Ask::Get(key),
            2 if self.random.chance(500) => return self.ask_status(),
            2 => Ask::Status,
            _ => Ask::Keys {
                pattern: Pattern::new("*").expect("a pattern"),
                after: None,
            },
        };
        self.ask_somewhere(Asked::Other, ask);
    }

    fn clear(&mut self) {
        let one = self.random.chance(800);
        let key = one.then(|| self.random.pick(&self.plan.keys).clone());
        let now = self.hub_now();
        let Some(hub) = &self.hub.machine else { return };
        let keys = hub.keyspace().iter_after(None);
        let keys = keys.filter(|(held, _)| key.as_ref().is_none_or(|key| key == *held));
        let live = keys.flat_map(|(_, state)| state.entry().writes().map(|(id, _)| id.clone()));
        let live: Vec<WriteId> = live.collect();
        self.trace.say(|| format!("clear {key:?}: {live:?}"));
        for id in &live {
            self.ghost.cleared.entry(id.clone()).or_default();
        }
        let request = self.new_request(Asked::Clear(live));
        let hub = self.hub.machine.as_mut().expect("checked above");
        hub.handle_ask(now, request, Ask::Clear(key));
        self.stats.hit("clear");
        self.drain_hub();
    }

    /// A key has changed at the hub while somebody waits until the swarm is cleared: what of it is still live
    /// stays, as whoever asked did not mean what came meanwhile.
    pub(crate) fn note_spared(&mut self, key: &Key) {
        if self.plan.clear == 0 {
            return;
        }
        let held = self.at_hub(key);
        for asked in self.asked.values_mut() {
            if let Asked::Clear(ids) = asked {
                ids.retain(|id| held.write(id).is_none());
            }
        }
    }

    pub(crate) fn read_delta(&mut self) {
        if self.random.chance(BEYOND_SHARE) {
            self.read_beyond();
        }
        let since = self.reader.cursor.map_or(Since::START, Since::Cursor);
        let request = self.new_request(Asked::Delta);
        let now = self.hub_now();
        if let Some(hub) = &mut self.hub.machine {
            hub.handle_ask(now, request, Ask::Delta(since));
            self.drain_hub();
        }
    }

    /// Somebody takes up a position that the hub has not come to, as of another log.
    fn read_beyond(&mut self) {
        let Some(head) = self.hub.machine.as_ref().map(Hub::revision) else {
            return;
        };
        let request = self.new_request(Asked::Beyond);
        let now = self.hub_now();
        if let Some(hub) = &mut self.hub.machine {
            hub.handle_ask(now, request, Ask::Delta(Since::Revision(head.next())));
            self.drain_hub();
        }
    }

    /// The last chance for another table: nothing that is written later decides by it. A hub that
    /// dies now finds it when it comes back.
    pub(crate) fn change_table_late(&mut self) {
        if self.table > 0 || self.plan.table_change == 0 {
            return;
        }
        if self.random.chance(500) {
            return self.change_table();
        }
        self.table = 1;
        self.stats.hit("policy change at a start");
        self.crash_hub();
    }

    /// The file that holds the policies is another from now on.
    fn change_table(&mut self) {
        self.table = 1;
        self.stats.hit("policy change");
        if self.random.chance(500) {
            return self.ask_somewhere(Asked::Other, Ask::ReloadPolicies);
        }
        let (now, table) = (self.hub_now(), self.table().clone());
        if let Some(hub) = &mut self.hub.machine {
            hub.set_policies(now, table);
            self.drain_hub();
        }
    }
}
