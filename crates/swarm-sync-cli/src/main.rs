//! The `swarm-sync` program: a hub, an agent that any language can drive, one-shot commands, a
//! demonstration and the replay of a git history. It holds no logic: what it does is the library's.

mod agent;
mod cert;
mod checks;
mod cli;
mod completions;
mod data;
mod decisions;
mod demo;
mod doctor;
mod exit;
mod json;
mod keep;
mod logging;
mod oneshot;
mod output;
mod policies;
mod position;
mod replay;
mod rights;
mod rounds;
mod secret;
mod serve;
mod signals;
mod tls;
mod top;
mod usage;
mod votes;

use std::process::ExitCode;

use crate::cli::Command;
use crate::exit::{Code, Failure};

fn main() -> ExitCode {
    let cli = usage::parse();
    let logs = logging::start(cli.verbose, &cli.command);
    let audience = cli.command.audience();
    // One thread for the hub, its readers and its writers: fewer hand-overs, less latency.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(cli.command));
            // Whoever still reads or writes a pipe must not hold the process.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::new(
            Code::Failed,
            "io",
            format!("cannot start: {error}"),
        )),
    };
    logs.finish();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(audience),
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Agent(args) => agent::run(args).await,
        Command::Get(args) => oneshot::get(args).await,
        Command::Set(args) => oneshot::set(args).await,
        Command::Add(args) => oneshot::add(args).await,
        Command::Sync(args) => oneshot::sync(args).await,
        Command::Delta(args) => oneshot::delta(args).await,
        Command::Version(args) => oneshot::version(args).await,
        Command::Status(args) => oneshot::status(args).await,
        Command::Top(args) => top::run(args).await,
        Command::Unregister(args) => oneshot::unregister(args).await,
        Command::Cert(args) => cert::run(args),
        Command::Doctor(args) => doctor::run(*args).await,
        Command::Backup(args) => keep::back_up(args).await,
        Command::Restore(args) => keep::bring_back(args).await,
        Command::Keyed(command) => oneshot::keyed(command).await,
        Command::Propose(args) => oneshot::propose(*args).await,
        Command::Policy(args) => oneshot::policy(args).await,
        Command::Memory(args) => oneshot::memory(args).await,
    }
}
