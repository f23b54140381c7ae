//! The command line of inscan, the client of backends, and what it writes to terminals and
//! files. What it ties together are crates of their own: `inscan-image` (from an image to its
//! analysis), `inscan-evaluate` and `inscan-judge` (from a document to a verdict),
//! `inscan-report` (what is shown of it).

pub mod backend;
pub mod cli;
pub mod output;
#[cfg(feature = "http")]
mod server;
