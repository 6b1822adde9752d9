//! Reading what peers ask to do to a key: as it is written, but no name reserves more than there is.

use bincode::Decode;

use super::Operation;
use crate::codec::{Text, read_as};
use crate::value::Value;

/// The same in the same order.
#[derive(Decode)]
enum ReadOperation {
    Put(Value),
    Delete,
    Add(i64),
    Insert(Value),
    Remove(Value),
    PutField(Text, Value),
    UnsetField(Text),
}

impl From<ReadOperation> for Operation {
    fn from(read: ReadOperation) -> Self {
        match read {
            ReadOperation::Put(value) => Self::Put(value),
            ReadOperation::Delete => Self::Delete,
            ReadOperation::Add(amount) => Self::Add(amount),
            ReadOperation::Insert(value) => Self::Insert(value),
            ReadOperation::Remove(value) => Self::Remove(value),
            ReadOperation::PutField(Text(name), value) => Self::PutField(name, value),
            ReadOperation::UnsetField(Text(name)) => Self::UnsetField(name),
        }
    }
}

read_as!(Operation, ReadOperation);
