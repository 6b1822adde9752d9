//! An agent, who writes through it, and who kills it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};

use super::account::{Account, Attempt, Ended, Kind, text};
use crate::support::{Agent, Process, agent_args};

/// Requests that an agent is sent before it has answered, so that it is killed in the middle of some.
const IN_FLIGHT_MAX: usize = 16;

/// Between two writes: as many as a register keeps commits of, at most.
const PAUSE_US: u64 = 20_000;

/// Of so many writes one is the last before it is killed.
const KILLED_EACH: u32 = 250;

/// A process that starts is killed within that.
pub(super) const STARTING_MS: u64 = 60;

/// What is asked before a register is written.
const LOOK: &str = "look-";

pub(super) struct Writer {
    pub(super) name: String,
    pub(super) hub: String,
    pub(super) data: PathBuf,
    pub(super) engine: &'static str,
    pub(super) seed: u64,
    /// Set once there is to be no more trouble.
    pub(super) calm: Arc<AtomicBool>,
}

/// A run of it, and all that was written so far.
struct Run {
    agent: Agent,
    account: Account,
    waiting: BTreeSet<u64>,
}

impl Writer {
    /// Writes and is killed until it is calm; then all that was sent is answered. The end, and how often it
    /// was killed.
    pub(super) fn run(self) -> (Ended, u64) {
        let mut random = SmallRng::seed_from_u64(self.seed);
        let mut run = Run {
            agent: self.start(),
            account: Account::default(),
            waiting: BTreeSet::new(),
        };
        let mut killed = 0;
        let mut number = 0;
        while !self.calm.load(Ordering::SeqCst) {
            run.write(&self.name, number);
            number += 1;
            while run.waiting.len() >= IN_FLIGHT_MAX {
                run.hear();
            }
            if random.random_ratio(1, KILLED_EACH) {
                run.kill();
                killed += 1;
                killed += self.kill_while_it_starts(&mut random);
                run.agent = self.start();
            }
            thread::sleep(Duration::from_micros(random.random_range(0..PAUSE_US)));
        }
        while !run.waiting.is_empty() {
            run.hear();
        }
        let ended = Ended {
            name: self.name,
            agent: run.agent,
            account: run.account,
        };
        (ended, killed)
    }

    fn start(&self) -> Agent {
        Agent::start_with(&self.hub, &self.name, &self.data, &["--store", self.engine])
    }

    /// Every other time.
    fn kill_while_it_starts(&self, random: &mut SmallRng) -> u64 {
        if random.random_bool(0.5) {
            return 0;
        }
        let data = self.data.to_string_lossy();
        let args = agent_args(&self.hub, &self.name, &data);
        let process = Process::start(&args);
        thread::sleep(Duration::from_millis(random.random_range(0..STARTING_MS)));
        process.kill();
        1
    }
}

impl Run {
    fn write(&mut self, name: &str, number: u64) {
        let value = text(name, number);
        let request = match Kind::of(number) {
            Kind::Own => json!({"op": "set", "key": format!("own/{value}"), "value": value}),
            Kind::Counter => json!({"op": "add", "key": "counter", "amount": 1}),
            Kind::Set => json!({"op": "insert", "key": "set", "element": value}),
            Kind::Register => {
                let id = format!("{LOOK}{number}");
                self.send(json!({"op": "get", "key": "register"}), json!(id));
                json!({"op": "set", "key": "register", "value": value})
            }
        };
        self.account.attempts.insert(number, Attempt::default());
        self.waiting.insert(number);
        self.send(request, json!(number));
    }

    fn send(&mut self, mut request: Json, id: Json) {
        request["id"] = id;
        self.agent.process.send(request.to_string().as_bytes());
    }

    fn hear(&mut self) {
        let line = self.agent.process.json();
        self.note(&line);
    }

    /// An answer, or an event, which is nobody's answer.
    fn note(&mut self, line: &Json) {
        if line.get("event").is_some() {
            return;
        }
        assert_eq!(line["ok"], true, "{line}");
        if let Some(looked) = line["id"].as_str() {
            let number = looked.strip_prefix(LOOK).and_then(|n| n.parse().ok());
            let attempt = number.and_then(|number: u64| self.account.attempts.get_mut(&number));
            attempt.expect("it was asked").shown = Some(line["value"].clone());
            return;
        }
        let number = line["id"].as_u64().expect("an id of ours");
        assert_eq!(line["durability"], "disk", "{line}");
        assert!(self.waiting.remove(&number), "answered twice: {line}");
        let write = line["write"].as_str().expect("it wrote").to_owned();
        let attempt = self.account.attempts.get_mut(&number);
        attempt.expect("it was sent").write = Some(write);
    }

    /// In the middle of what it was sent. What it had said by then counts.
    fn kill(&mut self) {
        self.agent.process.child.kill().expect("it was running");
        self.agent.process.child.wait().expect("it was running");
        let mut said = self.agent.process.rest();
        // The last line may have been cut short.
        let last = said.pop();
        for line in said {
            self.note(&serde_json::from_str(&line).expect("JSON"));
        }
        if let Some(Ok(line)) = last.map(|line| serde_json::from_str(&line)) {
            self.note(&line);
        }
        self.waiting.clear();
    }
}
