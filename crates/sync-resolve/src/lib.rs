//! sync-resolve
