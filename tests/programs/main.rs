//! The binary beside outside programs: registries, engines, clamd, nginx, a browser, the ecosystems' own tools. What is
//! not installed is skipped, and said; with `CI=true` it has to be there.

mod backend;
mod ci;
mod db;
mod engines;
mod legacy;
mod malware;
mod page;
mod registry;
#[cfg(feature = "http")]
mod serve;

use inscan_test_support::Inscan;

/// The binary that is tested.
const BINARY: &str = env!("CARGO_BIN_EXE_inscan");

/// The binary with these arguments, in an environment of its own.
fn inscan(arguments: &[&str]) -> Inscan {
    let mut inscan = Inscan::new(BINARY);
    inscan.args(arguments);
    inscan
}
