//! What a rule shows of an entry, told anew: the live writes that an operation replaces knowingly.

use std::collections::BTreeSet;

use sync_core::{Entry, Key, Operation, Payload, PayloadKind, Policies, Write, WriteId, Writer};

use crate::tables;

type Live<'a> = (&'a WriteId, &'a Write);

/// Which live writes an operation replaces, by the rule of its key as a node with that table knows it:
/// what that rule shows of them. The entry must be under one rule.
pub(crate) fn shown(
    operation: &Operation,
    before: &Entry,
    writer: &Writer,
    (table, key): (&Policies, &Key),
) -> BTreeSet<WriteId> {
    let all = || before.writes();
    let own = |(id, _): &Live<'_>| id.writer == *writer;
    let any = |family| all().any(|(_, write)| Family::of(write) == family);
    let live: Vec<Live<'_>> = match operation {
        Operation::Add(_) => {
            let counts = |live: &Live<'_>| live.1.payload.kind() == PayloadKind::Count;
            all().filter(own).filter(counts).collect()
        }
        Operation::Insert(value) | Operation::Remove(value) => {
            let mine = matches!(operation, Operation::Insert(_));
            let element = Payload::element(value);
            let holding = all().filter(|live| live.1.payload == element && (!mine || own(live)));
            holding.collect()
        }
        Operation::PutField(name, _) | Operation::UnsetField(name) => {
            let field = of_field(before, name);
            field.filter(|live| !clears(live)).into_iter().collect()
        }
        _ if any(Family::Register) && !tables::keeps(table, key) => {
            newest(all()).into_iter().collect()
        }
        Operation::Delete if any(Family::Map) => {
            let names: BTreeSet<&str> = all().filter_map(|(_, w)| w.payload.field_name()).collect();
            let fields = names.iter().filter_map(|name| of_field(before, name));
            fields.chain(newest(all().filter(clears))).collect()
        }
        _ => all().collect(),
    };
    live.into_iter().map(|(id, _)| id.clone()).collect()
}

/// Writes that one rule can hold together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Register,
    Counter,
    Set,
    Map,
}

impl Family {
    pub(crate) fn of(write: &Write) -> Self {
        match write.payload.kind() {
            PayloadKind::Count | PayloadKind::Reset => Self::Counter,
            PayloadKind::Element => Self::Set,
            PayloadKind::Field | PayloadKind::Unset | PayloadKind::Cleared => Self::Map,
            _ => Self::Register,
        }
    }

    pub(crate) fn all_of(entry: &Entry) -> BTreeSet<Self> {
        entry.writes().map(|(_, write)| Self::of(write)).collect()
    }
}

fn newest<'a>(live: impl Iterator<Item = Live<'a>>) -> Option<Live<'a>> {
    live.max_by_key(|(id, write)| (write.stamp, *id))
}

fn clears((_, write): &Live<'_>) -> bool {
    write.payload.kind() == PayloadKind::Cleared
}

/// What a field reads as: the newest write to it, unless the map was cleared later.
fn of_field<'a>(entry: &'a Entry, name: &str) -> Option<Live<'a>> {
    let concerns = |live: &Live<'_>| clears(live) || live.1.payload.field_name() == Some(name);
    newest(entry.writes().filter(concerns))
}
