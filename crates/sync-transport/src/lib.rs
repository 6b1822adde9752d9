//! sync-transport
