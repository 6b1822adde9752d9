//! Hubs and agents that are stopped in an orderly way and started again while everybody writes: whatever was
//! acknowledged is accounted for in the end.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::support::{Agent, Hub, Place, json_of, until};

const AGENTS: usize = 4;

/// Requests that an agent is sent before it has answered, so that it is stopped in the middle of some.
const IN_FLIGHT_MAX: usize = 16;

/// Acknowledged writes between two restarts.
const BETWEEN: u64 = 150;

/// What a stopped process may take at most: well within `TimeoutStopSec` of docs/deploy.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(20);

/// What the thread of an agent is told to do.
enum Order {
    /// Stop the agent with SIGTERM, tell, and wait for the next order.
    Stop(Sender<()>),
    Start,
    /// Write no more.
    Finish,
}

/// What has become of the writes of an agent, as far as it was told.
#[derive(Default)]
struct Account {
    acked: BTreeSet<u64>,
    /// Those that were sent when it was stopped. They may be there.
    unanswered: BTreeSet<u64>,
}

impl Account {
    /// The numbers of this kind that must be there, and those that may.
    fn of(&self, kind: u64) -> (BTreeSet<u64>, BTreeSet<u64>) {
        let own = |all: &BTreeSet<u64>| all.iter().copied().filter(|n| n % 4 == kind).collect();
        (own(&self.acked), own(&self.unanswered))
    }
}

/// The kinds of writes, by number modulo 4.
const OWN_KEYS: u64 = 0;
const COUNTER: u64 = 1;
const SET: u64 = 2;
const REGISTER: u64 = 3;

fn request(name: &str, number: u64) -> Json {
    let value = format!("{name}/{number}");
    match number % 4 {
        OWN_KEYS => {
            json!({"id": number, "op": "set", "key": format!("own/{value}"), "value": value})
        }
        COUNTER => json!({"id": number, "op": "add", "key": "counter", "amount": 1}),
        SET => json!({"id": number, "op": "insert", "key": "set", "element": value}),
        _ => json!({"id": number, "op": "set", "key": "register", "value": value}),
    }
}

/// An agent and who writes through it.
struct Writer {
    name: String,
    hub: String,
    data: PathBuf,
    /// Acknowledged writes of all.
    progress: Arc<AtomicU64>,
    account: Account,
    next: u64,
    waiting: BTreeSet<u64>,
}

impl Writer {
    fn start(&self) -> Agent {
        Agent::start(&self.hub, &self.name, &self.data)
    }

    /// Writes until it is to finish; then all that it has sent is answered.
    fn run(mut self, orders: &Receiver<Order>) -> Ended {
        let mut agent = self.start();
        loop {
            match orders.try_recv() {
                Ok(Order::Stop(stopped)) => {
                    self.stop(agent);
                    stopped.send(()).expect("it waits for that");
                    agent = match orders.recv() {
                        Ok(Order::Start) => self.start(),
                        _ => panic!("what was stopped is started"),
                    };
                }
                Ok(Order::Finish) => break,
                _ => {}
            }
            let number = self.next;
            self.next += 1;
            let request = request(&self.name, number).to_string();
            agent.process.send(request.as_bytes());
            self.waiting.insert(number);
            while self.waiting.len() >= IN_FLIGHT_MAX {
                let line = agent.process.json();
                self.note(&line);
            }
        }
        while !self.waiting.is_empty() {
            let line = agent.process.json();
            self.note(&line);
        }
        (agent, self.account)
    }

    /// An answer, or an event, which is nobody's answer.
    fn note(&mut self, line: &Json) {
        let Some(number) = line["id"].as_u64().filter(|_| line.get("event").is_none()) else {
            return;
        };
        assert_eq!(line["ok"], true, "{line}");
        assert_eq!(line["durability"], "disk", "{line}");
        assert!(self.waiting.remove(&number), "answered twice: {line}");
        self.account.acked.insert(number);
        self.progress.fetch_add(1, Ordering::SeqCst);
    }

    /// In the middle of what it was sent.
    fn stop(&mut self, mut agent: Agent) {
        agent.process.signal("TERM");
        let begun = Instant::now();
        let status = agent.process.end();
        assert!(status.success(), "{}: {status}", self.name);
        assert!(begun.elapsed() < STOP_MAX, "{:?}", begun.elapsed());
        for line in agent.process.rest() {
            self.note(&serde_json::from_str(&line).expect("JSON"));
        }
        self.account.unanswered.append(&mut self.waiting);
    }
}

/// The end of a thread: its agent, which goes on, and what was written through it.
type Ended = (Agent, Account);

/// All agents and the thread that each has.
struct Swarm {
    threads: Vec<(Sender<Order>, JoinHandle<Ended>)>,
    progress: Arc<AtomicU64>,
}

impl Swarm {
    fn start(place: &Place, hub: &str) -> Self {
        let progress = Arc::new(AtomicU64::new(0));
        let thread = |number| {
            let name = format!("agent-{number}");
            let (orders, told) = channel();
            let writer = Writer {
                data: place.path(&name),
                name,
                hub: hub.to_owned(),
                progress: Arc::clone(&progress),
                account: Account::default(),
                next: 0,
                waiting: BTreeSet::new(),
            };
            (orders, thread::spawn(move || writer.run(&told)))
        };
        Self {
            threads: (0..AGENTS).map(thread).collect(),
            progress,
        }
    }

    /// Waits until so much more was acknowledged.
    fn goes_on(&self) {
        let acked = || self.progress.load(Ordering::SeqCst);
        let enough = acked() + BETWEEN;
        until(acked, |acked| *acked >= enough);
    }

    fn order(&self, agent: usize, order: Order) {
        self.threads[agent].0.send(order).expect("it listens");
    }

    fn stop(&self, agent: usize) {
        let (stopped, told) = channel();
        self.order(agent, Order::Stop(stopped));
        told.recv().expect("it stops");
    }

    fn restart(&self, agent: usize) {
        self.stop(agent);
        self.order(agent, Order::Start);
    }

    fn finish(self) -> Vec<Ended> {
        for agent in 0..AGENTS {
            self.order(agent, Order::Finish);
        }
        let ended = self.threads.into_iter().map(|(_, thread)| thread.join());
        ended
            .map(|ended| ended.expect("it does not panic"))
            .collect()
    }
}

fn stop(mut hub: Hub) {
    hub.process.signal("TERM");
    let begun = Instant::now();
    let status = hub.process.end();
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < STOP_MAX, "{:?}", begun.elapsed());
}

#[test]
fn a_rolling_restart_loses_nothing_that_was_acknowledged() {
    let place = Place::new();
    let policies = place.path("policies.toml");
    // Every commit of it, so that a write can be looked for that was overwritten long since.
    let kept = "[[policy]]\npattern = \"register\"\nhistory_commits = 4096\n";
    std::fs::write(&policies, kept).expect("it can be written");
    let policies = policies.to_string_lossy();
    let start = |listen: &str| Hub::start_as(&place.path("hub"), listen, &["--policy", &policies]);
    let mut hub = start("127.0.0.1:0");
    let address = hub.address.clone();
    let swarm = Swarm::start(&place, &address);
    for agent in 0..AGENTS {
        swarm.goes_on();
        stop(hub);
        // While it is away they go on, and one of them is restarted.
        swarm.goes_on();
        swarm.restart(agent);
        swarm.goes_on();
        hub = start(&address);
        swarm.goes_on();
        // While it is there one of them is.
        swarm.restart((agent + 1) % AGENTS);
    }
    // One that is away while the hub is restarted.
    swarm.stop(0);
    swarm.goes_on();
    stop(hub);
    hub = start(&address);
    swarm.order(0, Order::Start);
    swarm.goes_on();

    let mut ended = swarm.finish();
    for (agent, _) in &mut ended {
        agent.flush();
    }
    for (agent, _) in &mut ended {
        agent.in_step();
    }
    let digest = json_of(&hub.client(&["status", "--json"]))["digest"].clone();
    for (agent, _) in &mut ended {
        assert_eq!(agent.digest(), digest);
    }
    own_keys_and_sums(&mut ended);
    set(&mut ended);
    register(&hub, &mut ended);
}

/// As all replicas hold the same, any one is asked.
fn own_keys_and_sums(ended: &mut [Ended]) {
    let (mut least, mut most) = (0, 0);
    for at in 0..ended.len() {
        let (acked, _) = ended[at].1.of(OWN_KEYS);
        assert!(!acked.is_empty());
        for number in acked {
            let value = format!("agent-{at}/{number}");
            let read = ended[0].0.value(&format!("own/{value}"));
            assert_eq!(read, json!(value));
        }
        let (acked, unanswered) = ended[at].1.of(COUNTER);
        least += acked.len();
        most += acked.len() + unanswered.len();
    }
    let sum = ended[0].0.value("counter").as_u64();
    let sum = usize::try_from(sum.expect("a number")).expect("a small one");
    assert!((least..=most).contains(&sum), "{least} <= {sum} <= {most}");
}

fn set(ended: &mut [Ended]) {
    let read = ended[0].0.value("set");
    let there: BTreeSet<&str> = read
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let mut possible = 0;
    for (at, (_, account)) in ended.iter().enumerate() {
        let (acked, unanswered) = account.of(SET);
        possible += acked.len() + unanswered.len();
        for number in acked {
            let element = format!("agent-{at}/{number}");
            assert!(there.contains(&*element), "{element} is missing");
        }
    }
    assert!(there.len() <= possible, "what nobody wrote is there");
}

/// A write to what everybody writes to is visible, or came back as a receipt, or was overwritten by its own
/// writer, or the hub has committed it and it was overwritten by somebody who was shown it.
fn register(hub: &Hub, ended: &mut [Ended]) {
    let visible = ended[0].0.value("register");
    let committed = committed(hub);
    for (at, (agent, account)) in ended.iter_mut().enumerate() {
        let told = agent.ok(json!({"op": "receipts"}));
        let told = told["receipts"].as_array().cloned().unwrap_or_default();
        let returned: Vec<&Json> = told.iter().map(|receipt| &receipt["value"]).collect();
        let (acked, unanswered) = account.of(REGISTER);
        let last = acked.iter().chain(&unanswered).max().copied();
        for number in acked {
            let value = json!(format!("agent-{at}/{number}"));
            let accounted = value == visible
                || returned.contains(&&value)
                || Some(number) < last
                || committed.contains(&value);
            assert!(
                accounted,
                "{value} has disappeared: {visible}, {returned:?}"
            );
        }
    }
}

/// All values that the register ever had at the hub.
fn committed(hub: &Hub) -> Vec<Json> {
    let told = json_of(&hub.client(&["history", "register", "--json", "--limit", "4096"]));
    let commits = told["commits"].as_array().cloned().unwrap_or_default();
    commits
        .into_iter()
        .map(|mut commit| commit["value"].take())
        .collect()
}
