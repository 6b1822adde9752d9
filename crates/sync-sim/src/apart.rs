//! Nothing of one swarm gets to another: what a machine has its store keep is of its own swarm. Stores keep
//! the rows of all swarms of a node, and tell them apart by that name alone.

use sync_core::Batch;

use crate::plan::swarm;
use crate::world::World;

impl World {
    pub(crate) fn check_swarm(&mut self, batch: &Batch) {
        let is_own = batch.swarm == swarm();
        let other = || format!("rows for another swarm, {}: {:?}", batch.swarm, batch.ops);
        self.require(is_own, other);
    }
}

#[cfg(test)]
mod tests {
    use sync_core::SwarmId;

    use super::*;

    #[test]
    fn rows_for_another_swarm_are_found() {
        let mut world = World::new(1, false);
        let batch = |name: &str| Batch {
            swarm: SwarmId::new(name).unwrap(),
            ops: Vec::new(),
        };
        world.check_swarm(&batch(swarm().as_str()));
        assert!(world.violation.is_none());
        world.check_swarm(&batch("neighbour"));
        let found = world.violation.unwrap().to_string();
        assert!(found.contains("another swarm, neighbour"), "{found}");
    }
}
