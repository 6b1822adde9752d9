//! Merging only: no runtime, no store, no transport.

use sync_core::{AgentId, Entry, Incarnation, Key, Operation, Seq, Stamp, Value, Write, WriteId, Writer};

fn main() {
    let rules = sync_resolve::standard();
    let key = Key::new("hits").expect("a key");
    let counter = rules.of_operation(&key, &Operation::Add(0)).expect("counters are a standard rule");
    let mut state = Entry::new();
    for (name, amount) in [("a", 42), ("b", 45)] {
        let writer = Writer::new(AgentId::new(name).expect("a name"), Incarnation::from_random(1));
        let plan = counter.plan(&Operation::Add(amount), &Entry::new(), &writer);
        let plan = plan.expect("an addition fits").expect("it adds");
        let write = Write {
            stamp: Stamp::at_millis(1),
            payload: plan.payload.expect("it writes"),
            prev: Seq::new(0),
            over: plan.over,
            note: None,
        };
        let delta = Entry::of_write(WriteId::new(writer, Seq::new(1)), write);
        // Twice: a join repeats without harm.
        state.join(delta.clone());
        state.join(delta);
    }
    assert_eq!(counter.fold(&state), Some(Value::Int(87)));
}
