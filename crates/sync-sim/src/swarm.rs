//! Programs of users, one per agent, over the machines that run in production, under one seed.

mod agent;
mod faults;
mod stage;

use std::cell::RefCell;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use sync_core::{Key, Policies, Receipt, StateVersion};

pub use agent::Agent;
use faults::{Crash, Partition};
use stage::Stage;

use crate::failure::Failure;
use crate::run::caught;

/// How long programs may take, and then agents until they agree, in simulated time: far more than either
/// needs unless it waits for something that never comes.
const PROGRAM_TIME_MAX: Duration = Duration::from_mins(10);
const AGREE_TIME_MAX: Duration = Duration::from_mins(1);

/// A swarm to try out what agents do, described before it runs.
///
/// Each agent runs the same program against its own replica; [`Agent`] has the calls of
/// `swarm_sync::Agent` for reading and writing keys, claims and receipts. Which of them goes on first, how long messages take and what
/// [`Agent::random_below`] says is drawn by the seed, and only by it: a seed that fails fails again.
///
/// ```
/// use sync_sim::Swarm;
///
/// let ending = Swarm::seed(42)
///     .agents(3)
///     .run(async |agent| {
///         agent.add("steps", 1).await.expect("its disk takes it");
///     })
///     .expect("every program ends");
/// let steps = ending.get("steps").expect("they took some");
/// assert_eq!(steps.value, Some(3.into()));
/// ```
#[derive(Debug, Clone)]
pub struct Swarm {
    seed: u64,
    agents: usize,
    policies: Arc<Policies>,
    partitions: Vec<Partition>,
    crashes: Vec<Crash>,
}

/// A swarm whose programs have ended and whose agents agree.
#[derive(Debug)]
pub struct Ending {
    stage: Stage,
}

/// A program on its way; none once it has ended.
type Program<'a> = Option<Pin<Box<dyn Future<Output = ()> + 'a>>>;

impl Swarm {
    /// Two agents under a seed, and nothing that goes wrong.
    pub fn seed(seed: u64) -> Self {
        Self {
            seed,
            agents: 2,
            policies: Arc::default(),
            partitions: Vec::new(),
            crashes: Vec::new(),
        }
    }

    /// How many agents run the program.
    pub fn agents(mut self, agents: usize) -> Self {
        self.agents = agents;
        self
    }

    /// The policies of the swarm's keys. Functions that merge are not called: values stay beside each
    /// other.
    pub fn policies(mut self, policies: Policies) -> Self {
        self.policies = Arc::new(policies);
        self
    }

    /// Cuts these agents off from the hub for a time after the start. What they write waits with them.
    pub fn partition(
        mut self,
        agents: impl IntoIterator<Item = usize>,
        time: Range<Duration>,
    ) -> Self {
        self.partitions.push(Partition {
            agents: agents.into_iter().collect(),
            from_us: micros(time.start),
            until_us: micros(time.end),
        });
        self
    }

    /// Ends the processes of these agents at a time after the start, in the middle of whatever they do, and
    /// starts each at once: its program begins anew, and finds what its disk holds. What was acknowledged is
    /// there. A program that has ended by then stays ended.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sync_sim::Swarm;
    ///
    /// let swarm = Swarm::seed(42).crash([0], Duration::from_millis(50));
    /// let ending = swarm.run(async |agent| {
    ///     // Without this look it would count itself twice.
    ///     if agent.get("hello").unwrap().is_none() {
    ///         agent.set("hello", "here").await.unwrap();
    ///     }
    ///     agent.sleep(Duration::from_millis(100)).await;
    ///     agent.add("ends", 1).await.unwrap();
    /// });
    /// assert_eq!(ending.unwrap().get("ends").unwrap().value, Some(2.into()));
    /// ```
    pub fn crash(mut self, agents: impl IntoIterator<Item = usize>, at: Duration) -> Self {
        self.crashes.push(Crash {
            agents: agents.into_iter().collect(),
            at_us: micros(at),
        });
        self
    }

    /// Which agent is to be cut off or to crash and is not there.
    fn unknown_agent(&self) -> Option<usize> {
        let cut_off = self.partitions.iter().flat_map(|p| &p.agents);
        let mut named = cut_off.chain(self.crashes.iter().flat_map(|c| &c.agents));
        named.find(|n| **n >= self.agents).copied()
    }

    /// Runs the program at every agent until each has ended and all hold the same.
    ///
    /// # Errors
    ///
    /// Which program has panicked, or did not come to an end; which agent was named and is none of them.
    pub fn run<F>(self, program: F) -> Result<Ending, Failure>
    where
        F: AsyncFn(Agent),
    {
        caught(|| self.perform(&program))
    }

    fn perform<F>(self, program: &F) -> Result<Ending, Failure>
    where
        F: AsyncFn(Agent),
    {
        if let Some(unknown) = self.unknown_agent() {
            let agents = self.agents;
            let text = format!(
                "agent {unknown} is to be cut off or to crash, and there are {agents} agents, counted from 0: \
                 name one of them, or have more with `agents`"
            );
            return Err(Failure::of_swarm(0, text));
        }
        let faults = (self.partitions, self.crashes);
        let stage = Stage::new(self.seed, self.agents, self.policies, faults);
        let stage = Rc::new(RefCell::new(stage));
        let begin = |n| -> Program<'_> {
            let stage = stage.clone();
            Some(Box::pin(program(Agent { stage, n })))
        };
        let mut programs: Vec<Program<'_>> = (0..self.agents).map(begin).collect();
        loop {
            poll_all(&stage, &mut programs);
            if programs.iter().all(Option::is_none) {
                break;
            }
            let late = stage.borrow().now_us > micros(PROGRAM_TIME_MAX);
            if late || !stage.borrow_mut().step() {
                return Err(unfinished(&stage.borrow(), &programs));
            }
            let crashed = std::mem::take(&mut stage.borrow_mut().crashed);
            for n in crashed {
                if programs[n].take().is_some() {
                    programs[n] = begin(n);
                }
            }
        }
        drop(programs);
        let until = stage.borrow().now_us + micros(AGREE_TIME_MAX);
        while !stage.borrow().agrees() {
            if stage.borrow().now_us > until || !stage.borrow_mut().step() {
                let at_us = stage.borrow().now_us;
                return Err(Failure::of_swarm(
                    at_us,
                    "the agents never agreed".to_owned(),
                ));
            }
        }
        match Rc::try_unwrap(stage) {
            Ok(stage) => Ok(Ending {
                stage: stage.into_inner(),
            }),
            Err(shared) => Err(Failure::of_swarm(
                shared.borrow().now_us,
                "an agent was kept beyond its program: give it back at its end".to_owned(),
            )),
        }
    }
}

impl Ending {
    /// What all agents show of a key in the end; none if it holds no value.
    pub fn get(&self, key: &str) -> Option<StateVersion> {
        let key = Key::new(key).ok()?;
        self.stage
            .nodes
            .first()?
            .replica
            .get(self.stage.now(), &key)
    }

    /// The writes that lost, of all agents: each with its winner.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.stage.nodes.iter().flat_map(|node| &node.receipts)
    }

    /// The simulated time it took.
    pub fn took(&self) -> Duration {
        Duration::from_micros(self.stage.now_us)
    }

    /// A digest of everything that is held: the same seed and program have the same one.
    pub fn digest(&self) -> sync_core::Digest {
        self.stage.hub().digest()
    }
}

/// Lets every program go on as far as it can, in an order that the seed draws.
fn poll_all(stage: &Rc<RefCell<Stage>>, programs: &mut [Program<'_>]) {
    let mut order: Vec<usize> = (0..programs.len()).collect();
    for last in (1..order.len()).rev() {
        let other = stage.borrow_mut().random.index(last + 1);
        order.swap(last, other);
    }
    let mut context = Context::from_waker(Waker::noop());
    for n in order {
        if let Some(program) = &mut programs[n]
            && program.as_mut().poll(&mut context).is_ready()
        {
            programs[n] = None;
        }
    }
}

fn unfinished(stage: &Stage, programs: &[Program<'_>]) -> Failure {
    let waiting = programs.iter().enumerate();
    let waiting: Vec<usize> = waiting
        .filter(|(_, program)| program.is_some())
        .map(|(n, _)| n)
        .collect();
    let text = format!("the programs of agents {waiting:?} wait for what never comes");
    Failure::of_swarm(stage.now_us, text)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
