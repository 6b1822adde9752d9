//! Keys of rows: where each kind of row stands.

use sync_core::{AgentId, Incarnation, Key, Namespace, ProposalId, Revision, Seq, WriteId, Writer};

use super::kind;
use crate::hub::Run;

fn push_name(key: &mut Vec<u8>, name: &str) {
    // Names have at most 1,024 bytes, checked when they were made.
    key.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    key.extend(name.as_bytes());
}

fn push_writer(key: &mut Vec<u8>, writer: &Writer) {
    push_name(key, writer.agent().as_str());
    key.extend(writer.incarnation().bits().to_be_bytes());
}

fn push_id(key: &mut Vec<u8>, id: &WriteId) {
    push_writer(key, &id.writer);
    key.extend(id.seq.get().to_be_bytes());
}

/// One text to the end of the key.
fn of_text(kind: u8, text: &str) -> Vec<u8> {
    [&[kind], text.as_bytes()].concat()
}

pub(super) fn meta() -> Vec<u8> {
    vec![kind::META]
}

pub(super) fn policies() -> Vec<u8> {
    vec![kind::POLICIES]
}

pub(super) fn known(writer: &Writer) -> Vec<u8> {
    let mut row = vec![kind::KNOWN];
    push_writer(&mut row, writer);
    row
}

pub(super) fn adopted(key: &Key) -> Vec<u8> {
    of_text(kind::ADOPTED, key.as_str())
}

/// Under the delete's name: that of the field may be too long beside the key's.
pub(super) fn grave(key: &Key, delete: &WriteId) -> Vec<u8> {
    let mut row = forgotten(key);
    push_id(&mut row, delete);
    row
}

pub(super) fn forgotten(key: &Key) -> Vec<u8> {
    let mut row = vec![kind::GRAVE];
    push_name(&mut row, key.as_str());
    row
}

pub(super) fn header(key: &Key) -> Vec<u8> {
    of_text(kind::HEADER, key.as_str())
}

pub(super) fn write(key: &Key, id: &WriteId) -> Vec<u8> {
    let mut row = vec![kind::WRITE];
    push_name(&mut row, key.as_str());
    push_id(&mut row, id);
    row
}

pub(super) fn run(run: &Run) -> Vec<u8> {
    let mut row = vec![kind::RUN];
    row.extend(run.ordinal.to_be_bytes());
    row.extend(run.epoch.bits().to_be_bytes());
    row
}

pub(super) fn member(agent: &AgentId) -> Vec<u8> {
    of_text(kind::MEMBER, agent.as_str())
}

pub(super) fn receipt(write: &WriteId) -> Vec<u8> {
    let mut row = vec![kind::RECEIPT];
    push_id(&mut row, write);
    row
}

pub(super) fn fate(write: &WriteId) -> Vec<u8> {
    let mut row = vec![kind::FATE];
    push_id(&mut row, write);
    row
}

pub(super) fn delivered() -> Vec<u8> {
    vec![kind::DELIVERED]
}

pub(super) fn outbox(run: Incarnation, seq: Seq) -> Vec<u8> {
    let mut row = vec![kind::OUTBOX];
    row.extend(run.bits().to_be_bytes());
    row.extend(seq.get().to_be_bytes());
    row
}

pub(super) fn outbox_numbers(row: &[u8]) -> Option<(Incarnation, Seq)> {
    let (run, seq) = row.get(1..)?.split_at_checked(8)?;
    let run = u64::from_be_bytes(run.try_into().ok()?);
    let seq = u64::from_be_bytes(seq.try_into().ok()?);
    Some((Incarnation::from_random(run), Seq::new(seq)))
}

pub(super) fn longest_lease() -> Vec<u8> {
    vec![kind::LEASE]
}

pub(super) fn answered(asker: &AgentId, run: Incarnation, number: u64) -> Vec<u8> {
    let mut row = vec![kind::ANSWERED];
    push_name(&mut row, asker.as_str());
    row.extend(run.bits().to_be_bytes());
    row.extend(number.to_be_bytes());
    row
}

pub(super) fn lifetime(key: &Key) -> Vec<u8> {
    of_text(kind::LIFETIME, key.as_str())
}

pub(super) fn repair(key: &Key) -> Vec<u8> {
    of_text(kind::REPAIR, key.as_str())
}

pub(super) fn memory(namespace: &Namespace, key: &Key) -> Vec<u8> {
    let mut row = vec![kind::MEMORY];
    push_name(&mut row, namespace.as_str());
    row.extend(key.as_str().as_bytes());
    row
}

pub(super) fn cleared(namespace: &Namespace) -> Vec<u8> {
    of_text(kind::CLEARED, namespace.as_str())
}

fn of_proposal(kind: u8, proposal: ProposalId) -> Vec<u8> {
    let mut row = vec![kind];
    row.extend(proposal.bits().to_be_bytes());
    row
}

pub(super) fn poll(proposal: ProposalId) -> Vec<u8> {
    of_proposal(kind::POLL, proposal)
}

pub(super) fn vote(proposal: ProposalId, agent: &AgentId) -> Vec<u8> {
    let mut row = of_proposal(kind::VOTE, proposal);
    row.extend(agent.as_str().as_bytes());
    row
}

pub(super) fn decision(proposal: ProposalId) -> Vec<u8> {
    of_proposal(kind::DECISION, proposal)
}

pub(super) fn own_vote(proposal: ProposalId) -> Vec<u8> {
    of_proposal(kind::OWN_VOTE, proposal)
}

pub(super) fn journal() -> Vec<u8> {
    vec![kind::JOURNAL]
}

/// What follows the revision in the key of a row that later commits are added to: no name contains it,
/// and it sorts after all that do.
const AFTER_NAMES: u8 = 0xff;

/// Where the rows of the log begin that hold a commit's part of a key, or else the commits before it.
/// The newest sort first, so that the row at or before a commit is the next one.
pub(super) fn chunks_from(revision: Revision, key: Option<&Key>) -> Vec<u8> {
    let mut row = vec![kind::CHUNK];
    row.extend((!revision.get()).to_be_bytes());
    row.extend(key.map_or("", Key::as_str).as_bytes());
    row
}

/// A row of commits from one on.
pub(super) fn chunk(first: Revision) -> Vec<u8> {
    let mut row = chunks_from(first, None);
    row.push(AFTER_NAMES);
    row
}

/// A row of some keys of one commit. Named by the last of them, it is the next one after each.
pub(super) fn part(revision: Revision, last: &Key) -> Vec<u8> {
    let mut row = chunks_from(revision, Some(last));
    row.push(0);
    row
}

pub(super) fn is_part(row: &[u8]) -> bool {
    row.last() != Some(&AFTER_NAMES)
}

/// The first commit in a row of the log.
pub(super) fn chunk_first(row: &[u8]) -> Option<Revision> {
    let inverted = row.get(1..)?.first_chunk()?;
    Some(Revision::new(!u64::from_be_bytes(*inverted)))
}
