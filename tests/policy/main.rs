//! Policies through the binary: beside the answers of the legacy engine, and by
//! what a user types.

mod options;
mod oracle;
