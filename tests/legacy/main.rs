//! inscan in the place of the legacy scanner: its lines, its JSON, its codes; and what is built
//! around it, on its output.

mod backend;
mod engine;
mod local;
mod readers;
mod registry;
mod run;
mod typed;

#[path = "../malware/clamd.rs"]
mod clamd;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#[path = "../engines/parts.rs"]
mod engines;
#[path = "../oracle_data/mod.rs"]
mod oracle_data;
#[path = "../backend/server.rs"]
mod server;
#[path = "../backend/stand_in.rs"]
mod stand_in;
