//! Holds outputs back until what they speak of is durable, so that acknowledging early cannot be
//! written.

use std::collections::VecDeque;

use sync_core::{
    Batch,
    planted::{self, Planted},
};

/// Numbers the batches of one machine, from 1. They complete in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Token(u64);

/// A queue of outputs, each waiting for a batch. Order is kept throughout: an output never overtakes
/// one that waits, so a reply cannot show a commit whose update is still held.
#[derive(Debug)]
pub(crate) struct Gate<O> {
    issued: Token,
    durable: Token,
    batches: VecDeque<(Token, Batch)>,
    held: VecDeque<Held<O>>,
    /// Bytes of both.
    bytes: usize,
}

/// An output that waits.
#[derive(Debug)]
struct Held<O> {
    token: Token,
    bytes: usize,
    output: O,
}

impl<O> Default for Gate<O> {
    fn default() -> Self {
        Self {
            issued: Token::default(),
            durable: Token::default(),
            batches: VecDeque::new(),
            held: VecDeque::new(),
            bytes: 0,
        }
    }
}

impl<O> Gate<O> {
    /// Hands a batch to the store. Outputs pushed from here on wait for it.
    pub(crate) fn persist(&mut self, batch: Batch) {
        self.issued = Token(self.issued.0 + 1);
        self.bytes += batch.bytes();
        self.batches.push_back((self.issued, batch));
    }

    /// Queues an output behind every batch issued so far.
    pub(crate) fn push(&mut self, output: O) {
        self.push_weighing(0, output);
    }

    /// The same for one that holds `bytes` of memory until it is taken.
    pub(crate) fn push_weighing(&mut self, bytes: usize, output: O) {
        self.bytes += bytes;
        self.held.push_back(Held {
            token: self.issued,
            bytes,
            output,
        });
    }

    /// Bytes of the batches and outputs that were not taken yet.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The store has finished `token` and all before it.
    pub(crate) fn complete(&mut self, token: Token) {
        self.durable = self.durable.max(token);
    }

    /// The next batch for the store.
    pub(crate) fn next_batch(&mut self) -> Option<(Token, Batch)> {
        let (token, batch) = self.batches.pop_front()?;
        self.bytes -= batch.bytes();
        Some((token, batch))
    }

    /// The next output whose batch is durable.
    pub(crate) fn next_output(&mut self) -> Option<O> {
        let first = self.held.front()?;
        if first.token > self.durable && !planted::is(Planted::AckBeforeDurable) {
            return None;
        }
        let first = self.held.pop_front()?;
        self.bytes -= first.bytes;
        Some(first.output)
    }

    /// Takes back outputs that nobody waits for any more.
    pub(crate) fn discard(&mut self, is_void: impl Fn(&O) -> bool) {
        let bytes = &mut self.bytes;
        self.held.retain(|held| {
            let void = is_void(&held.output);
            *bytes -= if void { held.bytes } else { 0 };
            !void
        });
    }

    /// The last batch that was handed to the store.
    pub(crate) fn issued(&self) -> Token {
        self.issued
    }

    /// Whether this batch and all before it are durable.
    pub(crate) fn is_durable(&self, token: Token) -> bool {
        token <= self.durable
    }

    /// Whether every batch issued is durable.
    pub(crate) fn is_settled(&self) -> bool {
        self.durable == self.issued
    }

    /// Gives up everything that waits and returns it: the store has failed. What is pushed from here
    /// on waits for nothing.
    pub(crate) fn abandon(&mut self) -> Vec<O> {
        self.batches.clear();
        self.durable = self.issued;
        self.bytes = 0;
        self.held.drain(..).map(|held| held.output).collect()
    }
}

#[cfg(test)]
mod tests {
    use sync_core::{RowOp, SwarmId};

    use super::*;

    fn batch() -> Batch {
        let (key, value) = ("key".into(), "value".into());
        Batch {
            swarm: SwarmId::new("s").unwrap(),
            ops: vec![RowOp::Put { key, value }],
        }
    }

    #[test]
    fn what_waits_is_weighed() {
        let mut gate = Gate::default();
        gate.push_weighing(3, "before");
        gate.persist(batch());
        gate.push_weighing(5, "after");
        gate.push_weighing(7, "void");
        assert_eq!(gate.bytes(), 3 + 8 + 5 + 7);
        gate.discard(|output| *output == "void");
        let (token, _) = gate.next_batch().unwrap();
        assert_eq!(gate.bytes(), 3 + 5);
        gate.complete(token);
        while gate.next_output().is_some() {}
        assert_eq!(gate.bytes(), 0);
    }

    #[test]
    fn an_output_waits_for_the_batch_before_it() {
        let mut gate = Gate::default();
        gate.push("before");
        gate.persist(batch());
        gate.push("after");
        assert_eq!(gate.next_output(), Some("before"));
        assert_eq!(gate.next_output(), None);
        let (token, _) = gate.next_batch().unwrap();
        assert!(!gate.is_settled());
        gate.complete(token);
        assert_eq!(gate.next_output(), Some("after"));
        assert!(gate.is_settled());
    }
}
