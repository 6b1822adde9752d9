//! A value that lost, proposed again: an ordinary write made by who sees what it lost against.

use sync_core::{
    Entry, Key, Now, Operation, Payload, PayloadKind, Receipt, RequestError, Resolver, WriteId,
};

use super::write::Made;
use super::{Replica, RequestId};
use crate::keyspace::KeyState;
use crate::rows;

impl Replica {
    /// Writes what a receipt gave back once more. The receipt goes with the same batch as the new write,
    /// so that a crash neither loses the value nor proposes it twice.
    pub(super) fn repropose(&mut self, now: Now, request: RequestId, write: &WriteId) {
        let prepared = self.prepare_again(now, write);
        match prepared {
            Err(error) => self.answer(request, Err(error)),
            Ok((key, made)) => {
                self.receipts.remove(write, self.resolvers.policies());
                if write.writer == self.me {
                    self.traces.forget(write.seq);
                }
                let row = rows::delete_receipt(write);
                self.settle_write(now, request, &key, made, vec![row], None);
            }
        }
        self.push_pending(now);
    }

    fn prepare_again(&mut self, now: Now, write: &WriteId) -> Result<(Key, Made), RequestError> {
        let invalid = |reason: String| RequestError::Invalid { reason };
        let Some(receipt) = self.receipts.get(write) else {
            return Err(invalid(format!(
                "no receipt of {write} waits here: it has been dealt with, or has not come; list the receipts"
            )));
        };
        let operation = again(&receipt.discarded).filter(|_| receipt.winner().is_some());
        let Some(operation) = operation else {
            return Err(invalid(format!(
                "{receipt}; no winner is named that it could take the place of: write the value yourself"
            )));
        };
        self.check_winner(receipt)?;
        let key = receipt.key.clone();
        let made = self.prepare(now, &key, &operation, None)?;
        Ok((key, made))
    }

    /// Only what it lost against may be replaced by it: that is what its writer decides about.
    fn check_winner(&self, receipt: &Receipt) -> Result<(), RequestError> {
        let Some(winner) = receipt.winner() else {
            return Ok(());
        };
        let empty = Entry::new();
        let entry = self.space.get(&receipt.key).map_or(&empty, KeyState::entry);
        if !entry.context().contains(winner) {
            let winner = winner.clone();
            return Err(RequestError::NotHeld { winner });
        }
        let seen = self.seen_part(&receipt.key, entry);
        let rule = self.rule_of(&receipt.key, &seen);
        let shown = shown(&seen, rule, &receipt.discarded);
        let stands = match &shown {
            Some((id, _)) => id == winner,
            // It was a delete, and nothing has come since.
            None => receipt.winning_value().is_none(),
        };
        if stands {
            return Ok(());
        }
        let (by, current) = shown.map_or((None, None), |(id, value)| (Some(id), value));
        Err(RequestError::Superseded {
            winner: winner.clone(),
            by,
            current: current.map(Box::new),
        })
    }
}

/// The operation that makes such a payload once more; none for what is never lost to a winner.
fn again(payload: &Payload) -> Option<Operation> {
    let field = || payload.field_name().map(str::to_owned);
    match payload.kind() {
        PayloadKind::Put => Some(Operation::Put(payload.value()?)),
        PayloadKind::Field => Some(Operation::PutField(field()?, payload.value()?)),
        PayloadKind::Unset => Some(Operation::UnsetField(field()?)),
        PayloadKind::Absent | PayloadKind::Cleared => Some(Operation::Delete),
        _ => None,
    }
}

type Shown = (WriteId, Option<sync_core::Value>);

/// The write that decides what a reader sees where the payload was written, and what it wrote.
fn shown(entry: &Entry, rule: Option<&dyn Resolver>, payload: &Payload) -> Option<Shown> {
    let id = match payload.kind() {
        // Of a map that was cleared in vain, the newest of what is there.
        PayloadKind::Cleared => newest(entry.writes()),
        _ => match payload.part() {
            None => rule.and_then(|r| r.shown(entry)),
            Some(part) => newest(entry.part(&part).chain(entry.part(&Payload::cleared()))),
        },
    };
    let write = entry.write(id.as_ref()?)?;
    id.map(|id| (id, write.payload.value()))
}

fn newest<'a>(
    writes: impl Iterator<Item = (&'a WriteId, &'a sync_core::Write)>,
) -> Option<WriteId> {
    let newest = writes.max_by_key(|(id, write)| (write.stamp, *id));
    newest.map(|(id, _)| id.clone())
}
