//! The swarm-sync program.
fn main() {}
