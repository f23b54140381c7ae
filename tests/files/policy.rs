//! Policies through the binary: beside the answers of the legacy engine, and by
//! what a user types.

mod builtin;
mod options;
mod oracle;
