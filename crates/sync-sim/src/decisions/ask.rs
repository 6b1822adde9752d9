//! What is asked to be decided.

use std::time::Duration;

use sync_core::{
    AgentId, Ask, Assignment, Attempt, AuthorityAsk, Body, Cursor, Expectation, Incarnation, Key,
    Message, Now, Token, Value, Version,
};
use sync_protocol::{Command, Replica};

use super::{Asker, Call};
use crate::tables::{is_claimed, is_decided};
use crate::workload::Asked;
use crate::world::World;

/// Leases, in milliseconds, and the longest of them.
const LEASES_MS: &[u64] = &[150, 400, LEASE_MS_MAX];
pub(crate) const LEASE_MS_MAX: u64 = 1_200;

/// Tokens that somebody may still use, most of them stale.
const TOKENS: usize = 6;

/// Answers that the client does not say to have: it may ask for them again.
const KEPT: u64 = 4;

/// The client's run: it is one process, throughout.
const CLIENT_RUN: u64 = 77;

/// How long a replica's caller waits, in milliseconds.
const PATIENCE_MS: &[u64] = &[100, 700, 2_500];

impl World {
    pub(crate) fn decide_something(&mut self) {
        let keys = self.plan.keys.iter().filter(|key| is_decided(key));
        let keys: Vec<Key> = keys.cloned().collect();
        if keys.is_empty() {
            return;
        }
        if self.random.chance(150) {
            return self.ask_for_an_answer_again();
        }
        let n = self.random.index(self.replicas.len());
        let by_replica = self.random.chance(650);
        let reader = by_replica.then_some(n);
        let ask = self.draw_ask(&keys, reader);
        let now_us = self.now_us;
        let mut call = Call {
            asker: Asker::Replica(n),
            ask,
            asked_us: now_us,
            until_us: u64::MAX,
            answer: None,
        };
        let index = self.decisions.calls.len();
        if by_replica {
            let limit_ms = *self.random.pick(PATIENCE_MS);
            call.until_us = now_us + limit_ms * 1_000;
            self.decisions.calls.push(call);
            return self.ask_by_replica(n, index, Duration::from_millis(limit_ms));
        }
        self.decisions.client_last += 1;
        call.asker = Asker::Client(self.decisions.client_last);
        self.decisions.calls.push(call);
        self.ask_by_client(index);
    }

    fn ask_by_replica(&mut self, n: usize, index: usize, timeout: Duration) {
        let now = self.clock(n);
        if self.replicas[n].machine.is_none() {
            self.decisions.calls[index].until_us = 0;
            return;
        }
        let request = self.new_request(Asked::Decide(index));
        self.decisions.requests.insert(request, index);
        let ask = self.decisions.calls[index].ask.clone();
        let replica = self.replicas[n].machine.as_mut().expect("checked above");
        replica.handle_command(now, request, Command::Decide { ask, timeout });
        self.drain_replica(n);
    }

    fn ask_by_client(&mut self, index: usize) {
        let Asker::Client(number) = self.decisions.calls[index].asker else {
            return;
        };
        if self.hub.machine.is_none() {
            return;
        }
        let request = self.new_request(Asked::Decide(index));
        self.decisions.requests.insert(request, index);
        let open = self.decisions.calls.iter().filter(|c| c.answer.is_none());
        let open = open.filter_map(|call| match call.asker {
            Asker::Client(number) => Some(number),
            Asker::Replica(_) => None,
        });
        let first = open.min().unwrap_or(number);
        let answered = first.min(number).saturating_sub(KEPT);
        self.decisions.client_said = self.decisions.client_said.max(answered);
        let run = Incarnation::from_random(CLIENT_RUN);
        let agent = AgentId::new("client").expect("a valid name");
        let attempt = Attempt {
            run,
            number,
            answered,
            again: self.decisions.seen.contains(&(agent, run, number)),
        };
        let ask = self.decisions.calls[index].ask.clone();
        let ask = Ask::Authority { attempt, ask };
        let message = Message::from(Body::Request { request, ask });
        let (now, client) = (self.hub_now(), self.hub.client);
        let before = self.before_decision(&message);
        let hub = self.hub.machine.as_mut().expect("checked above");
        hub.handle_message(now, client, message);
        self.note_decided(before);
        self.drain_hub();
    }

    /// The client finds its connection gone: what was not answered it asks again.
    pub(crate) fn client_asks_again(&mut self) {
        for index in 0..self.decisions.calls.len() {
            let call = &self.decisions.calls[index];
            if call.answer.is_none() && matches!(call.asker, Asker::Client(_)) {
                self.stats.hit("decision asked again");
                self.ask_by_client(index);
            }
        }
    }

    /// An answer has got lost after it had come, so to speak.
    fn ask_for_an_answer_again(&mut self) {
        let said = self.decisions.client_said;
        let calls = self.decisions.calls.iter().enumerate();
        let again = calls.filter(|(_, call)| {
            let kept = matches!(call.asker, Asker::Client(number) if number > said);
            // To begin a lease anew twice is to begin it twice.
            kept && !matches!(call.ask, AuthorityAsk::Renew { .. })
        });
        let again: Vec<usize> = again.map(|(index, _)| index).collect();
        if !again.is_empty() {
            let index = *self.random.pick(&again);
            self.ask_by_client(index);
        }
    }

    fn draw_ask(&mut self, keys: &[Key], reader: Option<usize>) -> AuthorityAsk {
        let (claims, values): (Vec<Key>, Vec<Key>) = keys.iter().cloned().partition(is_claimed);
        if !claims.is_empty() && (values.is_empty() || self.random.chance(500)) {
            return self.draw_claim(&claims, &values);
        }
        let mut expect = Vec::new();
        let mut assign = Vec::new();
        let first = self.random.index(values.len());
        for (n, key) in values.iter().enumerate() {
            if n != first && self.random.chance(600) {
                continue;
            }
            let is_expected = self.random.chance(900);
            if is_expected {
                expect.push(self.draw_expectation(key, reader));
            }
            // What is expected of a key may decide over another one.
            if n == first || !is_expected || self.random.chance(700) {
                let value = self.draw_value();
                let key = key.clone();
                assign.push(Assignment { key, value });
            }
        }
        AuthorityAsk::Commit {
            expect: expect.into(),
            assign: assign.into(),
            metadata: None,
        }
    }

    /// None deletes.
    fn draw_value(&mut self) -> Option<Value> {
        self.next_value += 1;
        let value = Value::Int(self.next_value);
        (!self.random.chance(200)).then_some(value)
    }

    /// What a reader finds, most times.
    fn draw_expectation(&mut self, key: &Key, reader: Option<usize>) -> Expectation {
        let held = reader.map(|n| (self.clock(n), &self.replicas[n]));
        let held = held.and_then(|(now, node)| Some((now, node.machine.as_ref()?)));
        let found = match held {
            Some((now, replica)) => read_at(replica, now, key),
            None => (self.version_at_hub(key), None),
        };
        let guess = Version::new(self.random.below(4));
        let version = if self.random.chance(50) {
            guess
        } else {
            found.0
        };
        Expectation::Version {
            key: key.clone(),
            version,
            at: found
                .1
                .filter(|_| self.random.chance(300))
                .map(|c| c.seen()),
        }
    }

    fn draw_claim(&mut self, claims: &[Key], values: &[Key]) -> AuthorityAsk {
        let lease_ms = *self.random.pick(LEASES_MS);
        let known = self.decisions.tokens.len();
        let recent = self.decisions.tokens[known.saturating_sub(TOKENS)..].to_vec();
        if recent.is_empty() || self.random.chance(400) {
            let key = self.random.pick(claims).clone();
            return AuthorityAsk::Claim { key, lease_ms };
        }
        let (key, token) = self.random.pick(&recent).clone();
        match self.random.below(4) {
            0 => AuthorityAsk::Renew {
                key,
                token,
                lease_ms,
            },
            1 => AuthorityAsk::Release { key, token },
            _ => self.draw_work(key, token, values),
        }
    }

    /// What is done under a claim, which may end with it.
    fn draw_work(&mut self, key: Key, token: Token, values: &[Key]) -> AuthorityAsk {
        let mut assign = Vec::new();
        if !values.is_empty() {
            let key = self.random.pick(values).clone();
            let value = self.draw_value();
            assign.push(Assignment { key, value });
        }
        if assign.is_empty() || self.random.chance(300) {
            let key = key.clone();
            assign.push(Assignment { key, value: None });
        }
        let expect = vec![Expectation::Claim { key, token }];
        AuthorityAsk::Commit {
            expect: expect.into(),
            assign: assign.into(),
            metadata: None,
        }
    }
}

fn read_at(replica: &Replica, now: Now, key: &Key) -> (Version, Option<Cursor>) {
    let state = replica.get(now, key);
    let version = state.and_then(|state| state.version).unwrap_or_default();
    (version, replica.cursor())
}
