//! Policies through the binary: beside the answers of the legacy engine, and by
//! what a user types.

mod builtin;
mod options;
mod oracle;
#[path = "../oracle_data/mod.rs"]
mod oracle_data;
