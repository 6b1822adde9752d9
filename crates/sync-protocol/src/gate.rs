//! Holds outputs back until what they speak of is durable, so that acknowledging early cannot be
//! written.

use std::collections::VecDeque;

use sync_core::Batch;

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
    held: VecDeque<(Token, O)>,
}

impl<O> Default for Gate<O> {
    fn default() -> Self {
        Self {
            issued: Token::default(),
            durable: Token::default(),
            batches: VecDeque::new(),
            held: VecDeque::new(),
        }
    }
}

impl<O> Gate<O> {
    /// Hands a batch to the store. Outputs pushed from here on wait for it.
    pub(crate) fn persist(&mut self, batch: Batch) {
        self.issued = Token(self.issued.0 + 1);
        self.batches.push_back((self.issued, batch));
    }

    /// Queues an output behind every batch issued so far.
    pub(crate) fn push(&mut self, output: O) {
        self.held.push_back((self.issued, output));
    }

    /// The store has finished `token` and all before it.
    pub(crate) fn complete(&mut self, token: Token) {
        self.durable = self.durable.max(token);
    }

    /// The next batch for the store.
    pub(crate) fn next_batch(&mut self) -> Option<(Token, Batch)> {
        self.batches.pop_front()
    }

    /// The next output whose batch is durable.
    pub(crate) fn next_output(&mut self) -> Option<O> {
        let &(token, _) = self.held.front()?;
        if token > self.durable {
            return None;
        }
        self.held.pop_front().map(|(_, output)| output)
    }

    /// Takes back outputs that nobody waits for any more.
    pub(crate) fn discard(&mut self, is_void: impl Fn(&O) -> bool) {
        self.held.retain(|(_, output)| !is_void(output));
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
        self.held.drain(..).map(|(_, output)| output).collect()
    }
}

#[cfg(test)]
mod tests {
    use sync_core::SwarmId;

    use super::*;

    fn batch() -> Batch {
        Batch {
            swarm: SwarmId::new("s").unwrap(),
            ops: Vec::new(),
        }
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
