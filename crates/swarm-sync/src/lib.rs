//! swarm-sync
