//! How a key came to be what it is, what it was, and what changed between two revisions.

use serde_json::json;
use swarm_sync::{AgentId, Dropped, PastCommit, PastState, PastValue, Revision, Since, Version};

use super::{connect, print, text_of_value};
use crate::cli::{DiffArgs, ExplainKeyArgs, GetArgs, HistoryArgs};
use crate::exit::{Code, Failure};
use crate::output::{self, brief, brief_text, visible};

/// Commits asked for at a time: as many as the hub answers with.
const PAGE: u32 = 64;

pub(crate) async fn history(args: HistoryArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let limit = args.limit.unwrap_or(u64::MAX);
    let mut commits: Vec<PastCommit> = Vec::new();
    let mut upto = None;
    let last = loop {
        let left = limit - commits.len() as u64;
        let wanted = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let mut page = client.history(&args.key, upto, wanted).await?;
        commits.append(&mut page.commits.0);
        upto = page.next;
        if upto.is_none() || commits.len() as u64 >= limit {
            break page;
        }
    };
    client.close().await;
    if args.hub.json {
        return print(&json!({
            "key": args.key, "version": last.version, "commits": commits,
            "next": last.next, "dropped": last.dropped,
        }));
    }
    if commits.is_empty() && last.dropped.is_none() {
        let key = brief_text(args.key.as_str());
        return Ok(output::line(&format!(
            "no commit that this hub knows of has touched {key:?}"
        ))?);
    }
    print_commits(&commits)?;
    print_dropped(last.dropped)
}

fn print_commits(commits: &[PastCommit]) -> Result<(), Failure> {
    if commits.is_empty() {
        return Ok(());
    }
    let headings = ["version", "revision", "what", "value", "by", "lost"];
    let mut table = output::table(&headings);
    for commit in commits {
        table.add_row([
            commit.version.get().to_string(),
            commit.revision.get().to_string(),
            commit.kind.to_string(),
            value_text(&commit.value),
            brief_text(&authors(commit)),
            commit.lost.len().to_string(),
        ]);
    }
    output::line(&table.to_string())?;
    for loss in commits.iter().flat_map(|commit| commit.lost.iter()) {
        output::line(&visible(&loss.to_string()))?;
    }
    Ok(())
}

/// Who wrote what came, each once; where no write has stayed, whoever asked for what was done.
fn authors(commit: &PastCommit) -> String {
    let writers = commit.writes.iter().map(|w| w.write.writer.agent());
    let mut named: Vec<&AgentId> = Vec::new();
    for agent in writers {
        if !named.contains(&agent) {
            named.push(agent);
        }
    }
    if named.is_empty() {
        named.extend(&commit.by);
    }
    let named: Vec<&str> = named.into_iter().map(AgentId::as_str).collect();
    named.join(" ")
}

fn print_dropped(dropped: Option<Dropped>) -> Result<(), Failure> {
    match dropped {
        Some(dropped) => Ok(output::line(&dropped.to_string())?),
        None => Ok(()),
    }
}

fn value_text(value: &PastValue) -> String {
    match (&value.value, value.omitted) {
        (Some(value), _) => brief(&value.to_json()),
        (None, Some(_)) => format!("({value})"),
        (None, None) => "-".to_owned(),
    }
}

pub(crate) async fn explain(args: ExplainKeyArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let told = client.explain(&args.key).await?;
    client.close().await;
    if args.hub.json {
        return print(&told);
    }
    for sentence in told.sentences.iter() {
        output::line(&visible(sentence))?;
    }
    Ok(())
}

pub(crate) async fn diff(args: DiffArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    // All of them: as many as the hub keeps, which is bounded.
    let page = client.diff_pages(args.from, args.to, None, usize::MAX);
    let page = page.await?;
    client.close().await;
    let (changes, to, kept_after) = (page.changes.0, page.to, page.kept_after);
    if args.hub.json {
        return print(&json!({"changes": changes, "to": to, "kept_after": kept_after}));
    }
    if !changes.is_empty() {
        let mut table = output::table(&["key", "was", "became", "version", "revision", "commits"]);
        let told = |value: &Option<PastValue>| {
            let unknown = || "(not kept)".to_owned();
            value.as_ref().map_or_else(unknown, value_text)
        };
        for change in &changes {
            table.add_row([
                brief_text(change.key.as_str()),
                told(&change.was),
                told(&change.became),
                change.version.get().to_string(),
                change.revision.get().to_string(),
                change.commits.to_string(),
            ]);
        }
        output::line(&table.to_string())?;
    }
    let keys = if changes.len() == 1 { "key" } else { "keys" };
    output::line(&format!(
        "{} {keys} changed up to revision {}",
        changes.len(),
        to.get()
    ))?;
    if let Some(kept) = kept_after.map(Revision::get) {
        output::line(&format!("what changed up to revision {kept} is not kept"))?;
    }
    Ok(())
}

/// `get --at`.
pub(super) async fn get_at(args: &GetArgs, at: Since) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let state = client.get_state_at(&args.key, at).await?;
    client.close().await;
    let known = state.version.is_some() && state.value.value.is_some();
    if args.hub.json {
        let printed = output::line(&json!(state).to_string());
        return Failure::unless(known, Code::Failed, printed);
    }
    if known {
        let value = state.value.value.as_ref();
        return Ok(output::line(&value.map(text_of_value).unwrap_or_default())?);
    }
    output::complain(&why_nothing(&state));
    Failure::unless(false, Code::Failed, Ok(()))
}

fn why_nothing(state: &PastState) -> String {
    let (key, at) = (brief_text(state.key.as_str()), state.at.get());
    match (
        state.dropped,
        state.version.map(Version::get),
        state.value.omitted,
    ) {
        (Some(dropped), ..) => format!("what {key:?} was at revision {at} is not known: {dropped}"),
        (None, None, _) => format!("no commit had touched {key:?} by revision {at}"),
        (None, Some(version), Some(_)) => format!(
            "{key:?} held {} at revision {at} (version {version}), which is not kept",
            state.value
        ),
        (None, Some(_), None) => format!("{key:?} held no value at revision {at}"),
    }
}
