//! `replay`: the history of a git repository as the life of a swarm, checked against git at the end.

mod clock;
mod entry;
mod git;
mod history;
mod keys;
mod lost;
mod report;
mod swarm;
mod verify;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::ReplayArgs;
use crate::exit::{Code, Failure};
use crate::output;
use crate::signals::Signals;

use self::git::Repository;
use self::history::{Author, Change, History};
use self::keys::Keys;
use self::lost::Lost;
use self::report::{MemberFacts, Report};
use self::swarm::{Swarm, Write};

pub(crate) async fn run(args: ReplayArgs) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    // Draws only if stderr is a terminal.
    let progress = ProgressBar::no_length();
    let told = tokio::select! {
        told = tell(&args, &progress) => told,
        // Dropping the story ends git and every agent.
        () = signals.end() => Err(interrupted(&progress)),
    };
    progress.finish_and_clear();
    let report = told?;
    let printed = if args.json {
        output::line(&report.to_json()?)
    } else {
        report.print()
    };
    Failure::unless(report.ok, Code::Failed, printed)
}

/// A wish of the user. Nothing is left behind: everything was in memory.
fn interrupted(progress: &ProgressBar) -> Failure {
    let (done, all) = (progress.position(), progress.length().unwrap_or_default());
    let message = format!(
        "the replay was interrupted after {done} of {all} commits; nothing of it is left, and \
         nothing was checked"
    );
    Failure::new(Code::Interrupted, "interrupted", message)
}

/// Everything that happens, in order.
async fn tell(args: &ReplayArgs, progress: &ProgressBar) -> Result<Report, Failure> {
    let started = Instant::now();
    let repository = Repository::open(&args.path).await?;
    let commits = repository.commits().await?;
    show(progress, commits);
    let mut report = Report {
        repository: repository.directory.clone(),
        head: repository.head.clone(),
        shallow: repository.shallow,
        offline_every: args.offline_every.map(NonZeroUsize::get),
        transport: if args.tcp { "tcp" } else { "memory" },
        ..Report::default()
    };
    let mut swarm = Swarm::open(args.tcp).await?;
    let mut keys = Keys::default();
    replay(args, &repository, &mut swarm, &mut keys, progress).await?;

    progress.set_message("every agent catches up");
    let status = swarm.settle(|| progress.tick()).await?;
    report.digest = status.digest.to_string();
    report.revision = status.revision.get();
    report.keys = status.keys;
    report.commits = swarm.members.iter().map(|m| m.commits).sum();
    report.agents = swarm.members.len();
    report.check(
        "every commit was replayed",
        report.commits == commits,
        format!("{} of {commits}", report.commits),
    );
    count(&swarm, &keys, &mut report);

    progress.set_message("comparing with git");
    collect_lost(&swarm, &mut report).await?;
    compare(&repository, &swarm, &mut report, progress).await?;
    swarm.close().await;
    report.finish(started.elapsed());
    Ok(report)
}

/// Commit by commit, each by its agent.
async fn replay(
    args: &ReplayArgs,
    repository: &Repository,
    swarm: &mut Swarm,
    keys: &mut Keys,
    progress: &ProgressBar,
) -> Result<(), Failure> {
    let mut cast = Cast::new(args.agents);
    let mut history = History::open(repository)?;
    while let Some(commit) = history.next().await? {
        let (who, author) = cast.writer(commit.author);
        if who == swarm.members.len() {
            swarm.join(author).await?;
        }
        let writes = commit.changes.into_iter().map(|c| write(keys, c));
        let writes: Vec<Write> = writes.collect::<Result<_, _>>()?;
        match args.offline_every {
            None => swarm.write_in_step(who, &writes).await?,
            Some(every) => swarm.write_cut_off(who, &writes, every).await?,
        }
        progress.inc(1);
    }
    history.finish().await
}

fn write(keys: &mut Keys, change: Change) -> Result<Write, Failure> {
    Ok(Write {
        key: keys.key(&change.path)?,
        value: change.entry.map(|entry| entry.to_value()),
    })
}

/// Who writes which commit. Agents are numbered in the order in which they first write.
#[derive(Debug)]
enum Cast {
    Authors(BTreeMap<Author, usize>),
    Turns { agents: NonZeroUsize, next: usize },
}

impl Cast {
    fn new(agents: Option<NonZeroUsize>) -> Self {
        match agents {
            None => Self::Authors(BTreeMap::new()),
            Some(agents) => Self::Turns { agents, next: 0 },
        }
    }

    /// The number of the agent, and for whom it stands if it is new.
    fn writer(&mut self, author: Author) -> (usize, Option<Author>) {
        match self {
            Self::Authors(known) => {
                let new = known.len();
                let who = *known.entry(author.clone()).or_insert(new);
                (who, Some(author))
            }
            Self::Turns { agents, next } => {
                let who = *next;
                *next = (who + 1) % agents.get();
                (who, None)
            }
        }
    }
}

fn count(swarm: &Swarm, keys: &Keys, report: &mut Report) {
    let counts = swarm.counts;
    report.writes = counts.writes;
    report.deletes = counts.deletes;
    report.idle_deletes = counts.idle_deletes;
    report.rounds = counts.rounds;
    report.bytes = swarm.bytes();
    report.escaped_paths = keys.escaped();
    report.hashed_paths = keys.hashed();
}

/// Lists what every agent holds of writes that came back, and the digests.
async fn collect_lost(swarm: &Swarm, report: &mut Report) -> Result<(), Failure> {
    let mut equal = 0;
    for (who, member) in swarm.members.iter().enumerate() {
        let digest = swarm.digest(who).await?.to_string();
        equal += usize::from(digest == report.digest);
        let receipts = swarm.receipts(who).await?;
        report.members.push(MemberFacts {
            agent: member.name.clone(),
            author: member.author.as_ref().map(ToString::to_string),
            commits: member.commits,
            lost: receipts.len(),
            digest,
        });
        report.lost.extend(receipts.iter().map(Lost::new));
    }
    report.check_all("every replica's digest equals the hub's", equal, None);
    report.conflicts = report.lost.len();
    let named = report.lost.iter().filter(|lost| lost.has_winner()).count();
    let all = report.conflicts;
    if report.offline_every.is_some() {
        let check = "every write that lost names its winner";
        report.check(check, named == all, format!("{named} of {all}"));
    } else {
        report.check("no write lost", all == 0, format!("{all} lost"));
    }
    Ok(())
}

/// Path by path. The last write in commit order is the one that shows, so agents that write cut off
/// arrive at every path of HEAD too. They may hold more: a delete takes away what has arrived where it
/// is made or decided, and not what an agent that was cut off still brings.
async fn compare(
    repository: &Repository,
    swarm: &Swarm,
    report: &mut Report,
    progress: &ProgressBar,
) -> Result<(), Failure> {
    let tree = verify::tree(repository).await?;
    let cut_off = report.offline_every.is_some();
    let check = if cut_off {
        "every path of HEAD is as in HEAD"
    } else {
        "every replica equals the tree of HEAD"
    };
    let (mut equal, mut worst) = (0, None);
    for who in 0..swarm.members.len() {
        let found = verify::compare(&tree, &swarm.state(who).await?);
        report.unlike_head = report.unlike_head.max(found.count());
        if found.wrong == 0 && (cut_off || found.extra == 0) {
            equal += 1;
        } else {
            worst = Some(found);
        }
        progress.tick();
    }
    report.check_all(check, equal, worst.as_ref());
    Ok(())
}

fn show(progress: &ProgressBar, commits: u64) {
    progress.set_length(commits);
    let template = "{wide_bar} {pos} of {len} commits [{elapsed}, {eta} left] {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        progress.set_style(style);
    }
}
