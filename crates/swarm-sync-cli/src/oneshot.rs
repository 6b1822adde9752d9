//! Commands that ask the hub and leave. They hold no replica and do not join the roster.

mod authority;
mod keys;
mod memory;
mod past;
mod policy;
mod propose;
mod receipts;
mod status;
mod sync;
mod unregister;
mod watch;
mod write;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value as Json, json};
use swarm_sync::tls::AgentTls;
use swarm_sync::{
    AgentId, Client, Expected, LinkOptions, Operation, Revision, Since, StartError, StateVersion,
    TcpLink, TransportError, Value, Version,
};

use crate::cli::{AddArgs, DeltaArgs, GetArgs, HubArgs, Keyed, ReadArgs, SetArgs, SwarmArgs};
use crate::completions;
use crate::exit::{Code, Failure};
use crate::output::{self, brief, brief_text, or_dash, shorten};
use crate::position::hand_back;
use crate::tls;

pub(crate) use self::memory::memory;
pub(crate) use self::policy::policy;
pub(crate) use self::propose::propose;
pub(crate) use self::status::status;
pub(crate) use self::sync::sync;
pub(crate) use self::unregister::unregister;
use self::write::write;

/// Who writes: one name for all of them, because each writer costs a key a few bytes for good.
const NAME: &str = "cli";

pub(crate) async fn get(args: ReadArgs) -> Result<(), Failure> {
    let ReadArgs { get: args, at } = args;
    if let Some(at) = at {
        return past::get_at(&args, at).await;
    }
    let (state, expected) = read(&args).await?;
    let Some(state) = state.filter(|s| s.value.is_some()) else {
        return absent(&args, expected);
    };
    if args.hub.json {
        return print(&read_json(&state, expected)?);
    }
    output::line(&text_of(&state))?;
    print_siblings(&state)?;
    if let Some(why) = unmerged_text(&state) {
        output::line(&why)?;
    }
    Ok(())
}

pub(crate) async fn version(args: GetArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let version = client.version(args.key.clone()).await?;
    // Asked after it, the position is not before what was read. A person is not shown it.
    let expected = if args.hub.json {
        let at = client.status().await?.position();
        Some(Expected::read_at(version.unwrap_or_default(), at))
    } else {
        None
    };
    client.close().await;
    match version {
        None => absent(&args, expected),
        Some(version) if args.hub.json => {
            let read = json!({"key": args.key, "version": version});
            print(&read_json(&read, expected)?)
        }
        Some(version) => Ok(output::line(&version.get().to_string())?),
    }
}

/// A key, and for programs what they can expect it to be.
async fn read(args: &GetArgs) -> Result<(Option<StateVersion>, Option<Expected>), Failure> {
    let mut client = connect(&args.hub).await?;
    let key = args.key.clone();
    let (state, at) = if args.hub.json {
        let (state, at) = client.get_with_position(key).await?;
        (state, Some(at))
    } else {
        (client.get(key).await?, None)
    };
    client.close().await;
    let expected = at.map(|_| Expected::of_read(state.as_ref(), at));
    Ok((state, expected))
}

/// What was read as one object, with what can be handed back.
fn read_json(read: &impl Serialize, expected: Option<Expected>) -> Result<Json, Failure> {
    let object = serde_json::to_value(read);
    let mut object = object.map_err(|e| Failure::new(Code::Failed, "json", e.to_string()))?;
    if let (Json::Object(fields), Some(expected)) = (&mut object, expected) {
        hand_back(fields, expected);
    }
    Ok(object)
}

pub(crate) async fn set(args: SetArgs) -> Result<(), Failure> {
    write(&args.to, args.key, Operation::Put(args.value)).await
}

pub(crate) async fn add(args: AddArgs) -> Result<(), Failure> {
    write(&args.to, args.key, Operation::Add(args.amount)).await
}

pub(crate) async fn delta(args: DeltaArgs) -> Result<(), Failure> {
    let mut client = connect(&args.hub).await?;
    let mut since = Since::Revision(args.since);
    let mut changes = Vec::new();
    let last = loop {
        let mut page = client.delta(since).await?;
        changes.append(&mut page.changes);
        if !page.more {
            break page;
        }
        since = Since::Cursor(page.to);
    };
    client.close().await;
    if args.hub.json {
        return print(&json!({"changes": changes, "to": last.to, "head": last.head}));
    }
    let mut table = output::table(&["key", "value", "version", "revision", "by"]);
    for change in &changes {
        table.add_row([
            brief_text(change.key.as_str()),
            value_text(change).unwrap_or_else(|| gone(change).to_owned()),
            or_dash(change.version.map(Version::get)),
            or_dash(change.revision.map(Revision::get)),
            or_dash(change.agent.as_ref()),
        ]);
    }
    if !changes.is_empty() {
        output::line(&table.to_string())?;
    }
    let (count, since, head) = (changes.len(), args.since.get(), last.head.get());
    let keys = if count == 1 { "key" } else { "keys" };
    output::line(&format!(
        "{count} {keys} changed after revision {since}; the last revision is {head}"
    ))?;
    Ok(())
}

/// Why a key in a delta has no value.
fn gone(change: &StateVersion) -> &'static str {
    if change.metadata.expired {
        "(expired)"
    } else {
        "(deleted)"
    }
}

/// Commands on keys other than reading, writing and adding.
pub(crate) async fn keyed(command: Keyed) -> Result<(), Failure> {
    match command {
        Keyed::Delete(args) => write(&args.to, args.key, Operation::Delete).await,
        Keyed::Insert(args) => write(&args.to, args.key, Operation::Insert(args.element)).await,
        Keyed::Remove(args) => write(&args.to, args.key, Operation::Remove(args.element)).await,
        Keyed::Put(args) => {
            let operation = Operation::PutField(args.field, args.value);
            write(&args.to, args.key, operation).await
        }
        Keyed::Unset(args) => write(&args.to, args.key, Operation::UnsetField(args.field)).await,
        Keyed::Clear(args) => write::clear(args).await,
        Keyed::Keys(args) => keys::keys(args).await,
        Keyed::Watch(args) => watch::watch(args).await,
        Keyed::History(args) => past::history(args).await,
        Keyed::Explain(args) => past::explain(args).await,
        Keyed::Diff(args) => past::diff(args).await,
        Keyed::Receipts(args) => receipts::receipts(args).await,
        Keyed::Cas(args) => authority::cas(args).await,
        Keyed::Claim(args) => authority::claim(args).await,
        Keyed::Renew(args) => authority::renew(args).await,
        Keyed::Release(args) => authority::release(args).await,
        Keyed::Completions(args) => completions::print(&args),
    }
}

async fn connect(args: &HubArgs) -> Result<Client, Failure> {
    connect_within(args, args.patience()).await
}

async fn connect_within(args: &HubArgs, timeout: Duration) -> Result<Client, Failure> {
    let (link, name) = link(&args.at, name()?)?;
    connect_as(&link, &args.at, name, timeout).await
}

pub(crate) async fn connect_as(
    link: &TcpLink,
    at: &SwarmArgs,
    name: AgentId,
    timeout: Duration,
) -> Result<Client, Failure> {
    let connected = Client::connect(link, at.swarm.clone(), name, timeout).await;
    connected.map_err(|error| no_answer(&at.hub, error))
}

/// The way to the hub, and the name to ask under: over TLS the one that is proved, else `name`.
pub(crate) fn link(at: &SwarmArgs, name: AgentId) -> Result<(TcpLink, AgentId), Failure> {
    let way = link_with(at, name, LinkOptions::default())?;
    Ok((way.link, way.name))
}

/// A way to the hub, for whoever looks at it.
pub(crate) struct Way {
    pub(crate) link: TcpLink,
    pub(crate) name: AgentId,
    pub(crate) tls: Option<Arc<AgentTls>>,
}

/// The same as other commands take, with other bounds.
pub(crate) fn way(at: &SwarmArgs, options: LinkOptions) -> Result<Way, Failure> {
    link_with(at, name()?, options)
}

fn link_with(at: &SwarmArgs, name: AgentId, options: LinkOptions) -> Result<Way, Failure> {
    let link = TcpLink::new(&at.hub, options);
    let tls = tls::agent(&at.tls)?;
    let (link, name) = match &tls {
        None => (link, name),
        Some(tls) => (
            link.with_tls(Arc::clone(tls)),
            tls::name_in(tls, &at.swarm)?,
        ),
    };
    Ok(Way { link, name, tls })
}

/// Something listens there, and says nothing that a hub would.
fn no_answer(address: &str, error: StartError) -> Failure {
    use TransportError::{Closed, Deadline, Protocol, Silent};

    let StartError::Transport(
        error @ (Closed { .. } | Deadline { .. } | Protocol { .. } | Silent { .. }),
    ) = error
    else {
        return error.into();
    };
    let sentence = format!(
        "no hub answers at {address}: {error}; check --hub, as another program may listen there, or the hub may hang"
    );
    Failure::new(Code::NoHub, "transport", sentence)
}

pub(crate) fn name() -> Result<AgentId, Failure> {
    AgentId::new(NAME).map_err(|e| Failure::new(Code::Failed, "config", e.to_string()))
}

fn absent(args: &GetArgs, expected: Option<Expected>) -> Result<(), Failure> {
    let (key, swarm) = (&args.key, &args.hub.at.swarm);
    let shown = shorten(key.as_str());
    output::complain(&format!(
        "the key {shown:?} holds no value in the swarm {swarm}"
    ));
    let printed = if args.hub.json {
        let object = json!({"key": key, "value": null, "version": null});
        output::line(&read_json(&object, expected)?.to_string())
    } else {
        Ok(())
    };
    Failure::unless(false, Code::Failed, printed)
}

fn text_of(state: &StateVersion) -> String {
    state.value.as_ref().map(text_of_value).unwrap_or_default()
}

/// Text as it is, everything else as JSON.
fn text_of_value(value: &Value) -> String {
    match value.to_json() {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// A value in a table or a sentence, or how large the one is that was left out; none if there is none.
fn value_text(state: &StateVersion) -> Option<String> {
    let omitted = |bytes| format!("(left out: about {bytes} bytes)");
    let value = state.value.as_ref().map(|v| brief(&v.to_json()));
    value.or_else(|| state.metadata.omitted_bytes.map(omitted))
}

/// Why concurrent values were not merged, if the hub says so.
fn unmerged_text(state: &StateVersion) -> Option<String> {
    let why = state.metadata.unmerged.as_ref()?;
    Some(format!("not merged: {}", output::visible(why)))
}

/// The values that are concurrent with the one shown, which is among them.
fn print_siblings(state: &StateVersion) -> Result<(), Failure> {
    if state.siblings.is_empty() {
        return Ok(());
    }
    output::line("concurrent values, until somebody who has seen them writes:")?;
    let mut table = output::table(&["value", "by"]);
    for sibling in &state.siblings {
        let value = brief(&sibling.value.to_json());
        table.add_row([value, sibling.write.to_string()]);
    }
    output::line(&table.to_string())?;
    Ok(())
}

fn print(result: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(result)
        .map_err(|e| Failure::new(Code::Failed, "json", e.to_string()))?;
    output::line(&text)?;
    Ok(())
}
