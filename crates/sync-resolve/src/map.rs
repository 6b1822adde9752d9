//! A map whose fields are each like a key of its own under last writer wins.

use std::collections::BTreeMap;

use sync_core::{
    Entry, Loss, MergeRule, Operation, OperationError, Payload, PayloadKind, Plan, Resolver, Value,
    Write, WriteId, Writer, value::DEPTH_MAX,
};

use crate::crdt::plan;
use crate::lww::newest;

/// The map rule: what is written to one field neither replaces nor races with what is written to
/// another. An emptied map reads as absent, as an emptied set does.
#[derive(Debug, Clone, Copy, Default)]
pub struct Map;

type Live<'a> = (&'a WriteId, &'a Write);

/// What each field reads as: the newest of the writes to it and of those that cleared the map.
struct Winners<'a> {
    by_field: BTreeMap<&'a str, Live<'a>>,
    cleared: Option<Live<'a>>,
}

impl<'a> Winners<'a> {
    fn of(entry: &'a Entry) -> Self {
        let cleared = cleared(entry);
        let mut by_field = BTreeMap::new();
        for live in entry.writes() {
            let Some(name) = live.1.payload.field_name() else {
                continue;
            };
            let winner = by_field.entry(name).or_insert(live);
            *winner = newest([*winner, live].into_iter().chain(cleared)).unwrap_or(live);
        }
        Self { by_field, cleared }
    }

    /// The write that decides what the field reads as to which `write` was made.
    fn over(&self, write: &Write) -> Option<Live<'a>> {
        let name = write.payload.field_name()?;
        self.by_field.get(name).copied()
    }

    /// The names and writes of the fields that are there.
    fn fields(&self) -> impl Iterator<Item = (&'a str, Live<'a>)> {
        let winners = self.by_field.iter().map(|(name, winner)| (*name, *winner));
        winners.filter(|(_, winner)| is_field(*winner))
    }
}

fn cleared(entry: &Entry) -> Option<Live<'_>> {
    newest(entry.part(&Payload::cleared()))
}

fn is_field((_, write): Live<'_>) -> bool {
    write.payload.kind() == PayloadKind::Field
}

/// A write to one field covers the one that the field showed. It leaves live what that one hides, to
/// lose with a receipt, and what cleared the map, which still hides other fields.
fn replace(payload: Payload, entry: &Entry) -> Plan {
    let part = payload.part();
    let writes = part.iter().flat_map(|part| entry.part(part));
    let shown = newest(writes.chain(cleared(entry)));
    let covered = shown.filter(|(_, write)| write.payload.kind() != PayloadKind::Cleared);
    let closures = covered.into_iter().map(|(id, write)| write.closure(id));
    Plan {
        floor: shown.map(|(_, write)| write.stamp),
        ..plan(Some(payload), closures)
    }
}

/// A live write that is newer than every field: a mere cover would let what the fields hide reappear.
/// It takes over from an earlier one, so that they do not pile up at a replica without a hub.
fn clear(entry: &Entry) -> Option<Plan> {
    let winners = Winners::of(entry);
    winners.fields().next()?;
    let shown = winners.by_field.values().copied();
    let shown: BTreeMap<_, _> = shown.chain(winners.cleared).collect();
    let closures = shown.into_iter().map(|(id, write)| write.closure(id));
    Some(Plan {
        floor: entry.writes().map(|(_, write)| write.stamp).max(),
        ..plan(Some(Payload::cleared()), closures)
    })
}

impl Resolver for Map {
    fn rule(&self) -> MergeRule {
        MergeRule::Map
    }

    fn holds(&self, kind: PayloadKind) -> bool {
        matches!(
            kind,
            PayloadKind::Field | PayloadKind::Unset | PayloadKind::Cleared
        )
    }

    fn plan(
        &self,
        operation: &Operation,
        entry: &Entry,
        _writer: &Writer,
    ) -> Result<Option<Plan>, OperationError> {
        match operation {
            Operation::PutField(name, value) => {
                value
                    .check_item_depth()
                    .map_err(|_| OperationError::TooDeep {
                        limit: DEPTH_MAX - 1,
                    })?;
                Ok(Some(replace(Payload::field(name, value)?, entry)))
            }
            Operation::UnsetField(name) => {
                // What can be no name is no field's.
                let Ok(unset) = Payload::unset(name) else {
                    return Ok(None);
                };
                let shown = newest(entry.part(&unset).chain(cleared(entry)));
                Ok(shown
                    .is_some_and(is_field)
                    .then(|| replace(unset.clone(), entry)))
            }
            Operation::Delete => Ok(clear(entry)),
            other => Err(OperationError::Rule {
                operation: other.name(),
                rule: self.rule(),
            }),
        }
    }

    fn fold(&self, entry: &Entry) -> Option<Value> {
        let winners = Winners::of(entry);
        let fields = winners
            .fields()
            .filter_map(|(name, (_, write))| Some((name.to_owned(), write.payload.value()?)));
        let fields: BTreeMap<String, Value> = fields.collect();
        (!fields.is_empty()).then_some(Value::Map(fields))
    }

    fn shown(&self, _entry: &Entry) -> Option<WriteId> {
        None
    }

    /// What cleared the map is never among them: it waits for nobody's decision.
    fn hidden(&self, entry: &Entry) -> usize {
        if cleared(entry).is_none() {
            // Of each field the newest shows.
            return entry.live_count() - entry.part_count();
        }
        let named = entry.writes().filter_map(|(_, w)| w.payload.field_name());
        let winners = Winners::of(entry);
        let stands = |(name, winner): &(&&str, &Live<'_>)| {
            // One that cleared the map wins fields without being a write to them.
            winner.1.payload.field_name() == Some(**name)
        };
        named.count() - winners.by_field.iter().filter(stands).count()
    }

    fn losses(&self, entry: &Entry) -> Vec<Loss> {
        let is_absence = |(_, write): Live<'_>| write.payload.kind().is_absence();
        if self.hidden(entry) == 0 && !entry.writes().any(is_absence) {
            return Vec::new();
        }
        let winners = Winners::of(entry);
        let lost = entry.writes().filter_map(|(id, write)| {
            let winner = match (write.payload.kind(), winners.over(write)) {
                (_, Some((winner, _))) if winner != id => Some(winner.clone()),
                // They have removed what they were to remove.
                (PayloadKind::Unset | PayloadKind::Cleared, _) => None,
                _ => return None,
            };
            let loser = id.clone();
            Some(Loss { loser, winner })
        });
        lost.collect()
    }
}
