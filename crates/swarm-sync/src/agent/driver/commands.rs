//! What an agent's own callers ask for, and its voter.

use sync_core::{
    Ballot, Key, Now, Pattern, Policy, ProposalId, Receipt, RequestError, Seen, StateVersion,
    Version, WriteId,
};
use sync_protocol::{Command, Fate, Outcome};
use tokio::sync::oneshot;

use super::Driver;
use crate::agent::AgentState;
use crate::agent::voting::Proposals;

/// What a handle asks of the task.
#[derive(Debug)]
pub(in crate::agent) enum AgentCommand {
    Run {
        command: Command,
        done: oneshot::Sender<Result<Outcome, RequestError>>,
    },
    Get {
        key: Key,
        done: oneshot::Sender<(Option<StateVersion>, Option<Seen>)>,
    },
    Provisional {
        key: Key,
        done: oneshot::Sender<bool>,
    },
    Version {
        key: Key,
        done: oneshot::Sender<Option<Version>>,
    },
    Keys {
        pattern: Pattern,
        done: oneshot::Sender<Vec<Key>>,
    },
    State {
        done: oneshot::Sender<AgentState>,
    },
    Policies {
        done: oneshot::Sender<Vec<Policy>>,
    },
    Receipts {
        done: oneshot::Sender<Vec<Receipt>>,
    },
    Proposals {
        done: oneshot::Sender<Proposals>,
    },
    Online {
        online: bool,
        done: oneshot::Sender<()>,
    },
    WaitInStep {
        done: oneshot::Sender<()>,
    },
    Shutdown {
        done: oneshot::Sender<()>,
    },
    Fate {
        write: WriteId,
        done: oneshot::Sender<Fate>,
    },
}

impl Driver {
    pub(super) fn handle_command(&mut self, command: AgentCommand) {
        let now = self.now();
        self.look_at_disk(now);
        match command {
            AgentCommand::Run { command, done } => {
                let request = self.run_command(now, command);
                self.answers.insert(request, done);
            }
            AgentCommand::Proposals { done } => {
                let _ = done.send(self.voting.subscribe());
            }
            AgentCommand::Get { key, done } => {
                let _ = done.send((self.replica.get(now, &key), self.replica.position()));
            }
            AgentCommand::Provisional { key, done } => {
                let _ = done.send(self.replica.is_provisional(&key));
            }
            AgentCommand::Version { key, done } => {
                let _ = done.send(self.replica.version(&key));
            }
            AgentCommand::Keys { pattern, done } => {
                let _ = done.send(self.replica.keys(&pattern));
            }
            AgentCommand::State { done } => {
                let _ = done.send(self.state(now));
            }
            AgentCommand::Receipts { done } => {
                let _ = done.send(self.replica.receipts().cloned().collect());
            }
            AgentCommand::Policies { done } => {
                let _ = done.send(self.replica.policies().iter().cloned().collect());
            }
            AgentCommand::Online { online, done } => {
                self.connector.set_online(online);
                if let Some(up) = self.up.as_ref().filter(|_| !online) {
                    // This connection has to end also if the wish changes again before it is heard.
                    self.connector.close(up.generation);
                    self.link_down(now);
                }
                let _ = done.send(());
            }
            AgentCommand::WaitInStep { done } => {
                self.in_step.push((now.mono, done));
                self.replica.hasten_beat(now);
            }
            AgentCommand::Fate { write, done } => {
                let _ = done.send(self.replica.fate(&write));
            }
            // Handled by the caller, which ends the loop.
            AgentCommand::Shutdown { .. } => {}
        }
    }

    /// Tells the machine what room there is, if it is time to look. Only who asks for something needs that.
    fn look_at_disk(&mut self, now: Now) {
        if self.disk.look(now.mono) {
            self.replica.note_free_bytes(self.disk.free());
            self.disk.say("agent", self.replica.is_short_of_space());
        }
    }

    /// Under a number of its own, by which its answer is known.
    fn run_command(&mut self, now: Now, command: Command) -> u64 {
        self.next_request += 1;
        let request = self.next_request;
        self.replica.handle_command(now, request, command);
        request
    }

    /// The voter has voted. Nobody waits for what becomes of it; if it does not count, that is logged.
    pub(super) fn handle_voted(&mut self, proposal: ProposalId, ballot: Ballot) {
        let now = self.now();
        let timeout = self.vote_wait;
        let vote = Command::Vote {
            proposal,
            ballot,
            timeout,
        };
        self.run_command(now, vote);
    }
}
