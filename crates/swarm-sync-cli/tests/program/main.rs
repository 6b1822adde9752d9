//! The program as its users meet it: the real binary, over pipes and sockets.
//!
//! - `support`: processes that end with the test, answers with deadlines
//! - `agent_json`: every request an agent takes
//! - `alike`: that what is forbidden takes as long as what is absent
//! - `agent_end`: how an agent ends, also if its store fails
//! - `bad_input`: whatever is not a request, and what stays as it was
//! - `sentences`: what a refusal says, and how much of what was given it repeats
//! - `links`: hubs and agents that come, go and are killed
//! - `little_room`: nodes whose disk is nearly full
//! - `cache`: a client without a replica beside them
//! - `command_line`: arguments that cannot be, and addresses where no hub is
//! - `compression`: what it saves, and how it is turned off
//! - `serve`: starting and refusing to start
//! - `oneshot`: commands that ask the hub and leave
//! - `past`: how a key came to be what it is
//! - `idle`: what connections cost on which nothing happens
//! - `keyed`: writing, listing and clearing keys at the hub
//! - `memory`: values at the hub beside the state
//! - `metrics`: a hub that is measured over HTTP
//! - `concurrent`: what is said of values that remain side by side
//! - `watching`: changes as they come, across restarts, and where to go on
//! - `agent_watch`: the same and policies through an agent
//! - `voting`: proposals, votes and decisions, with the hub killed in between
//! - `voting_input`: what is wrong with them
//! - `vote_commands`: what the command line proposes, and what `status` says of votes
//! - `policies`: what holds for keys of a pattern, from a file
//! - `priorities`: what is urgent goes ahead of what waits
//! - `receipts`: what came back, and levels that a write waits for
//! - `positions`: reads that are handed back, and hubs that have lost what they are of
//! - `pressure`: which synchronization ends if there are too many
//! - `rounds`: synchronization by priority and by schedule
//! - `rolling`: hubs and agents that are stopped and started again while everybody writes
//! - `under_faults`: hubs and agents that are killed at any moment, over connections that fail
//! - `deploy`: the service and the container of docs/deploy
//! - `doctor`: whether hub, clock and disk are as they should be
//! - `keep`: backups, and what is restored from them
//! - `recovery`: damaged directories, and nodes that come back from them
//! - `demo`: the demonstration, whole and failing
//! - `fixtures`: directories as earlier programs wrote them
//! - `git`: repositories in the making
//! - `replay`: histories of git as swarms
//! - `replay_input`: what cannot be replayed, and repositories that are not whole
//! - `help`: what `--help` teaches
//! - `completions`: scripts for shells, run by one
//! - `secrets`: what is never said
//! - `private_files`: files that are their owner's alone
//! - `security`: TLS, names that are proved, and rights
//! - `credentials`: certificates and tokens near their end, or half replaced
//! - `security_input`: whoever is not let in, and files that are not used
//! - `refusals`: whom the rights do not let in
//! - `top`: the live view, on a terminal
//! - `stuck_reader`: the end of a program that nobody reads

mod agent_end;
mod agent_json;
mod agent_watch;
mod alike;
mod authority;
mod bad_input;
mod cache;
mod command_line;
mod completions;
mod compression;
mod concurrent;
mod credentials;
mod demo;
mod deploy;
mod doctor;
mod fixtures;
mod git;
mod hang_up;
mod help;
#[cfg(target_os = "linux")]
mod idle;
mod keep;
mod keyed;
mod links;
mod little_room;
mod memory;
mod metrics;
mod oneshot;
mod past;
mod policies;
mod positions;
#[cfg(unix)]
mod pressure;
mod priorities;
#[cfg(unix)]
mod private_files;
mod receipts;
#[cfg(unix)]
mod recovery;
mod refusals;
mod replay;
mod replay_input;
mod rolling;
mod rounds;
#[cfg(unix)]
mod secrets;
mod security;
mod security_input;
mod sentences;
mod serve;
mod stuck_reader;
mod support;
mod top;
#[cfg(unix)]
mod under_faults;
mod vote_commands;
mod voting;
mod voting_input;
mod watching;
